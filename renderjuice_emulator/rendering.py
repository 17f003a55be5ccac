"""What the emulator asks of a renderer, and the words that both sides use.

Two renderers answer: `renderjuice_emulator.fast` invents small, valid images,
`renderjuice_emulator.blender` runs Blender in a subprocess. The farm (jobs, clock, ledger) knows
only this page.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

_RANGE = re.compile(r"^\s*(-?\d{1,12})(?:\s*-\s*(-?\d{1,12})(?:\s*[:x]\s*(\d{1,12}))?)?\s*$")

_LAST_FRAME = 1_048_574
"""Blender's own limit."""


class RenderFailedError(Exception):
    """The scene fails. `name` and `type` become the job's `failedReason`."""

    def __init__(self, name: str, type_: str) -> None:
        super().__init__(f"{type_}: {name}")
        self.name = name
        self.type = type_


@dataclass(frozen=True)
class SceneReport:
    """What validation found in a scene; the job's `analysis` is this, in camel case."""

    engine: str = "CYCLES"
    cameras: tuple[str, ...] = ("Camera",)
    frame_start: int = 1
    frame_end: int = 10
    frame_step: int = 1
    resolution: tuple[int, int] = (320, 180)
    resolution_percentage: int = 100
    samples: int = 16
    fps: float = 24.0
    film_transparent: bool = False
    view_layers: tuple[str, ...] = ("ViewLayer",)
    views: tuple[str, ...] = ()
    """Names of the stereo or multiview views; empty for a flat scene."""
    missing_files: tuple[str, ...] = ()
    compositor_outputs: tuple[str, ...] = ()
    """Names of the compositor's file-output nodes."""
    blender_version: str = ""
    warnings: tuple[str, ...] = ()
    """Sentences on what may look different, and on what could not be found out."""

    def to_json(self) -> dict[str, Any]:
        """The report with the API's camel-case names, tuples as lists."""
        return {
            "engine": self.engine,
            "cameras": list(self.cameras),
            "frameStart": self.frame_start,
            "frameEnd": self.frame_end,
            "frameStep": self.frame_step,
            "resolution": list(self.resolution),
            "resolutionPercentage": self.resolution_percentage,
            "samples": self.samples,
            "fps": self.fps,
            "filmTransparent": self.film_transparent,
            "viewLayers": list(self.view_layers),
            "views": list(self.views),
            "missingFiles": list(self.missing_files),
            "compositorOutputs": list(self.compositor_outputs),
            "blenderVersion": self.blender_version,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True)
class RenderedFile:
    """One image that a renderer has finished and closed."""

    path: Path
    frame: int
    kind: Literal["frame", "composite"] = "frame"
    view: str | None = None
    node: str | None = None
    """The compositor's file-output node, for `kind="composite"`."""
    relative_path: str | None = None
    """Where it belongs below the outputs, with forward slashes, such as `Depth/0001.exr`;
    composites only."""


@dataclass(frozen=True)
class RenderOrder:
    """One render as the farm orders it.

    The scene, what was found in it, and the final configuration (API names).
    """

    scene: Path
    report: SceneReport
    destination: Path
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def frames(self) -> tuple[int, ...]:
        """The frames to render, ascending: `frameRanges`, or the scene's own range."""
        ranges = self.config.get("frameRanges")
        if ranges:
            return expand_frame_ranges(ranges)
        return tuple(range(self.report.frame_start, self.report.frame_end + 1, self.report.frame_step))


def inside(folder: Path, path: Path) -> Path:
    """`path`, if it lies below `folder` and no link leads out of it.

    Raises:
        RenderFailedError: when it does not: names in a scene are anybody's.
    """
    if path.is_symlink() or not path.resolve().is_relative_to(folder.resolve()):
        raise RenderFailedError(f"the scene wants to write outside its outputs: {path.name}", "UNSAFE_OUTPUT")
    return path


class Renderer(Protocol):
    """Validates and renders scenes. One instance serves all jobs."""

    name: str

    async def analyze(self, scene: Path) -> SceneReport:
        """Open the `.blend` and report; raises `RenderFailedError` when it cannot be opened."""
        ...

    def render(self, order: RenderOrder) -> AsyncIterator[RenderedFile]:
        """Render, yielding each file once it is whole. Closing the iterator stops the work at once.

        Raises:
            RenderFailedError: when the scene cannot be rendered; files yielded before stay.
        """
        ...


def expand_frame_ranges(ranges: Sequence[str]) -> tuple[int, ...]:
    """Frames of `["1-10", "15", "20-30:2"]`, ascending, without repeats.

    The syntax is not in Renderjuice's documentation; this is what render farms commonly take.

    Raises:
        RenderFailedError: a text is not a range, or the range is backwards, has no step or is
            beyond Blender's last frame.
    """
    frames: set[int] = set()
    for text in ranges:
        for part in text.split(","):
            match = _RANGE.match(part)
            if not match:
                raise RenderFailedError(f"cannot read the frame range {part!r}", "INVALID_FRAME_RANGE")
            first = int(match[1])
            last = first if match[2] is None else int(match[2])
            if last < first:
                raise RenderFailedError(f"the frame range {part!r} ends before it begins", "INVALID_FRAME_RANGE")
            step = int(match[3] or 1)
            if not step or max(abs(first), abs(last)) > _LAST_FRAME:
                raise RenderFailedError(
                    f"the frame range {part!r} is beyond what Blender renders", "INVALID_FRAME_RANGE"
                )
            frames.update(range(first, last + 1, step))
    return tuple(sorted(frames))
