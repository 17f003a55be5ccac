"""A renderer that invents its images: real files of the right names, sizes and formats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from renderjuice_emulator.clock import Clock
from renderjuice_emulator.images import FORMATS, ImageFormat, Row
from renderjuice_emulator.rendering import RenderedFile, RenderFailedError, RenderOrder, SceneReport, inside
from renderjuice_emulator.scenes import SceneDescription, read_scene

_MAX_PIXELS = 8192 * 8192
_BANDS = 12


class FastRenderer:
    """Draws a gradient with a bright square that moves from frame to frame.

    What a scene contains, how long it takes and where it fails comes from its description
    (`renderjuice_emulator.scenes.write_scene`); a real `.blend` gets the defaults. Time passes on
    the emulator's clock.
    """

    name = "fast"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def analyze(self, scene: Path) -> SceneReport:
        """The report in the scene's description."""
        description = read_scene(scene)
        await self._clock.sleep(description.validation_seconds)
        if description.fail_validation:
            raise RenderFailedError(*description.fail_validation)
        return description.report

    async def render(self, order: RenderOrder) -> AsyncIterator[RenderedFile]:
        """Draw each frame for each view, and the same picture again for each compositor output."""
        description = read_scene(order.scene)
        image_format, mode, depth = _output(order)
        width, height = _size(order)
        for frame in order.frames:
            await self._clock.sleep(description.seconds_per_frame)
            if frame == description.fail_at_frame:
                raise RenderFailedError(f"frame {frame} could not be rendered", "RENDER_ERROR")
            if frame in description.missing_output_frames:
                continue
            for place, file in enumerate(_files(order, description, frame, image_format.extension)):
                rows = _draw(width, height, frame + place, transparent=order.report.film_transparent)
                if frame in description.black_frames:
                    rows = [b"\0\0\0\xff" * width] * height
                await asyncio.to_thread(_write, inside(order.destination, file.path), image_format, rows, mode, depth)
                yield file


def _output(order: RenderOrder) -> tuple[ImageFormat, str, str]:
    name = order.config.get("outputFormat", "PNG")
    settings = order.config.get("outputSettings") or {}
    if name not in FORMATS:
        raise RenderFailedError(f"the fast renderer writes {', '.join(FORMATS)}, not {name}", "UNSUPPORTED_FORMAT")
    image_format = FORMATS[name]
    mode = settings.get("colorMode", image_format.default_color_mode)
    depth = settings.get("colorDepth", image_format.color_depths[0])
    if mode not in image_format.color_modes or depth not in image_format.color_depths:
        raise RenderFailedError(f"{name} cannot hold {mode} with {depth} bits", "UNSUPPORTED_FORMAT")
    return image_format, mode, depth


def _size(order: RenderOrder) -> tuple[int, int]:
    width, height = order.config.get("resolution", order.report.resolution)
    percentage = order.config.get("resolutionPercentage", order.report.resolution_percentage)
    # As Blender rounds.
    width, height = (max(1, int(side * percentage // 100)) for side in (width, height))
    if width * height > _MAX_PIXELS:
        raise RenderFailedError(f"{width} by {height} pixels do not fit into memory", "OUT_OF_MEMORY")
    return width, height


def _files(order: RenderOrder, description: SceneDescription, frame: int, extension: str) -> list[RenderedFile]:
    frame_name = f"{frame:04d}.{extension}"
    files = [
        RenderedFile(order.destination / (f"{frame:04d}_{view}.{extension}" if view else frame_name), frame, view=view)
        for view in description.report.views or (None,)
    ]
    for node in description.report.compositor_outputs:
        relative = f"{node}/{frame_name}"
        files.append(
            RenderedFile(order.destination / "compositor" / node / frame_name, frame, "composite", None, node, relative)
        )
    return files


def _draw(width: int, height: int, frame: int, *, transparent: bool) -> list[Row]:
    side = max(1, min(width, height) // 4)
    left = frame * max(1, side // 3) % max(1, width - side + 1)
    top = (height - side) // 2
    background = bytearray(4 * width)
    ramp = bytes(x * 200 // width for x in range(width))
    rows: list[Row] = []
    for band in range(_BANDS):
        if not transparent:
            background[0::4], background[3::4] = ramp, b"\xff" * width
            background[1::4], background[2::4] = bytes((40 + band * 12,)) * width, bytes((160 - band * 8,)) * width
        with_square = bytearray(background)
        with_square[left * 4 : (left + side) * 4] = bytes((255, 220, 60, 255)) * side
        plain, square = bytes(background), bytes(with_square)
        first, last = height * band // _BANDS, height * (band + 1) // _BANDS
        rows += [square if top <= y < top + side else plain for y in range(first, last)]
    return rows


def _write(path: Path, image_format: ImageFormat, rows: Sequence[Row], mode: str, depth: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(image_format.encode(rows, mode, depth))
