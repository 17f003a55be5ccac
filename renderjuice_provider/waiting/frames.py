"""Frame accounting: requested = delivered + missing, or an honest "nobody knows"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_RANGE = re.compile(r"(-?\d+)(?:\s*-\s*(-?\d+)(?:\s*[:x]\s*([1-9]\d*))?)?")
_MOST = 1_000_000
"""Frames in one range that we are willing to count: half a day of film. More is a typing slip."""


@dataclass(frozen=True)
class FrameCount:
    """What became of the frames.

    Attributes:
        requested: numbers that were ordered; None when the order does not say (the scene's own range was used).
        delivered: numbers that are there.
    """

    requested: frozenset[int] | None
    delivered: frozenset[int]

    @property
    def missing(self) -> tuple[int, ...]:
        """Ordered but not there, ascending; empty when nobody knows what was ordered."""
        return tuple(sorted((self.requested or frozenset()) - self.delivered))


def count_frames(orders: Iterable[Any], files: Iterable[tuple[str, str | None]]) -> FrameCount:
    """Compare what was ordered with the frames that are there.

    Args:
        orders: render configurations (API names); the first that names its frames counts.
        files: name and view of each frame; a view's own digits are no frame number.
    """
    requested = next((frames for frames in map(ordered_frames, orders) if frames is not None), None)
    numbers = (frame_number(_without_view(name, view)) for name, view in files)
    return FrameCount(requested, frozenset(number for number in numbers if number is not None))


def _without_view(name: str, view: str | None) -> str:
    if view and view.isdigit():
        return re.sub(rf"(?<!\d){view}(?!\d)", "", name)  # not a piece of the frame's own number
    return name.replace(view, "") if view else name


def ordered_frames(config: Any) -> frozenset[int] | None:
    """The frames of `frameRanges`; None when there are none, or when one is written in a way that we cannot read."""
    ranges = config.get("frameRanges") if isinstance(config, Mapping) else None
    if not isinstance(ranges, (list, tuple)) or not ranges:
        return None
    frames: set[int] = set()
    for part in (part for text in ranges for part in str(text).split(",")):
        found = expand(part)
        if found is None:
            return None
        frames.update(found)
    return frozenset(frames)


def expand(text: str) -> range | None:
    """`"7"`, `"1-10"` or `"1-10:2"` as frames; None for anything else. The syntax is customary, not documented."""
    match = _RANGE.fullmatch(text.strip())
    if not match:
        return None
    first = int(match[1])
    frames = range(first, (first if match[2] is None else int(match[2])) + 1, int(match[3] or 1))
    return frames if 0 < len(frames) <= _MOST else None


def frame_number(file_name: str) -> int | None:
    """The last number in a file's name: `shot_v2.0014.exr` is frame 14."""
    digits = re.findall(r"\d+", file_name.rpartition(".")[0] or file_name)
    return int(digits[-1]) if digits and len(digits[-1]) < 12 else None
