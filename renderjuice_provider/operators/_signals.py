"""What one process of a task contributes to statistics and traces: see docs/metrics.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from renderjuice_provider._metrics import (
    FRAMES_DELIVERED,
    FRAMES_MISSING,
    JOBS_ENDED,
    KILLED,
    NORMALIZED_SECONDS,
    ON_WORKERS,
    POLLS,
    QUEUE_DURATION,
    UNKNOWN_COST,
    annotate,
)
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.lifecycle.job_poller import PollAgain, PollDecision
from renderjuice_provider.lifecycle.outcome import Ending

if TYPE_CHECKING:
    from renderjuice_provider._metrics import Metrics

_STOPPED = frozenset({Ending.TIMED_OUT, Ending.AT_CEILING, Ending.STUCK})


class Signals:
    """Counts the end of each job once, however many tries and processes its task takes.

    An end is counted by the process whose wait it ends. A try that finds its job over already,
    such as a retry or a cleared task, counts nothing: an earlier one has. So a crash between the
    two costs a count, and nothing is counted twice.

    Args:
        conn_id: the connection, for the tags.
        metrics: where to count.
    """

    def __init__(self, conn_id: str, metrics: Metrics = ON_WORKERS) -> None:
        self._tags = {"connection": conn_id}
        self._metrics = metrics
        self._waited: dict[str, Ending] = {}
        self._ended: set[str] = set()

    def seen(self, job: Job) -> None:
        """Note a job that the task renders, as it is now."""
        annotate({"renderjuice.job_id": job.id, "renderjuice.status": job.status})
        annotate({"job_id": job.id, "status": job.status}, "renderjuice.job")
        if job.is_over and job.id in self._waited:
            was_stopped = self._waited[job.id] in _STOPPED and job.status != JobStatus.COMPLETED
            self._end(job, self._waited[job.id] if was_stopped else job.status)

    def waited(self, job_id: str, ending: Ending) -> None:
        """Note that the wait for a job has ended, in this process or in the triggerer."""
        self._waited[job_id] = ending

    def polled(self, decision: PollDecision) -> None:
        """Count a poll on the worker."""
        self._metrics.count(POLLS, self._tags | {"response": decision.response})
        if isinstance(decision, PollAgain) and decision.queued is not None:
            self._metrics.duration(QUEUE_DURATION, decision.queued, self._tags)

    def killed(self, job: Job) -> None:
        """Note that a kill of the task has cancelled its job."""
        self._end(job, KILLED)

    def frames(self, delivered: int, missing: int) -> None:
        """Count the frames of jobs whose end this process has counted."""
        annotate({"renderjuice.frames.delivered": delivered, "renderjuice.frames.missing": missing})
        if self._ended:
            self._metrics.count(FRAMES_DELIVERED, self._tags, delivered)
            self._metrics.count(FRAMES_MISSING, self._tags, missing)

    def _end(self, job: Job, end: str) -> None:
        if job.id in self._ended:
            return
        self._ended.add(job.id)
        self._metrics.count(JOBS_ENDED, self._tags | {"end": end})
        if job.normalized_seconds is None:
            self._metrics.count(UNKNOWN_COST, self._tags)
            return
        annotate({"renderjuice.normalized_seconds": job.normalized_seconds})
        self._metrics.count(NORMALIZED_SECONDS, self._tags, job.normalized_seconds)
