"""A ceiling: what a task may spend, held at every poll of its job.

What is spent is never taken for less than it may be. Renderjuice may give a job's normalized
seconds while it renders, or at its end alone: that is not documented. So the time in which the job
renders and its seconds do not grow counts as spent, too, as if one machine of usual speed rendered.
Many machines at once spend faster than that: where Renderjuice gives no seconds before the end, a
ceiling holds as far as its frames come one after the other.

Source: the create-job page, on `normalizedSeconds`.
"""

from __future__ import annotations

from renderjuice_provider.api.errors import RenderjuiceCeilingError, RetryEffect
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.lifecycle.record import Order

ARGUMENT = "max_normalized_seconds"
"""Of the operators."""
SOONEST = 2.0
"""Seconds between two polls, at least, when a job comes close to its ceiling."""
_COSTS = frozenset({JobStatus.RENDERING, JobStatus.FINALIZING})


class Ceiling:
    """What one job may spend.

    Args:
        most: normalized seconds.
        started: when the wait began, in seconds since the epoch: a render that is first seen while
            it renders may have done so since then.
    """

    def __init__(self, most: float, started: float) -> None:
        self.most = most
        self._seconds = 0.0
        self._since = started
        self._rate = 1.0

    def spent(self, job: Job, now: float) -> float:
        """Normalized seconds that the job may have spent by `now`, in seconds since the epoch."""
        seconds, passed = job.normalized_seconds or 0.0, max(0.0, now - self._since)
        if seconds > self._seconds:
            self._rate = max(1.0, (seconds - self._seconds) / max(passed, 1.0))
        if seconds > self._seconds or job.status not in _COSTS:
            self._seconds, self._since, passed = max(seconds, self._seconds), now, 0.0
        return self._seconds + passed

    def pause(self, spent: float, pause: float) -> float:
        """Seconds until the next poll: sooner than `pause` when the ceiling may come before it."""
        return min(pause, max(SOONEST, (self.most - spent) / self._rate))


def cost_of(job: Job) -> float | None:
    """Normalized seconds that a job that is over has cost; None when that is not known."""
    was_ordered = job.requested_config is not None or job.final_config is not None or job.status == JobStatus.COMPLETED
    return 0.0 if job.normalized_seconds is None and not was_ordered else job.normalized_seconds


def at_ceiling(what: str, order: Order, job: Job | None) -> RenderjuiceCeilingError:
    """The error for work that may spend no more.

    Args:
        what: what happened.
        order: of the work, with all that it has spent.
        job: the last one.
    """
    known = sum(seconds or 0.0 for seconds in order.spent)
    more = " and what is not known" if None in order.spent else ""
    return RenderjuiceCeilingError(
        f"{what}: {known:g} normalized seconds{more} were spent, of {order.most:g} ({ARGUMENT})",
        job=job,
        retry=RetryEffect.CANNOT_HELP,
        next_step="clear the task, which allows as much again",
    )
