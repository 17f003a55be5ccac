"""Frame accounting: requested = delivered + missing, for each view and each compositor output.

Where it is not known what was requested, the answer is "unknown", and never "complete".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Protocol

from renderjuice_provider._frame_names import padded, read_numbers, view_of

__all__ = [
    "MOST_FRAMES",
    "FrameCount",
    "Gap",
    "Output",
    "count_frames",
    "count_outputs",
    "expand",
    "frame_number",
    "numbers",
    "ordered_frames",
    "padded",
    "read_numbers",
]

_RANGE = re.compile(r"(-?\d{1,9})(?:\s*-\s*(-?\d{1,9})(?:\s*[:x]\s*([1-9]\d{0,8}))?)?")
MOST_FRAMES = 100_000
"""Frames in one order that we are willing to count: more than an hour of film, and a fraction of a
second for each view. More is a typing slip: render longer work in several jobs."""
_COPY = re.compile(r"/copy-\d+/(?=[^/]+$)")
"""Where `api._paths` puts the second file of one name: not a part of a sequence's name."""
_MOVIES = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".ogv", ".mpg"})


class Output(Protocol):
    """A file that is there: one that was downloaded, or is listed for download."""

    @property
    def kind(self) -> str:
        """`frame` or `composite`."""

    @property
    def place(self) -> str | PurePosixPath:
        """Its path among the outputs."""

    @property
    def view(self) -> str | None:
        """Of stereo and multiview renders."""

    @property
    def node(self) -> str | None:
        """Of the compositor."""


_Labelled = Mapping[str | None, Sequence[str]]
"""Names of files by what they belong to: a view, or a node; None where that is not known."""


@dataclass(frozen=True)
class Gap:
    """Frames that are not there: of one view, or of one output of the compositor."""

    frames: tuple[int, ...]
    view: str | None = None
    node: str | None = None

    def to_json(self) -> dict[str, Any]:
        """For manifests and XCom: `frames`, and the `view` or `node` that lacks them."""
        fields = {"view": self.view, "node": self.node, "frames": list(self.frames)}
        return {name: value for name, value in fields.items() if value is not None}

    def __str__(self) -> str:
        what = "".join(
            [f" of node {self.node}" if self.node else "", f" of view {self.view}" if self.view is not None else ""]
        )
        return f"frames {numbers(self.frames)}{what}" if self.frames else f"all frames{what}"


@dataclass(frozen=True)
class FrameCount:
    """What became of the frames.

    Attributes:
        requested: numbers that were ordered; None when neither an order nor the scene's analysis
            says.
        delivered: numbers that are there, with all views and outputs that are known to belong to
            them.
        gaps: what is missing. Where it is not known what was ordered, each view or node is compared
            with the others.
    """

    requested: frozenset[int] | None
    delivered: frozenset[int]
    gaps: tuple[Gap, ...] = ()

    @property
    def missing(self) -> tuple[int, ...]:
        """Numbers of frames that lack something, ascending."""
        return tuple(sorted({frame for gap in self.gaps for frame in gap.frames}))

    @property
    def complete(self) -> bool | None:
        """Whether all that was ordered is there; None when it is not known what was ordered."""
        if self.gaps:
            return False
        return None if self.requested is None else True

    def __str__(self) -> str:
        return "; ".join(map(str, self.gaps)) + " are missing" if self.gaps else "nothing is missing"


def count_frames(
    orders: Iterable[Any],
    frames: Iterable[tuple[str, str | None]],
    *,
    analysis: Any = None,
    composites: Iterable[tuple[str, str | None, str | None]] = (),
) -> FrameCount:
    """Compare what was ordered with what is there.

    Args:
        orders: render configurations (API names); the first that names its frames counts, and is
            the measure for every name.
        frames: name and view of each frame that is there.
        analysis: of the job: the scene's own range where no order names frames, its views, and its
            compositor's outputs.
        composites: path, view and node of each of the compositor's outputs that is there.
    """
    analysis = analysis if isinstance(analysis, Mapping) else {}
    frames = list(frames)
    requested = _requested(list(orders), analysis)
    if frames and all(PurePosixPath(name).suffix.lower() in _MOVIES for name, _ in frames):
        requested = None  # how many frames are in a movie is not in its name
    views = _labels(analysis.get("views"))
    by_view = _by_label((view_of(name, view, views), name) for name, view in frames)
    seen = {view: _frames_of(names, requested, view, by_view) for view, names in by_view.items()}
    measure = requested if requested is not None else frozenset().union(*seen.values())
    gaps = [Gap(tuple(sorted(measure)), view=view) for view in _absent(views, seen)]
    gaps += [Gap(lost, view=view) for view, there in seen.items() if (lost := tuple(sorted(measure - there)))]
    if not seen and measure:
        gaps = [Gap(tuple(sorted(measure)))]
    gaps += _composite_gaps(list(composites), measure, _labels(analysis.get("compositorOutputs")), views)
    everywhere = frozenset().union(*seen.values())
    return FrameCount(requested, everywhere - {frame for gap in gaps for frame in gap.frames}, tuple(gaps))


def count_outputs(orders: Iterable[Any], outputs: Iterable[Output], *, analysis: Any = None) -> FrameCount:
    """`count_frames` of a job's outputs, whatever kind they are."""
    outputs = list(outputs)
    return count_frames(
        orders,
        ((PurePosixPath(item.place).name, item.view) for item in outputs if item.kind == "frame"),
        analysis=analysis,
        composites=((str(item.place), item.view, item.node) for item in outputs if item.kind == "composite"),
    )


