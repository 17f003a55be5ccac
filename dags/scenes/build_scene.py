"""Build one shot of the citrus commercial, a small `.blend` that renders in seconds.

Needs Blender 5.0 or later.

    .venv-blender/bin/python dags/scenes/build_scene.py juice.blend --shot juice --frames 24

Each frame also gives two outputs of the compositor: `Depth` (EXR, the distance from the camera in
Blender units) and `Glow` (PNG, the light that blooms around highlights).
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

import bpy
from shots import SHOTS, Stage

STARTUP = "cube"
"""The scene that Blender starts with, as it is: all artists begin with it, and it brings what no
scene made from nothing has."""


def main() -> None:
    """Build what the command line asks for."""
    options = _options()
    if bpy.app.version < (5, 0):
        raise SystemExit(f"Blender 5.0 or later is needed, and this is {bpy.app.version_string}")
    bpy.ops.wm.read_factory_settings(use_empty=options.shot != STARTUP)
    stage = Stage(frames=options.frames, rng=random.Random(options.seed))  # noqa: S311 - places drops, guards nothing
    if options.shot != STARTUP:
        SHOTS[options.shot](stage)
    scene = bpy.context.scene
    scene.name = options.shot
    _set_up_render(scene, options)
    _set_up_compositor(scene)
    if options.layer:
        _keep_layer(scene, stage, options.layer)
    if options.no_camera:
        bpy.data.objects.remove(scene.camera)
    if options.fails:
        _fail_later(scene)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(options.output.absolute()), compress=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="the .blend to write")
    parser.add_argument("--shot", choices=[*sorted(SHOTS), STARTUP], default="juice")
    parser.add_argument(
        "--frames", type=int, default=24, help="length of the shot, which loops (default: 24, one second)"
    )
    parser.add_argument("--resolution", default="320x180", metavar="WxH", help="in pixels (default: 320x180)")
    parser.add_argument(
        "--samples", type=int, default=12, help="of Cycles, for each pixel (default: 12, then denoised)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another number places drops and ice differently")
    parser.add_argument(
        "--layer",
        choices=("background", "foreground"),
        help="one of two plates for compositing: the paper with all shadows, or the props on transparency",
    )
    parser.add_argument("--no-camera", action="store_true", help="forget the camera: validation refuses this scene")
    parser.add_argument("--fails", action="store_true", help="validates, then fails to render from the middle frame on")
    return parser.parse_args()


def _set_up_render(scene: Any, options: argparse.Namespace) -> None:
    render, cycles = scene.render, scene.cycles
    scene.frame_start, scene.frame_end = 1, options.frames
    render.engine, render.fps = "CYCLES", 24
    render.resolution_x, render.resolution_y = map(int, options.resolution.split("x"))
    render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGBA"
    render.use_persistent_data = True
    scene.view_settings.view_transform = "Khronos PBR Neutral"  # Keeps an orange orange, where AgX makes it pale.
    cycles.samples, cycles.use_adaptive_sampling, cycles.adaptive_threshold = options.samples, True, 0.03
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_quality, cycles.denoising_prefilter, cycles.use_light_tree = "BALANCED", "FAST", False
    # Short paths, no caustics, no single bright sample: what a few samples can clean up.
    cycles.max_bounces, cycles.transmission_bounces, cycles.transparent_max_bounces = 8, 8, 8
    cycles.diffuse_bounces, cycles.glossy_bounces = 2, 3
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0


def _set_up_compositor(scene: Any) -> None:
    scene.view_layers[0].use_pass_z = True
    tree = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    scene.compositing_node_group = tree
    layer = tree.nodes.new("CompositorNodeRLayers")
    glare = tree.nodes.new("CompositorNodeGlare")
    glare.inputs["Type"].default_value = "Bloom"
    glare.inputs["Threshold"].default_value = 1.1
    glare.inputs["Strength"].default_value = 0.35
    tree.links.new(layer.outputs["Image"], glare.inputs["Image"])
    tree.links.new(glare.outputs["Image"], tree.nodes.new("NodeGroupOutput").inputs[0])
    _add_file_output(tree, "Depth", layer.outputs["Depth"], "FLOAT", "OPEN_EXR")
    _add_file_output(tree, "Glow", glare.outputs["Glare"], "RGBA", "PNG")


def _add_file_output(tree: Any, name: str, output: Any, socket_type: str, file_format: str) -> None:
    """Write `output` to `<name>/0001.<ext>` beside the `.blend`; a farm sends it elsewhere."""
    node = tree.nodes.new("CompositorNodeOutputFile")
    node.name, node.directory, node.file_name = name, f"//{name}/", ""
    node.format.media_type, node.format.file_format = "IMAGE", file_format
    if file_format == "OPEN_EXR":
        node.format.color_mode, node.format.color_depth = "BW", "32"
    node.file_output_items.new(socket_type, "")
    tree.links.new(output, node.inputs[0])


def _keep_layer(scene: Any, stage: Stage, layer: str) -> None:
    """Hide the other plate from the camera only.

    It still casts its shadows and shows in reflections.
    """
    scene.render.film_transparent = layer == "foreground"
    for each in scene.objects:
        if each.type in ("MESH", "FONT"):
            each.visible_camera = (each in stage.background) == (layer == "background")


def _fail_later(scene: Any) -> None:
    """Switch off the only view layer at the middle frame, as an artist may do and forget."""
    layer, middle = scene.view_layers[0], (scene.frame_start + scene.frame_end + 1) // 2
    for frame, use in ((scene.frame_start, True), (middle, False)):
        layer.use = use
        layer.keyframe_insert("use", frame=frame)
    layer.use = True


if __name__ == "__main__":
    main()
