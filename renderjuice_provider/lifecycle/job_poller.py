"""Polling one job: what a poll sends, and what its result means.

The worker and the triggerer both ask a `JobPoller`. A failed poll is not a failed render: transient
errors are waited out until the deadline, with growing pauses. All of it is pure: flows yield what
is to be sent, and the clock is given. Many jobs are polled together, with fewer requests, by
`renderjuice_provider.lifecycle.poll_round`. Source: the job-lifecycle page, on progress.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from renderjuice_provider.api._flow import Flow, Pause
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.errors import (
    RenderjuiceConnectionError,
    RenderjuiceError,
    RenderjuiceHTTPError,
    RenderjuiceResponseError,
)
from renderjuice_provider.api.models import TERMINAL, Job, JobStatus
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.api.retry import RetryPolicy, is_transient, retry_after_of
from renderjuice_provider.lifecycle.ceiling import ARGUMENT, Ceiling
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.status import has_reached
from renderjuice_provider.lifecycle.stuck import FrameWatch, Patience

LOG_EVERY = 180.0
"""Seconds after which the log gets a line even if nothing changed: else the task seems dead."""
LONGEST_PAUSE = 300.0
"""Seconds between polls that fail, or ten poll intervals if that is less: the end of an outage
should be noticed soon."""
_REMARKS: dict[str, str] = {
    **dict.fromkeys(JobStatus, ""),
    JobStatus.SUSPENDED: " (it may need attention at Renderjuice)",
}
OK = "ok"
"""What a poll met that has read its job."""
_QUEUED = frozenset({JobStatus.VALIDATED, JobStatus.BOOTING})
_UNKNOWN = " (a status that this version does not know; it counts as running)"


@dataclass(frozen=True)
class PollAgain:
    """Poll the job again.

    Attributes:
        pause: seconds until then.
        log_line: for the task's log; empty when there is nothing new.
        slack: seconds by which the pause may be cut short, to join a poll that happens anyway.
        retry_after: seconds in which no request at all may be sent, for any job.
        awaits_event: whether all is well, and Renderjuice sends an event when the job reaches what
            is waited for. Where events have proven to arrive, the pause may be longer.
        response: what the poll met: see `response_of`.
        queued: seconds from the first poll that found the job ready to render to this one, if this
            is the first that found it rendering; else None.
    """

    pause: float
    log_line: str = ""
    slack: float = 0.0
    retry_after: float = 0.0
    awaits_event: bool = False
    response: str = OK
    queued: float | None = None


@dataclass(frozen=True)
class Done:
    """Stop polling the job.

    Attributes:
        outcome: how the wait ended.
        log_line: for the task's log; empty when the outcome says it all.
        response: what the poll met: see `response_of`.
    """

    outcome: Outcome
    log_line: str = ""
    response: str = OK


PollDecision = PollAgain | Done


class JobPoller:
    """Decides after each poll of one job whether to poll it again, when, and what to log.

    Args:
        job_id: the job.
        target: the status to wait for. One further along the way counts too: polls may miss one.
        poll_interval: seconds between two polls. Up to a tenth is added at random, so that polls
            of many jobs spread out.
        started: when the wait began, in seconds since the epoch, since it travels between machines.
        deadline: when the wait ends at the latest, in seconds since the epoch.
        limit: the argument that set the deadline, for messages.
        most: normalized seconds that the job may spend; None for any number.
        patience: how long it may go without a new frame; None for as long as it likes.
        jitter: returns a number between 0 and 1.

    Attributes:
        status: the job's status when it was last read; None until then.
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
        most: float | None = None,
        patience: Patience | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.job_id = job_id
        self.target = target
        self.poll_interval = poll_interval
        self.started = started
        self.deadline = deadline
        self.limit = limit
        self._queued_since: float | None = None
        self._ceiling = None if most is None else Ceiling(most, started)
        self._frames = None if patience is None else FrameWatch(patience, poll_interval, started)
        self._stuck = ""
        self._jitter = jitter
        longest = max(poll_interval, min(LONGEST_PAUSE, 10 * poll_interval))
        self._backoff = RetryPolicy(first_pause=poll_interval, longest_pause=longest, jitter=jitter)
        self._failures = 0
        self._success = {target} | {status for status in JobStatus if has_reached(status, target)}
        self.status: str | None = None
        self._logged = ""
        self._logged_at = float("-inf")

    def on_job(self, job: Job, progress: Progress | None, now: float) -> PollDecision:
        """The decision after a poll that read the job; `now` is in seconds since the epoch."""
        self._failures = 0
        queued = None
        if job.status in _QUEUED:
            self._queued_since = now if self._queued_since is None else self._queued_since
        elif self._queued_since is not None and job.status == JobStatus.RENDERING:
            queued, self._queued_since = now - self._queued_since, None
        self.status = job.status
        state = f"Job {self.job_id} is {job.status}{_REMARKS.get(job.status, _UNKNOWN)}"
        if progress and (counters := str(progress)):
            state = f"{state}, {counters}"
        log_line = ""
        if state != self._logged or now - self._logged_at >= LOG_EVERY:
            self._logged, self._logged_at = state, now
            log_line = f"{state}, {_duration(now - self.started)} elapsed"
        if job.status in self._success:
            return self._done(Ending.REACHED, state, log_line)
        if job.status in TERMINAL:
            return self._done(Ending.OVER, fate(job), log_line)
        if now >= self.deadline:
            return self._timed_out(now)
        pause = min(self.poll_interval * (1 + 0.1 * self._jitter()), self.deadline - now)
        if self._ceiling or self._frames:
            return self._watched(job, progress, now, PollAgain(pause, log_line, slack=pause / 2, queued=queued))
        awaits_event = self.target == JobStatus.COMPLETED
        return PollAgain(pause, log_line, slack=pause / 2, awaits_event=awaits_event, queued=queued)

    def _watched(self, job: Job, progress: Progress | None, now: float, again: PollAgain) -> PollDecision:
        """Of a job that is polled also where events arrive: none says a cost, or counts frames."""
        decision = self._within(self._ceiling, job, now, again) if self._ceiling else again
        silence = self._frames.look(job, progress, now) if self._frames and not self._stuck else None
        if silence is None or self._frames is None or isinstance(decision, Done):
            return decision
        self._stuck = (
            f"has been stuck: no new frame for {_duration(silence.seconds)}, where one usually takes "
            f"{_duration(silence.usual)} (stuck_after={self._frames.patience.times:g}; {progress})"
        )
        # A wait that ends leaves a job alone until a worker comes. What may not be, is only logged.
        if self._frames.patience.cancels or not self._ceiling:
            return self._done(Ending.STUCK, self._stuck, "")  # who takes the job up logs it
        return replace(decision, log_line=f"Job {self.job_id} {self._stuck}")

    def _within(self, ceiling: Ceiling, job: Job, now: float, again: PollAgain) -> PollDecision:
        spent = ceiling.spent(job, now)
        if spent >= ceiling.most:
            message = f"has spent {spent:.0f} of {ceiling.most:g} normalized seconds ({ARGUMENT})"
            return self._done(Ending.AT_CEILING, message, f"Job {self.job_id} {message}")
        pause = ceiling.pause(spent, again.pause)
        return replace(again, pause=pause, slack=pause / 2)

    def on_error(self, error: RenderjuiceError, now: float) -> PollDecision:
        """The decision after a poll that failed; `now` is in seconds since the epoch."""
        response = response_of(error)
        if not is_transient(error):
            return replace(self._done(Ending.REFUSED, error.what, ""), response=response)
        if now >= self.deadline:
            return replace(self._timed_out(now), response=response)
        self._failures += 1
        retry_after = retry_after_of(error) or 0.0
        pause = min(max(retry_after, self._backoff.backoff(self._failures)), self.deadline - now)
        log_line = f"Could not poll job {self.job_id} ({error.what}); the render goes on, next poll in {pause:.0f} s"
        slack = max(0.0, min(pause / 2, pause - retry_after))
        return PollAgain(pause, log_line, slack, retry_after, response=response)

    def _timed_out(self, now: float) -> Done:
        status = f"it is {self.status}" if self.status else "it could not be seen"
        message = f"timed out ({self.limit}): not {self.target} within {_duration(now - self.started)}, {status}"
        return self._done(Ending.TIMED_OUT, message, f"Job {self.job_id} {message}")

    def _done(self, ending: Ending, message: str, log_line: str) -> Done:
        outcome = Outcome(
            ending=ending,
            job_id=self.job_id,
            status=self.status,
            message=message,
            started=self.started,
            deadline=self.deadline,
            limit=self.limit,
            stuck=self._stuck,
        )
        return Done(outcome, log_line)


