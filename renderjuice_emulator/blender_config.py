"""Runs inside Blender: lays the render configuration of an order over the settings of the scene."""

from __future__ import annotations

from typing import Any

import bpy

from renderjuice_emulator.blender_errors import JobError, words

ACES_VIEWS = ("ACES 2.0", "ACES 1.3")
"""View transforms that mean ACES, best first. Blender ships them since 5.0; older ones keep the
scene's own view."""

PLAIN_SETTINGS = {
    "resolutionPercentage": "render.resolution_percentage",
    "denoisingEnabled": "cycles.use_denoising",
    "useTiling": "cycles.use_auto_tile",
    "tileSize": "cycles.tile_size",
}
"""Fields of the render configuration that are one property of the scene."""

OUTPUT_SETTINGS = {
    "colorMode": "color_mode",
    "colorDepth": "color_depth",
    "exrCodec": "exr_codec",
    "tiffCodec": "tiff_codec",
    "compression": "compression",
    "quality": "quality",
}
"""Fields of `outputSettings` and the image settings that they are. The mode goes before the depth
it permits."""


def apply_config(scene: Any, config: dict[str, Any]) -> None:
    """Set what the order asks for; the rest stays as the artist left it.

    Always on the CPU, on all cores.
    """
    render, cycles = scene.render, scene.cycles
    render.threads_mode = "AUTO"
    render.use_overwrite, render.use_placeholder, render.use_file_extension = True, False, True
    render.use_stamp_filename = False  # Else each image shows where this farm keeps its scenes.
    cycles.device = "CPU"
    cycles.denoiser = "OPENIMAGEDENOISE"  # The other one, OPTIX, needs a GPU.
    for name in ("compositor_device", "compositor_denoise_device"):
        if hasattr(render, name):
            setattr(render, name, "CPU")
    if "renderEngine" in config:
        _set("renderEngine", render, "engine", _engine(config["renderEngine"]))
    if "sampleCount" in config:
        target, name = (cycles, "samples") if render.engine == "CYCLES" else (scene.eevee, "taa_render_samples")
        _set("sampleCount", target, name, config["sampleCount"])
    if "resolution" in config:
        _set("resolution", render, "resolution_x", config["resolution"][0])
        _set("resolution", render, "resolution_y", config["resolution"][1])
    if "fps" in config:
        # Blender's rate is a whole number over a base: 23.976 is 24 / 1.001.
        render.fps = max(1, round(config["fps"]))
        render.fps_base = render.fps / config["fps"]
    for field in PLAIN_SETTINGS.keys() & config.keys():
        group, name = PLAIN_SETTINGS[field].split(".")
        _set(field, getattr(scene, group), name, config[field])
    _apply_output(render, config)
    if config.get("colorManagementPreset") == "aces":
        _use_aces(scene.view_settings)


def _apply_output(render: Any, config: dict[str, Any]) -> None:
    image = render.image_settings
    file_format = config.get("outputFormat", image.file_format)
    if render.is_movie_format and "outputFormat" not in config:
        file_format = "PNG"  # A farm renders frames. The movie is made of them afterwards.
    if hasattr(image, "media_type"):  # Blender 5: decides which formats there are.
        image.media_type = "MULTI_LAYER_IMAGE" if file_format == "OPEN_EXR_MULTILAYER" else "IMAGE"
    _set("outputFormat", image, "file_format", file_format)
    output = config.get("outputSettings") or {}
    for field, name in OUTPUT_SETTINGS.items():
        if field in output:
            _set(f"outputSettings.{field}", image, name, output[field])


def _set(field: str, target: Any, name: str, value: Any) -> None:
    """Set one property; an error names the configuration's field."""
    try:
        # JSON does not distinguish 64 from 64.0, Blender does.
        setattr(target, name, int(value) if isinstance(value, float) else value)
    except (TypeError, ValueError) as error:
        raise JobError("INVALID_CONFIG", f"{field}: {words(error)}") from error


def _engine(name: str) -> str:
    """Blender's own name of the engine; for EEVEE either of its names is taken.

    It is `BLENDER_EEVEE_NEXT` in Blender 4.2 to 4.5, and `BLENDER_EEVEE` before and after.
    """
    if name.startswith("BLENDER_EEVEE"):
        return "BLENDER_EEVEE_NEXT" if (4, 2) <= bpy.app.version[:2] < (5, 0) else "BLENDER_EEVEE"
    return name


def _use_aces(view_settings: Any) -> None:
    for name in ACES_VIEWS:
        try:
            view_settings.view_transform = name
        except TypeError:
            continue
        view_settings.look = "None"
        return
