"""Frames that differ from those around them, in all of the picture or in a part of it.

A frame is compared with its neighbours on both sides, before it and after it, and with those that
are two away: where a shot cuts, one side fits. What the frames around it do among themselves is
allowed to it as well. What is left is held against what is left for the other frames of the shot.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_Array = np.ndarray[Any, np.dtype[Any]]
_WHOLE, _PART = (0.008, 2.5), (0.05, 1.5)
"""How far a frame has to be off, of 0 to 1, on average of its cells or of its worst fiftieth; and
in multiples of how far the frames of this shot are off that are most so."""
_OUT, _OUT_PART = (0.03, 2.5), (0.15, 2.5)
"""The same for how far it is outside of what the frames around it show at each place."""
_AT_AN_END = 4
"""Times as much for a frame at an end of the shot or beside a cut: it has one neighbour only."""
_MOST = 97.0
"""Percentile that stands for those: one spoiled frame of a hundred does not count."""
_WINDOW = 12
"""Frames on each side whose range of values a frame should be in."""
_CUT = 0.05
"""A step between two frames of more than this, and of four usual ones, may be a cut."""


def jumps(cells: _Array) -> dict[int, str]:
    """The places of frames that are unlike those around them, and how.

    Args:
        cells: of all frames of a shot: frame, row, column, value.
    """
    whole, part, beside_cut = left_over(cells)
    out, out_part = out_of_range(cells)
    found = {}
    for place in range(len(cells)):
        if _stands_out(place, whole, beside_cut, _WHOLE) or _stands_out(place, out, beside_cut, _OUT):
            found[place] = "is unlike the frames before and after it"
        elif _stands_out(place, part, beside_cut, _PART) or _stands_out(place, out_part, beside_cut, _OUT_PART):
            found[place] = "is in a part unlike the frames before and after it"
    return found


def _stands_out(place: int, values: _Array, beside_cut: _Array, limit: tuple[float, float]) -> bool:
    least, times = limit
    if beside_cut[place]:
        least, times = least * _AT_AN_END, times * _AT_AN_END
    others = np.delete(values, place)
    return bool(values[place] > max(least, times * float(np.percentile(others, _MOST))))


def left_over(cells: _Array) -> tuple[_Array, _Array, _Array]:
    """How far each frame is off its neighbours, beyond what they differ: of all cells, of some.

    And whether it has a neighbour on one side only.
    """
    count = len(cells)
    one, two = _steps(cells, 1), _steps(cells, 2)
    usual = float(np.median(one.mean(axis=(1, 2))))
    quiet = np.maximum(np.median(one, axis=0), usual)
    cut = max(_CUT, 4 * usual)
    whole, part, beside_cut = np.zeros(count), np.zeros(count), np.zeros(count, bool)
    for place in range(count):
        beside_cut[place] = not 0 < place < count - 1 or float(two[place - 1].mean()) > cut
        rests = [
            np.maximum(off - _spread(allowed), 0) for off, allowed in _comparisons(place, count, one, two, quiet, cut)
        ]
        whole[place] = min(float(rest.mean()) for rest in rests)
        part[place] = min(_worst(rest) for rest in rests)
    return whole, part, beside_cut


def out_of_range(cells: _Array) -> tuple[_Array, _Array]:
    """How far each frame is outside of what the frames around it show: of all cells, of some."""
    whole, part = np.zeros(len(cells)), np.zeros(len(cells))
    for place in range(len(cells)):
        near = [n for n in range(place - _WINDOW, place + _WINDOW + 1) if 0 <= n < len(cells) and n != place]
        around = cells[near]
        low, high = -_spread(-around.min(axis=0)), _spread(around.max(axis=0))
        rest = np.maximum(np.maximum(low - cells[place], cells[place] - high), 0).max(axis=2)
        whole[place], part[place] = float(rest.mean()), _worst(rest)
    return whole, part


def _comparisons(
    place: int, count: int, one: _Array, two: _Array, quiet: _Array, cut: float
) -> list[tuple[_Array, _Array]]:
    """How far a frame is off, and how far it may be, for each pair of frames around it."""
    pairs = []
    before, after = place >= 1, place < count - 1
    if before and after:
        pairs.append((np.minimum(one[place - 1], one[place]), two[place - 1], {"before", "after"}))
    if place >= 2:
        pairs.append((np.minimum(one[place - 1], two[place - 2]), one[place - 2], {"before"}))
    if place < count - 2:
        pairs.append((np.minimum(one[place], two[place]), one[place + 1], {"after"}))
    kept = [pair for pair in pairs if pair[1].mean() <= cut]  # else there is a cut between the two
    sides = set().union(*(pair[2] for pair in kept))
    if before and "before" not in sides:
        kept.append((one[place - 1], quiet, {"before"}))
    if after and "after" not in sides:
        kept.append((one[place], quiet, {"after"}))
    return [(off, allowed) for off, allowed, _ in kept]


def _worst(rest: _Array) -> float:
    """The mean of the worst fiftieth of the cells."""
    most = max(1, rest.size // 50)
    return float(np.partition(rest.ravel(), -most)[-most:].mean())


def _steps(cells: _Array, far: int) -> _Array:
    found: _Array = np.abs(cells[far:] - cells[:-far]).max(axis=3)
    return found


def _spread(values: _Array) -> _Array:
    """With the largest of each cell and those beside it: what moves was there a moment ago."""
    tall = values.copy()
    tall[1:] = np.maximum(tall[1:], values[:-1])
    tall[:-1] = np.maximum(tall[:-1], values[1:])
    wide = tall.copy()
    wide[:, 1:] = np.maximum(wide[:, 1:], tall[:, :-1])
    wide[:, :-1] = np.maximum(wide[:, :-1], tall[:, 1:])
    return wide
