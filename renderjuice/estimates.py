"""What a render would cost, by jobs that are completed. Pure.

Renderjuice publishes no prices and has no call for an estimate. So a render is held against jobs of
which it is known what they cost: normalized seconds for each frame, in proportion to pixels and
samples where both say them. Two scenes are never alike: it is a range, and a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.frames import count_frames


@dataclass(frozen=True)
class Estimate:
    """Normalized seconds.

    Attributes:
        likely: the mean.
        least: by the cheapest job.
        most: by the dearest job.
        frames: how many there are to render.
        by: the jobs that it was made by.
    """

    likely: float
    least: float
    most: float
    frames: int
    by: tuple[str, ...]

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(
            self.likely + other.likely,
            self.least + other.least,
            self.most + other.most,
            self.frames + other.frames,
            tuple(dict.fromkeys([*self.by, *other.by])),
        )


def frames_of(config: Mapping[str, Any], analysis: Any = None) -> int | None:
    """How many frames an order has; None where neither it nor validation says."""
    requested = count_frames([config], [], analysis=analysis).requested
    return None if requested is None else len(requested)


def estimate(config: Mapping[str, Any], frames: int, like: Iterable[Job], analysis: Any = None) -> Estimate | None:
    """What rendering would cost; None where no job can be compared with it.

    Args:
        config: what is to be ordered.
        frames: how many of them.
        like: jobs to go by. Only those that are completed, and whose cost is known, count.
        analysis: of the scene, if it is validated: what the order leaves out is as it says.
    """
    work = _work(config, analysis)
    each: list[tuple[str, float]] = []
    for job in like:
        count = frames_of(_mapping(job.final_config) or _mapping(job.requested_config), job.analysis)
        if job.status != JobStatus.COMPLETED or not job.normalized_seconds or not count:
            continue
        cost = job.normalized_seconds / count
        other = _work({**_mapping(job.requested_config), **_mapping(job.final_config)}, job.analysis)
        each.append((job.id, cost * _ratio(work, other)))
    if not each:
        return None
    costs = [cost for _, cost in each]
    mean = sum(costs) / len(costs)
    return Estimate(mean * frames, min(costs) * frames, max(costs) * frames, frames, tuple(name for name, _ in each))


def _ratio(work: Sequence[float | None], other: Sequence[float | None]) -> float:
    found = 1.0
    for mine, theirs in zip(work, other, strict=True):
        if mine and theirs:
            found *= mine / theirs
    return found


def _work(config: Mapping[str, Any], analysis: Any) -> tuple[float | None, float | None]:
    """Pixels and samples, as far as they are known."""
    found = _mapping(analysis)
    size = config.get("resolution") or found.get("resolution")
    percentage = config.get("resolutionPercentage") or found.get("resolutionPercentage") or 100
    samples = config.get("sampleCount") or found.get("samples")
    pixels = None
    if isinstance(size, (list, tuple)) and len(size) == 2 and all(_is_number(each) for each in (*size, percentage)):
        pixels = size[0] * size[1] * (percentage / 100) ** 2
    return pixels, samples if _is_number(samples) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
