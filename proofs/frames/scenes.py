"""Runs inside Blender: renders the proof's shots, each a scene, a way to move and a file format.

Usage: python scenes.py <folder> <part> <parts>
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Mapping
from pathlib import Path

import bpy

FRAMES = 167
SIZE = 192, 108
SHOTS = {
    "pan": ("PNG", "RGB", "8"),
    "still": ("PNG", "RGB", "8"),
    "cuts": ("JPEG", "RGB", "8"),
    "fade": ("OPEN_EXR", "RGBA", "16"),
    "flicker": ("PNG", "RGB", "16"),
    "dark": ("OPEN_EXR", "RGB", "32"),
    "alpha": ("PNG", "RGBA", "8"),
    "fast": ("TIFF", "RGB", "16"),
    "layers": ("OPEN_EXR_MULTILAYER", "RGBA", "16"),
    "twos": ("PNG", "RGBA", "16"),
    "crowd": ("JPEG", "RGB", "8"),
    "fly": ("OPEN_EXR", "RGBA", "32"),
}
"""What each is written as."""


def _material(
    name: str, colour: tuple[float, float, float], chance: random.Random, *, texture: bool
) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1)
    shader.inputs["Roughness"].default_value = chance.uniform(0.1, 0.9)
    if texture:
        checker = nodes.new("ShaderNodeTexChecker")
        checker.inputs["Scale"].default_value = chance.uniform(3, 12)
        checker.inputs["Color1"].default_value = (*colour, 1)
        checker.inputs["Color2"].default_value = (*(value * 0.3 for value in colour), 1)
        links.new(checker.outputs["Color"], shader.inputs["Base Color"])
    return material


def _stage(
    seed: int, objects: int, *, floor: bool = True
) -> tuple[bpy.types.Scene, random.Random, list[bpy.types.Object]]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    chance = random.Random(seed)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = 8, False, 2
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.render.use_persistent_data = True
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = *SIZE, 100
    scene.frame_start, scene.frame_end = 1, FRAMES
    scene.world = bpy.data.worlds.new("World")
    scene.world.use_nodes = True
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.05, 0.09, 0.2, 1)
    things = []
    for index in range(objects):
        spot = chance.uniform(-6, 6), chance.uniform(-4, 6), chance.uniform(0.3, 1.5)
        kind = index % 3
        if kind == 0:
            bpy.ops.mesh.primitive_uv_sphere_add(
                radius=chance.uniform(0.4, 1.0), location=spot, segments=24, ring_count=12
            )
        elif kind == 1:
            bpy.ops.mesh.primitive_cube_add(size=chance.uniform(0.7, 1.7), location=spot)
        else:
            bpy.ops.mesh.primitive_cone_add(radius1=chance.uniform(0.4, 1.0), location=spot)
        thing = bpy.context.object
        colour = chance.uniform(0.1, 0.9), chance.uniform(0.05, 0.7), chance.uniform(0.05, 0.6)
        thing.data.materials.append(_material(f"m{index}", colour, chance, texture=index % 2 == 0))
        things.append(thing)
    if floor:
        bpy.ops.mesh.primitive_plane_add(size=60)
        bpy.context.object.data.materials.append(_material("floor", (0.6, 0.45, 0.3), chance, texture=True))
    bpy.ops.object.light_add(type="SUN", rotation=(0.7, 0.2, 0.5))
    bpy.context.object.data.energy, bpy.context.object.name = 3, "Sun"
    bpy.ops.object.camera_add(location=(0, -12, 4), rotation=(1.3, 0, 0))
    scene.camera = bpy.context.object
    return scene, chance, things


def _key(
    thing: bpy.types.ID, what: str, values: Mapping[int, float | tuple[float, ...]], curve: str = "LINEAR"
) -> None:
    for frame, value in values.items():
        setattr(thing, what, value)
        thing.keyframe_insert(what, frame=frame)
    action = thing.animation_data.action
    curves = action.fcurves if hasattr(action, "fcurves") else action.layers[0].strips[0].channelbags[0].fcurves
    for each in curves:
        for point in each.keyframe_points:
            point.interpolation = curve


def _pan(seed: int) -> None:
    scene, _, _ = _stage(seed, 14)
    _key(scene.camera, "location", {1: (-5, -12, 4), FRAMES: (5, -12, 4)})


def _still(seed: int) -> None:
    _stage(seed, 10)


def _cuts(seed: int) -> None:
    scene, chance, _ = _stage(seed, 14)
    values: dict[int, float | tuple[float, ...]] = {}
    frame = 1
    while frame <= FRAMES:
        values[frame] = chance.uniform(-6, 6), chance.uniform(-14, -8), chance.uniform(2, 5)
        frame += chance.randint(2, 25)
    _key(scene.camera, "location", values, "CONSTANT")


def _fade(seed: int) -> None:
    scene, _, things = _stage(seed, 10)
    sun = bpy.data.objects["Sun"].data
    _key(sun, "energy", {1: 0.0, 12: 0.0, 40: 3.0, 110: 3.0, 140: 0.0, FRAMES: 0.0})
    scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0, 0, 0, 1)
    _key(things[0], "location", {1: (-6, -3, 1), FRAMES: (6, -3, 1)})


def _flicker(seed: int) -> None:
    _, chance, things = _stage(seed, 10)
    sun = bpy.data.objects["Sun"].data
    _key(sun, "energy", {frame: chance.choice((0.3, 1.0, 2.0, 3.0, 6.0)) for frame in range(1, FRAMES + 1)}, "CONSTANT")
    _key(things[1], "location", {1: (-5, -4, 1), FRAMES: (5, -4, 1)})


def _dark(seed: int) -> None:
    _, _, things = _stage(seed, 8)
    bpy.context.scene.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.001, 0.001, 0.002, 1)
    bpy.data.objects["Sun"].data.energy = 0.02
    _key(things[0], "location", {1: (-5, -5, 1), FRAMES: (5, -5, 1)})


def _alpha(seed: int) -> None:
    scene, _, things = _stage(seed, 1, floor=False)
    scene.render.film_transparent = True
    _key(things[0], "location", {1: (-9, 0, 3), 40: (0, 0, 3), 120: (2, -3, 3), FRAMES: (14, 0, 3)})


def _fast(seed: int) -> None:
    _, chance, things = _stage(seed, 12)
    for thing in things[:3]:
        _key(
            thing,
            "location",
            {frame: (chance.uniform(-5, 5), chance.uniform(-6, 2), 1) for frame in range(1, FRAMES + 5, 4)},
        )
    _key(things[4], "rotation_euler", {1: (0, 0, 0), FRAMES: (0, 0, FRAMES * 0.7)})


def _layers(seed: int) -> None:
    scene, _, _ = _stage(seed, 12)
    layer = scene.view_layers[0]
    layer.use_pass_z = layer.use_pass_normal = layer.use_pass_mist = layer.use_pass_vector = True
    _key(scene.camera, "location", {1: (0, -14, 5), FRAMES: (0, -7, 3)})


def _twos(seed: int) -> None:
    _, _, things = _stage(seed, 10)
    for number, thing in enumerate(things[:4]):
        spots = {
            f: (4 * math.sin(f / 9 + number), -4 + 2 * math.cos(f / 11 + number), 1) for f in range(1, FRAMES + 1, 2)
        }
        _key(thing, "location", spots, "CONSTANT")


def _crowd(seed: int) -> None:
    _, chance, things = _stage(seed, 24)
    for thing in things:
        x, y, z = thing.location
        spots = {f: (x + chance.uniform(-2, 2), y + chance.uniform(-2, 2), z) for f in range(1, FRAMES + 30, 30)}
        _key(thing, "location", spots, "BEZIER")


def _fly(seed: int) -> None:
    scene, _, _ = _stage(seed, 20)
    turns = {f: (1.25, 0, 0.5 * math.sin(f / 12)) for f in range(1, FRAMES + 1)}
    _key(scene.camera, "rotation_euler", turns)
    _key(scene.camera, "location", {1: (-3, -16, 3), 80: (2, -8, 4), FRAMES: (4, -11, 6)}, "BEZIER")


_BUILD = {
    "pan": _pan, "still": _still, "cuts": _cuts, "fade": _fade, "flicker": _flicker, "dark": _dark,
    "alpha": _alpha, "fast": _fast, "layers": _layers, "twos": _twos, "crowd": _crowd, "fly": _fly,
}  # fmt: skip
_STEADY = {"still", "twos", "alpha"}
"""Rendered with one seed of noise: what does not move is the very same."""


def render(folder: Path, part: int, parts: int) -> None:
    """Render each shot of this part that is not there yet."""
    for number, (name, (kind, mode, depth)) in enumerate(SHOTS.items()):
        if number % parts != part or len(list((folder / name).glob("*.*"))) == FRAMES:
            continue
        _BUILD[name](number + 1)
        scene = bpy.context.scene
        scene.cycles.use_animated_seed = name not in _STEADY
        image = scene.render.image_settings
        if hasattr(image, "media_type"):
            image.media_type = "MULTI_LAYER_IMAGE" if kind == "OPEN_EXR_MULTILAYER" else "IMAGE"
        image.file_format, image.color_depth = kind, depth
        if kind != "OPEN_EXR_MULTILAYER":
            image.color_mode = mode
        scene.render.filepath = str(folder / name / f"{name}_")
        bpy.ops.render.render(animation=True)


if __name__ == "__main__":
    render(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
