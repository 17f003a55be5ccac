"""One wait for one job: looks go in, a decision comes out. The worker and the triggerer both ask here.

A failed look is not a failed render: anything that may pass is waited out until the deadline, more and more patiently.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import TERMINAL, Job, JobStatus
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.api.redact import redact
from renderjuice_provider.api.retry import RetryPolicy, is_transient, retry_after_of
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.status import has_reached

NEWS_EVERY = 180.0
"""Seconds after which the log says something even if nothing changed: a silent log reads as a dead task."""
LONGEST_PAUSE = 300.0
"""Seconds between looks that fail, or ten poll intervals if that is less: the end of an outage should not go unnoticed for long."""
_KNOWN = frozenset(JobStatus)


@dataclass(frozen=True)
class PollAgain:
    """Look again after `pause` seconds; `news`, if any, belongs in the task's log.

    Where others are looked at anyway, the look may come sooner by as much as `early` seconds. For `quiet` seconds Renderjuice wants
    to be asked nothing, by nobody.
    """

    pause: float
    news: str = ""
    early: float = 0.0
    quiet: float = 0.0


@dataclass(frozen=True)
class Done:
    """Stop looking."""

    outcome: Outcome
    news: str = ""


class JobPoller:
    """Whether to go on waiting for one job.

    Args:
        job_id: the job.
        target: the status to wait for; one further along the way counts too.
        poll_interval: seconds between two looks; up to a tenth is added at random, so that many waits spread out.
        started: when the wait began, and
        deadline: when it ends at the latest, both in seconds since the epoch (they travel between machines).
        limit: the argument that set the deadline, for messages.
        jitter: a number between 0 and 1.

    Attributes:
        status: of the job when last seen; None as long as it was not.
    """

    def __init__(
        self,
        job_id: str,
        target: str,
        *,
        poll_interval: float,
        started: float,
        deadline: float,
        limit: str = "timeout",
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.job_id = job_id
        self.target = target
        self.poll_interval = poll_interval
        self.started = started
        self.deadline = deadline
        self.limit = limit
        self._jitter = jitter
        longest = max(poll_interval, min(LONGEST_PAUSE, 10 * poll_interval))
        self._backoff = RetryPolicy(first_pause=poll_interval, longest_pause=longest, jitter=jitter)
        self._failures = 0
        self.status: str | None = None
        self._told = ""
        self._told_at = float("-inf")

    def on_job(self, job: Job, progress: Progress | None, now: float) -> PollAgain | Done:
        """The decision on a look that succeeded."""
        self._failures = 0
        self.status = job.status
        state = self._describe(job, progress)
        news = self._news(state, now)
        if has_reached(job.status, self.target):
            return self._over(Ending.REACHED, state, news)
        if job.status in TERMINAL:
            return self._over(Ending.OVER, fate(job), news)
        if now >= self.deadline:
            return self._timed_out(now)
        pause = self._pause(self.poll_interval * (1 + 0.1 * self._jitter()), now)
        return PollAgain(pause, news, early=pause / 2)

    def on_error(self, error: RenderjuiceError, now: float) -> PollAgain | Done:
        """The decision on a look that failed."""
        if not is_transient(error):
            return self._over(Ending.REFUSED, error.what, "")
        if now >= self.deadline:
            return self._timed_out(now)
        self._failures += 1
        quiet = retry_after_of(error) or 0.0
        pause = self._pause(max(quiet, self._backoff.backoff(self._failures)), now)
        news = f"Could not look at job {self.job_id} ({error.what}); the render goes on, looking again in {pause:.0f} s"
        return PollAgain(pause, news, early=max(0.0, min(pause / 2, pause - quiet)), quiet=quiet)

    def _describe(self, job: Job, progress: Progress | None) -> str:
        unknown = "" if job.status in _KNOWN else " (a status that this version does not know; it counts as running)"
        attention = " (it may need attention at Renderjuice)" if job.status == JobStatus.SUSPENDED else ""
        counters = f", {progress}" if progress and str(progress) else ""
        return f"Job {self.job_id} is {redact(job.status)}{unknown}{attention}{counters}"

    def _news(self, state: str, now: float) -> str:
        if state == self._told and now - self._told_at < NEWS_EVERY:
            return ""
        self._told, self._told_at = state, now
        return f"{state}, {_duration(now - self.started)} elapsed"

    def _pause(self, seconds: float, now: float) -> float:
        return max(0.0, min(seconds, self.deadline - now))

    def _timed_out(self, now: float) -> Done:
        seen = f"it is {redact(self.status)}" if self.status else "it could not be seen"
        message = f"timed out ({self.limit}): not {self.target} within {_duration(now - self.started)}, {seen}"
        return self._over(Ending.TIMED_OUT, message, f"Job {self.job_id} {message}")

    def _over(self, ending: Ending, message: str, news: str) -> Done:
        outcome = Outcome(
            ending=ending,
            job_id=self.job_id,
            status=self.status,
            message=message,
            started=self.started,
            deadline=self.deadline,
            limit=self.limit,
        )
        return Done(outcome, news)


def fate(job: Job) -> str:
    """What became of a job, reason first, to follow its name: the web UI cuts long lines."""
    return f"failed: {job.reason}" if job.status == JobStatus.FAILED else f"is {redact(job.status)}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