def _frames_of(
    names: Sequence[str], requested: frozenset[int] | None, view: str | None, by_view: _Labelled
) -> frozenset[int]:
    """The numbers that are there of a view.

    Files without a view are one for each frame, or the same number for each frame.
    """
    found = read_numbers(names, requested or (), view=view)
    if requested is not None and len(requested) == 1 and len(names) == 1 and not found:
        return requested  # a still needs no number
    if view is None and len(by_view) == 1:
        copies: dict[int, int] = defaultdict(int)
        for name in names:
            if name in found:
                copies[found[name]] += 1
        most = max(copies.values(), default=0)
        return frozenset(frame for frame, count in copies.items() if count == most)
    return frozenset(found.values())


def _composite_gaps(
    files: Sequence[tuple[str, str | None, str | None]],
    measure: Collection[int],
    nodes: Sequence[str],
    views: Sequence[str],
) -> list[Gap]:
    """Each node writes each of its files, of each view, for each frame."""
    every = tuple(sorted(measure))
    by_node = _by_label((node, (path, view)) for path, view, node in files)
    gaps = [Gap(every, node=node) for node in _absent(nodes, by_node)]
    if set(by_node) == {None} and len(nodes) > 1:
        # It is not known which nodes these are of, so they are only counted.
        streams = _streams([path for path, _ in by_node[None]], measure)
        if len(streams) < len(nodes):
            gaps.append(Gap(every, node=" or ".join(nodes)))
    for node, outputs in by_node.items():
        by_view = _by_label((view_of(PurePosixPath(path).name, view, views), path) for path, view in outputs)
        if set(by_view) != {None}:
            gaps += [Gap(every, view=view, node=node) for view in _absent(views, by_view)]
        for view, paths in by_view.items():
            named = [_COPY.sub("/", path) for path in paths] if node is not None else paths
            streams = _streams(named, measure)
            everywhere: set[int] = set.intersection(*streams) if streams else set(measure)
            lost = set(measure) - everywhere
            if lost:
                gaps.append(Gap(tuple(sorted(lost)), view=view, node=node or "without a name"))
    return gaps


def _streams(paths: Sequence[str], measure: Collection[int]) -> list[set[int]]:
    """The numbers of each sequence among `paths`: files whose paths differ only in the number."""
    found = read_numbers(paths, measure)
    streams: dict[tuple[str, str], set[int]] = defaultdict(set)
    for path, number in found.items():
        streams[found.sequence(path)].add(number)
    if not streams and paths:
        return [set(measure) if len(paths) >= len(measure) else set()]
    return list(streams.values())


def _by_label(pairs: Iterable[tuple[str | None, Any]]) -> dict[str | None, list[Any]]:
    found: dict[str | None, list[Any]] = defaultdict(list)
    for label, item in pairs:
        found[label].append(item)
    return dict(found)


def _labels(value: Any) -> list[str]:
    """Names of views or nodes in an analysis: texts, or objects with a `name`."""
    items = value if isinstance(value, (list, tuple)) else ()
    names = [item.get("name") if isinstance(item, Mapping) else item for item in items]
    return [name for name in names if isinstance(name, str) and name]


def _absent(expected: Sequence[str], seen: Collection[str | None]) -> list[str]:
    """Those of `expected` that nothing was seen of.

    Where no name matches, other words are used for the same (suffixes instead of names): then it is
    counted. Files that say nothing may be any one's; when all say nothing, they may be everybody's.
    """
    keys = {_key(label) for label in seen if label is not None}
    lost = [name for name in expected if _key(name) not in keys]
    if set(seen) == {None} or (len(lost) == len(expected) and len(keys) >= len(expected)):
        return []
    return lost[1:] if None in seen and lost else lost


def _key(label: str) -> str:
    return re.sub(r"\W+", "_", label).strip("_").casefold()


def _requested(orders: Sequence[Any], analysis: Mapping[str, Any]) -> frozenset[int] | None:
    found = next((frames for frames in map(ordered_frames, orders) if frames is not None), None)
    if found is not None or any(isinstance(order, Mapping) and order.get("frameRanges") for order in orders):
        return found
    first, last, step = (analysis.get(name) for name in ("frameStart", "frameEnd", "frameStep"))
    if not isinstance(first, int) or not isinstance(last, int) or not 0 <= last - first < MOST_FRAMES:
        return None
    return frozenset(range(first, last + 1, step if isinstance(step, int) and step > 0 else 1))


def ordered_frames(config: Any) -> frozenset[int] | None:
    """The frames of `frameRanges`; None when there are none, or when one cannot be read."""
    ranges = config.get("frameRanges") if isinstance(config, Mapping) else None
    if not isinstance(ranges, (list, tuple)) or not ranges:
        return None
    found = [expand(part) for text in ranges for part in str(text).split(",")]
    known = [frames for frames in found if frames is not None]
    if len(known) < len(found) or sum(map(len, known)) > MOST_FRAMES:
        return None
    return frozenset().union(*known)


def expand(text: str) -> range | None:
    """`"7"`, `"1-10"` or `"1-10:2"` as frames; None for anything else.

    The syntax is customary. Renderjuice does not document it.
    """
    match = _RANGE.fullmatch(text.strip())
    if not match:
        return None
    first = int(match[1])
    frames = range(first, (first if match[2] is None else int(match[2])) + 1, int(match[3] or 1))
    return frames if 0 < len(frames) <= MOST_FRAMES else None


def frame_number(file_name: str) -> int | None:
    """The frame of a single file, from its name alone: `shot_v2.0014.exr` is frame 14."""
    return read_numbers([file_name]).get(file_name)


def numbers(frames: Sequence[int], most: int = 20) -> str:
    """Frame numbers for a message."""
    shown = ", ".join(map(str, frames[:most]))
    return shown if len(frames) <= most else f"{shown} and {len(frames) - most} more"
