"""Which frame a file is, read from its name as Blender and artists write them.

`sh010_0001_2k.png` holds three numbers. Which of them counts the frames is seen from all names
together: it is the one that has the values that were ordered, or else the one that changes most
from file to file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_RUN = re.compile(r"-?\d+")
_LONGEST = 11
"""Digits that a frame number can have."""
_LONGEST_NAME = 255
"""Characters of a name that is read: file systems have no longer ones."""
_MOST_RUNS = 8
"""Numbers of one name that are considered, from its end: where names hold more, the frame number is
among the last."""
_PADDED = 4
"""Digits that Blender pads to where the artist does not say."""
_NO_FRAME = re.compile(r"(?<![^\W_])v\d+(?![^\W_])|\d+(?:k|p|px|mm|bit|fps|d)(?![^\W_])", re.IGNORECASE)
"""Versions (`v0003`) and measures (`2160p`)."""
_EYES = {"l": "left", "r": "right", "left": "left", "right": "right"}
_SUFFIX = re.compile(r"[_. -]([^\W_]+)$")


@dataclass(frozen=True, slots=True)
class _Reading:
    """One number in a name taken for the frame's."""

    value: int
    likely: bool
    """Stands alone or is as long as Blender's, and is not a version, measure or view."""
    rank: tuple[bool, int, int]
    """Decides between readings that explain equally much: more is better."""
    template: tuple[str, str]
    """What stands before and after: alike for the files of one sequence."""


class Numbers(dict[str, int]):
    """Frame numbers by name; names without one are absent."""

    def __init__(self, readings: Iterable[tuple[str, _Reading]]) -> None:
        self._readings = dict(readings)
        super().__init__({name: reading.value for name, reading in self._readings.items()})

    def sequence(self, name: str) -> tuple[str, str]:
        """What stands before and after the number: alike for the files of one sequence."""
        return self._readings[name].template


def read_numbers(names: Iterable[str], wanted: Collection[int] = (), *, view: str | None = None) -> Numbers:
    """The frame of each of `names`, which are of one kind: one view's, say, or one node's.

    Args:
        names: file names, or paths whose last part is one.
        wanted: the frames that were ordered, if that is known.
        view: of these files; digits in its name are not a frame number.
    """
    wanted = frozenset(wanted)
    readings = {name: _readings(name, view) for name in names}
    sequences: dict[tuple[str, str], set[int]] = defaultdict(set)
    shapes: dict[str, list[str]] = defaultdict(list)
    for name, found in readings.items():
        for reading in found:
            sequences[reading.template].add(reading.value)
        if found:
            shapes[re.sub(r"\d+", "#", PurePosixPath(name).name)].append(name)

    ordered: dict[tuple[str, str], int] = {}
    if wanted:
        ordered = {template: len(wanted & values) for template, values in sequences.items()}

    def merit(column: Iterable[_Reading]) -> tuple[bool, int, int, int, int, tuple[bool, int, int]]:
        column = list(column)
        values = [reading.value for reading in column]
        return (
            any(reading.likely for reading in column),
            len(wanted.intersection(values)),
            sum(value in wanted for value in values),
            len(set(values)),
            sum(ordered.get(reading.template, 0) for reading in column),
            max(reading.rank for reading in column),
        )

    chosen: list[tuple[str, _Reading]] = []
    for alike in shapes.values():
        columns = list(zip(*(readings[name] for name in alike), strict=True))
        chosen += zip(alike, max(columns, key=merit), strict=True)
    return Numbers((name, reading) for name, reading in chosen if abs(reading.value) < 10**_LONGEST)


def in_sequences(names: Collection[str], wanted: Collection[int], *, view: str | None = None) -> list[dict[int, str]]:
    """The names of each sequence by their frames, ascending; only of frames that were ordered.

    Args:
        names: as of `read_numbers`.
        wanted: the frames that were ordered.
        view: as of `read_numbers`.
    """
    if len(wanted) == len(names) == 1:
        return [dict(zip(wanted, names, strict=True))]  # a still needs no number
    found = read_numbers(names, wanted, view=view)
    sequences: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for name, number in sorted(found.items(), key=lambda item: item[1]):
        if number in wanted:
            sequences[found.sequence(name)][number] = name
    return list(sequences.values())


def padded(number: int) -> str:
    """A frame's number as Blender writes it: at least four digits, after the sign."""
    return f"{'-' if number < 0 else ''}{abs(number):04d}"


def view_of(name: str, view: str | None, views: Sequence[str]) -> str | None:
    """The view of a file: what the API says, or else what its name ends with.

    It is returned as it is called in `views`, where it is one of them.

    Blender's own suffixes are `_L` and `_R`, for views that are called left and right.
    """
    label = (view or "").strip("_. -")
    if not label:
        suffix = _SUFFIX.search(_stem(name))
        label = suffix[1] if suffix and _known(suffix[1], views) else ""
    return _known(label, views) or label or None


def _known(label: str, views: Sequence[str]) -> str | None:
    key = label.casefold()
    for view in views:
        if view.casefold().strip("_. -") in {key, _EYES.get(key)}:
            return view
    return _EYES.get(key)


def _readings(name: str, view: str | None) -> list[_Reading]:
    """The same number of readings, in the same order, for names that differ only in digits."""
    path = PurePosixPath(name)
    if len(path.name) > _LONGEST_NAME:
        return []
    folder, stem = name.removesuffix(path.name), _stem(path.name)
    ending = path.name.removeprefix(stem)
    other = [match.span() for match in _NO_FRAME.finditer(stem)]
    if view:
        other += [match.span() for match in re.finditer(rf"(?<!\d){re.escape(view)}(?!\d)", stem)]
    readings = []
    for run in list(_RUN.finditer(stem))[-_MOST_RUNS:]:
        start, end = run.span()
        first = start + run[0].startswith("-")
        digits = stem[first:end]
        alone = not stem[start - 1 : start].isalnum() and not stem[end : end + 1].isalnum()
        likely = (alone or len(digits) >= _PADDED) and not any(a <= first and end <= b for a, b in other)
        after = stem[end:] + ending
        value = int(digits[: _LONGEST + 1])
        for sign, before in ((1, stem[:first]), (-1, stem[:start])) if first > start else ((1, stem[:first]),):
            # A minus after a letter or a digit is more often a hyphen.
            usual = (sign < 0) == (first > start and not stem[start - 1 : start].isalnum())
            readings.append(_Reading(sign * value, likely, (usual, len(digits), start), (folder + before, after)))
    return readings


def _stem(name: str) -> str:
    """Without its extension, which is not all digits: `shot.0007` has none."""
    stem, _, suffix = name.rpartition(".")
    return name if not stem or suffix.isdigit() else stem
