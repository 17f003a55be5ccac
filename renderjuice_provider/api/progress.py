"""How far a render is, read from counters whose names nobody has published.

The documentation says only that progress gives "current counters, or an empty array": field names,
and whether one job's answer is an object or an array, are unknown. So this reads what common names
give, keeps the rest, and is never an error: an empty answer means "no information", and only a
job's status says that it is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from renderjuice_provider.api.redact import storable

__all__ = [
    "Progress",
]

_JOB = ("jobId", "id")
_DONE = ("framesCompleted", "completedFrames", "framesDone", "framesRendered", "renderedFrames", "completed", "done")
_TOTAL = ("framesTotal", "totalFrames", "frameCount", "total")
_FAILED = ("framesFailed", "failedFrames")
_PERCENT = ("percent", "percentage", "progressPercent")
_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class Progress:
    """Counters of one job; None where the answer did not say."""

    job_id: str | None = None
    frames_done: int | None = None
    frames_total: int | None = None
    frames_failed: int | None = None
    percent: float | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def serialize(self) -> dict[str, Any]:
        """As an XCom: Airflow asks for this. Counters that nobody here knows may hold anything."""
        return storable(asdict(replace(self, raw={})) | {"raw": self.raw})  # type: ignore[no-any-return]

    def __str__(self) -> str:
        parts = []
        if self.frames_done is not None:
            parts.append(f"{self.frames_done} of {'?' if self.frames_total is None else self.frames_total} frames")
        if self.percent is not None:
            parts.append(f"{self.percent:.0f} %")
        if self.frames_failed:
            parts.append(f"{self.frames_failed} failed")
        return ", ".join(parts)


def read_progress(answer: Any) -> tuple[Progress, ...]:
    """Every job's counters in `answer`.

    An array, one object, one object by job id, or any of them inside `{"data": ...}`.
    """
    if isinstance(answer, Mapping) and isinstance(answer.get("data"), (Mapping, list)):
        answer = answer["data"]
    if isinstance(answer, Mapping) and all(isinstance(item, Mapping) for item in answer.values()):
        answer = [{"jobId": job_id} | dict(item) for job_id, item in answer.items()]
    items = answer if isinstance(answer, list) else [answer]
    return tuple(_read_one(item) for item in items if isinstance(item, Mapping) and item)


def _read_one(item: Mapping[str, Any]) -> Progress:
    done, total = _number(item, _DONE, int), _number(item, _TOTAL, int)
    percent = _number(item, _PERCENT, float)
    if percent is None and done is not None and total:
        percent = 100.0 * done / total
    job_id = next((item[name] for name in _JOB if isinstance(item.get(name), str)), None)
    return Progress(job_id, done, total, _number(item, _FAILED, int), percent, item)


def _number(item: Mapping[str, Any], names: tuple[str, ...], kind: type[_Number]) -> _Number | None:
    """The first of `names` that is a sensible number in `item`."""
    values = (item.get(name) for name in names)
    return next(
        (kind(v) for v in values if isinstance(v, (int, float)) and not isinstance(v, bool) and 0 <= v < 1e12), None
    )
