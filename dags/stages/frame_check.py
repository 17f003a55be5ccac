"""Which rendered frames are suspicious: damaged, empty, or not like the frames around them.

Nothing here knows what an artist wants. So a frame is measured against its neighbours, and how much
it may differ from them against how much frames of this shot do: what cuts, flickers or moves fast
all the time is no reason for a remark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from stages.frame_jumps import jumps
from stages.frame_looks import Look, look_at

Test = Callable[[Sequence[Look]], dict[int, str]]
_OUTPUTS = "composites"
"""The folder of what compositor nodes write."""
_WORKERS = 4
_FEW = 0.1
"""Share of a shot's frames. What more of them have in common is how this shot is made."""
_ABRUPT = 0.03
"""How far a frame beside an empty one has to be from it, on average of its cells. In a fade, the
last frame before black is nearer."""
_HOLE = 0.01
"""Share of cells that are empty in one frame, and not in those near it."""
_NEAR = 12
"""Frames on each side that are near."""
_MOVES = 3
"""Frames on each side of a repeated one that have to move."""


def check_frames(paths: Sequence[Path]) -> dict[Path, str]:
    """The suspicious ones among the frames of one output, each with the reason.

    Args:
        paths: local files of one view or one output, in order of their frame numbers.

    Returns:
        Only the suspicious ones; of what compositor nodes write, which may be depth, a mask or a
        glow that nobody sees, only what is damaged. Of pictures: cannot be read to the last byte,
        another size or other channels, values that are no numbers, empty where neighbours are not,
        the very same as the one before where the shot moves, or unlike the frames before and after.
        Of a shot that is empty throughout, the first frame stands for all.
    """
    with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        looks = list(pool.map(look_at, paths))
    tests = _TESTS_OF_DATA if _OUTPUTS in PurePath(paths[0] if paths else "").parts else _TESTS
    return {paths[place]: reason for place, reason in sorted(judge(looks, tests).items())}


def judge(looks: Sequence[Look], tests: Sequence[Test] | None = None) -> dict[int, str]:
    """The places of suspicious frames, and the reasons, by what frames look like."""
    found = {place: look.error for place, look in enumerate(looks) if look.error}
    for test in tests or _TESTS:
        good = [place for place in range(len(looks)) if place not in found]
        found |= {good[place]: reason for place, reason in test([looks[place] for place in good]).items()}
    return found


def _other_shape(looks: Sequence[Look]) -> dict[int, str]:
    shapes = Counter(look.shape for look in looks)
    if len(shapes) < 2:
        return {}
    usual, count = shapes.most_common(1)[0]
    if count * 2 <= len(looks):
        usual = looks[0].shape  # none is usual: the first stays, so that the rest can be compared
    return {
        place: f"has {_of(look.shape)}, and other frames have {_of(usual)}"
        for place, look in enumerate(looks)
        if look.shape != usual
    }


def _of(shape: tuple[Any, ...]) -> str:
    return "; ".join(f"{width}x{height} pixels in {', '.join(names)}" for width, height, names in shape)


def _odd_values(looks: Sequence[Look]) -> dict[int, str]:
    odd = [place for place, look in enumerate(looks) if look.odd_values]
    if len(odd) * 2 > len(looks) and len(odd) > 1:
        # Such as a pass whose background is infinitely far away.
        return {odd[0]: f"has values that are no numbers or infinite, as {len(odd)} of {len(looks)} frames have"}
    return {place: f"{looks[place].odd_values} pixels have a value that is no number, or infinite" for place in odd}


def _blank(looks: Sequence[Look]) -> dict[int, str]:
    blank = [place for place, look in enumerate(looks) if look.blank]
    if blank and len(blank) == len(looks):
        all_of_it = f", and so are all {len(looks)} frames" if len(looks) > 1 else ""
        return {0: f"is {looks[0].blank}{all_of_it}"}
    found = [place for run in _runs(blank) if _is_abrupt(looks, run) for place in run]
    if len(found) > max(1, _FEW * len(looks)):
        return {}  # it blinks
    return {place: f"is {looks[place].blank}, and its neighbours are not" for place in found}


def _runs(places: Sequence[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def _is_abrupt(looks: Sequence[Look], run: Sequence[int]) -> bool:
    """Whether the picture is cut off and comes back; at an end of the shot, for one frame only."""
    before, after = run[0] - 1, run[-1] + 1
    sides = [(edge, run[0] if edge == before else run[-1]) for edge in (before, after) if 0 <= edge < len(looks)]
    if len(sides) < 2 and len(run) > 1:
        return False
    return all(_distance(looks[edge], looks[inner]) > _ABRUPT for edge, inner in sides)


def _distance(one: Look, other: Look) -> float:
    assert one.cells is not None and other.cells is not None  # noqa: S101, PT018 (those that can be read)
    return float(np.abs(one.cells.astype(np.float32) - other.cells).max(axis=2).mean())


def _repeated(looks: Sequence[Look]) -> dict[int, str]:
    same = [place for place in range(1, len(looks)) if looks[place].digest == looks[place - 1].digest]
    found = [
        place
        for place in same
        if not looks[place].blank
        and 1 < place < len(looks) - 1
        and not any(near in same for near in range(place - _MOVES, place + _MOVES + 1) if near != place)
    ]
    if len(found) > max(1, _FEW * len(looks)):
        return {}  # animated on twos, say
    return dict.fromkeys(found, "is the very same as the frame before, and the shot moves")


def _hole(looks: Sequence[Look]) -> dict[int, str]:
    """A part that was never rendered is black to the last pixel, which no light is."""
    empty = np.stack([look.empty for look in looks if look.empty is not None]) if looks else np.zeros((0, 1, 1))
    found = []
    for place in range(len(empty)):
        near = [n for n in range(place - _NEAR, place + _NEAR + 1) if 0 <= n < len(empty) and n != place]
        if near and (empty[place] & ~empty[near].any(axis=0)).mean() > _HOLE:
            found.append(place)
    if len(found) > max(1, _FEW * len(looks)):
        return {}  # black things move
    return dict.fromkeys(found, "is black in a part, where the frames near it are not")


def _jump(looks: Sequence[Look]) -> dict[int, str]:
    if len(looks) < 3:
        return {}
    return jumps(np.stack([look.cells for look in looks if look.cells is not None]).astype(np.float32))


_TESTS: tuple[Test, ...] = (_other_shape, _odd_values, _blank, _repeated, _hole, _jump)
_TESTS_OF_DATA: tuple[Test, ...] = (_other_shape,)