def poll(operations: Operations, job_poller: JobPoller) -> Flow[PollDecision]:
    """Poll a job once, and decide.

    Each request is sent once: the job poller says when to try again, and it knows the deadline.
    """
    once = operations.once(lambda: job_poller.deadline)
    try:
        job = yield from once.get_job(job_poller.job_id)
    except RenderjuiceError as error:
        return job_poller.on_error(error, once.now().timestamp())
    progress: tuple[Progress, ...] = ()
    if job.status == JobStatus.RENDERING:
        with suppress(RenderjuiceError):  # progress is for people: without it, polling goes on
            progress = yield from once.get_progress(job.id)
    return job_poller.on_job(job, next(iter(progress), None), once.now().timestamp())


def watch(
    operations: Operations,
    job_poller: JobPoller,
    log: Callable[[str], None],
    polled: Callable[[PollDecision], None] = lambda _: None,
) -> Flow[Outcome]:
    """Poll a job until its poller is done.

    Args:
        operations: those of the client that performs the flow.
        job_poller: with its job.
        log: gets each line for the task's log.
        polled: gets each decision.
    """
    while True:
        decision = yield from poll(operations, job_poller)
        polled(decision)
        if decision.log_line:
            log(decision.log_line)
        if isinstance(decision, Done):
            return decision.outcome
        yield from Pause(decision.pause)


def response_of(error: RenderjuiceError) -> str:
    """What a poll met instead of a job, in one word, for statistics.

    The HTTP status as text; `no_response`; `nonsense` for one that cannot be read;
    `other` for what was never sent.
    """
    if isinstance(error, RenderjuiceHTTPError):
        return str(error.status_code)
    names = {RenderjuiceConnectionError: "no_response", RenderjuiceResponseError: "nonsense"}
    return next((name for kind, name in names.items() if isinstance(error, kind)), "other")


def earlier_deadline(deadline: float, limit: str, try_ends: float | None) -> tuple[float, str]:
    """The earlier of a deadline and the end of this try, and the argument that sets it.

    Args:
        deadline: in seconds since the epoch.
        limit: the argument that set `deadline`.
        try_ends: when Airflow's `execution_timeout` ends this try, likewise; None without one.
    """
    if try_ends is not None and try_ends < deadline:
        return try_ends, "execution_timeout"
    return deadline, limit


def fate(job: Job) -> str:
    """How a job ended, to follow its name, reason first: Airflow's web UI cuts long lines."""
    return f"failed: {job.reason}" if job.status == JobStatus.FAILED else f"is {job.status}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
