"""What was seen of a job over time: Renderjuice says how it is now, the wall also since when.

Pure. Times are seconds since the epoch, by this side's clock: that of Renderjuice may differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from renderjuice_provider.api._paths import output_name
from renderjuice_provider.api.models import RENDER_STARTED, TERMINAL, Downloads, Job, JobStatus
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.api.redact import storable
from renderjuice_provider.frames import count_frames, ordered_frames
from renderjuice_provider.lifecycle.ceiling import cost_of
from renderjuice_provider.wall.facts import JobFacts

MOST_FRAME_TIMES = 12
_HAS_PICTURES = frozenset({JobStatus.FINALIZING, JobStatus.COMPLETED})
_WITHOUT_SUCCESS = frozenset({JobStatus.FAILED, JobStatus.CANCELED})
_LONGEST_CONFIG = 20_000
"""Characters: a configuration has some hundred."""


class SeenJob(BaseModel):
    """A job, as it was last read, with what was noticed since it was seen for the first time.

    It is shared by API servers, so it holds no URL.

    Attributes:
        job_id: of it, in lower case.
        status: Renderjuice's word; empty where Renderjuice does not know the job.
        read: when it was asked for.
        since: when its status was first seen.
        booting: when it was first seen to wait for a machine.
        rendering: when it was first seen to render.
        moved: when a counter or its status last moved.
        ended: when it was over.
        total: of its frames.
        done: of its frames.
        failed: of its frames.
        frame_times: seconds for each frame, the newest last.
        normalized_seconds: what it is billed until now.
        reason: why it failed.
        has_preview: whether Renderjuice has a picture of it.
        is_counted: of a job that is over without success: whether its frames were counted by what
            can be downloaded. Its counters are gone.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    job_id: str = Field(min_length=1, max_length=100)
    status: str
    read: float
    since: float
    booting: float | None = None
    rendering: float | None = None
    moved: float
    ended: float | None = None
    total: int | None = None
    done: int | None = None
    failed: int = 0
    frame_times: tuple[float, ...] = ()
    normalized_seconds: float | None = None
    reason: str = ""
    has_preview: bool = False
    is_counted: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing about it will change."""
        return self.status in TERMINAL

    @property
    def must_be_counted(self) -> bool:
        """Whether it is over without success, and nobody has counted what it has rendered."""
        return self.status in _WITHOUT_SUCCESS and not self.is_counted

    @property
    def is_known(self) -> bool:
        """Whether Renderjuice knows it."""
        return bool(self.status)

    @property
    def picture(self) -> str | None:
        """The name of its newest picture (see `renderjuice_provider.wall._picture_keys`)."""
        if self.is_over:
            return "last" if self.has_preview or self.done or self.status in _HAS_PICTURES else None
        if not self.has_preview:
            return None
        return f"a{self.done}" if self.done is not None else f"t{int(self.moved)}"

    def facts(self, now: float, config: Mapping[str, Any] | None) -> JobFacts:
        """As rows take it."""
        picture = self.picture
        return JobFacts(
            job_id=self.job_id,
            status=self.status,
            frames_total=self.total,
            frames_done=self.done,
            frames_failed=self.failed,
            frame_times=self.frame_times,
            normalized_seconds=self.normalized_seconds,
            queue_seconds=self._queue_seconds(now),
            rendering_since=_moment(self.rendering),
            last_sign=_moment(self.moved),
            ended=_moment(self.ended),
            reason=self.reason,
            picture=f"{self.job_id}.{picture}" if picture else None,
            config=config,
        )

    def _queue_seconds(self, now: float) -> float | None:
        if self.booting is None:
            return None
        until = self.rendering or self.ended or now
        return round(max(0.0, until - self.booting), 1)


def observe(before: SeenJob | None, job: Job, progress: Progress | None, now: float) -> SeenJob:
    """What is known of a job after it was read.

    Args:
        before: what was known until then.
        job: as it was read.
        progress: its counters, where there are some.
        now: when it was asked for.
    """
    known = before if before is not None and before.is_known else None
    total, done, failed = _counters(known, job, progress)
    is_new_status = known is not None and known.status != job.status
    # Of a job that was not seen before, Renderjuice's own date says more than this moment.
    changed = now if known else (_past(job.updated_at, now) or now)
    moved, since, booting, rendering = changed, changed, None, None
    if known is not None:
        booting, rendering = known.booting, known.rendering
        if not is_new_status:
            since = known.since
            moved = changed if (known.done, known.failed) != (done, failed) else known.moved
    if job.status == JobStatus.BOOTING:
        booting = booting or changed
    if job.status == JobStatus.RENDERING and is_new_status:
        rendering = rendering or now
    # Of one that was never ordered, such as one that failed in validation, the cost is known.
    was_ordered = bool(booting or rendering or done)
    return SeenJob(
        job_id=job.id.lower(),
        status=job.status,
        read=now,
        since=since,
        booting=booting,
        rendering=rendering,
        moved=moved,
        ended=since if job.status in TERMINAL else None,
        total=total,
        done=done,
        failed=failed,
        frame_times=_frame_times(known, done, now),
        normalized_seconds=cost_of(job) if job.is_over and not was_ordered else job.normalized_seconds,
        reason=job.reason if job.status == JobStatus.FAILED else "",
        has_preview=bool(job.preview_url),
        is_counted=known is not None and known.is_counted and not is_new_status,
    )


def counted(seen: SeenJob, job: Job, downloads: Downloads | None) -> SeenJob:
    """A job that is over without success, with the frames that it has left.

    Args:
        seen: what is known of it.
        job: as it was read.
        downloads: its outputs; None where Renderjuice does not give them.
    """
    if downloads is None:
        return seen.model_copy(update={"is_counted": True})
    names = [(output_name(file), file.view) for file in downloads.frame_files]
    count = count_frames((job.final_config, job.requested_config), names, analysis=job.analysis)
    total = seen.total if count.requested is None else len(count.requested)
    return seen.model_copy(update={"is_counted": True, "done": len(count.delivered), "total": total})


def unknown(job_id: str, now: float) -> SeenJob:
    """A job that Renderjuice does not know: of another account, or no job at all."""
    return SeenJob(job_id=job_id.lower(), status="", read=now, since=now, moved=now)


def config_of(job: Job) -> dict[str, Any] | None:
    """The configuration that it renders with, fit to be shown; None where it does not say."""
    config = job.final_config or job.requested_config
    if not isinstance(config, Mapping):
        return None
    shown: dict[str, Any] = storable(config, most=_LONGEST_CONFIG)
    return shown


def _counters(known: SeenJob | None, job: Job, progress: Progress | None) -> tuple[int | None, int | None, int]:
    """Frames in all, done and failed: by its counters, or else by what was ordered."""
    ordered = ordered_frames(job.final_config) or ordered_frames(job.requested_config)
    total = len(ordered) if ordered is not None else known.total if known else None
    done, failed = (known.done, known.failed) if known else (None, 0)
    if progress is not None:
        total = progress.frames_total if progress.frames_total is not None else total
        failed = progress.frames_failed or 0
        if progress.frames_done is not None:
            done = progress.frames_done
        elif progress.percent is not None and total:
            done = int(total * min(progress.percent, 100.0) / 100)
    if done is None and job.status in RENDER_STARTED and job.status not in TERMINAL and total is not None:
        done = 0
    if job.status == JobStatus.COMPLETED and total is not None:
        done = total - failed
    return total, done, failed


def _frame_times(known: SeenJob | None, done: int | None, now: float) -> tuple[float, ...]:
    """Seconds for each frame since the last time that the counter moved."""
    if known is None:
        return ()
    if done is None or known.done is None or done <= known.done:
        return known.frame_times
    began = known.moved if known.done else known.rendering
    if began is None or now <= began:
        return known.frame_times
    each = round((now - began) / (done - known.done), 3)
    return (*known.frame_times, each)[-MOST_FRAME_TIMES:]


def _past(moment: datetime | None, now: float) -> float | None:
    """A date of Renderjuice's, unless it is not over yet by the clock of this side."""
    if moment is None:
        return None
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return seconds if 0 < seconds <= now else None


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
