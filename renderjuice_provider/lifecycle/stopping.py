"""Stopping jobs and seeing that they stop.

A cancel is accepted some time before a job is over, and may come too late.

Source: the job-lifecycle page. Whether a cancel takes effect at once is not documented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from renderjuice_provider.api._flow import Flow, Pause
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.errors import RenderjuiceAuthenticationError, RenderjuiceError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.redact import redact
from renderjuice_provider.api.retry import RetryPolicy, is_transient, retry_after_of
from renderjuice_provider.lifecycle.outcome import Ending, Outcome

LONGEST_PAUSE = 30.0
"""Seconds between two attempts to cancel, at most: what is to be cancelled costs money."""
HOW_TO_STOP = (
    "stop it at Renderjuice, with RenderjuiceCancelJobOperator, or with RenderjuiceHook().client.cancel_job(...)"
)
"""For messages about a job that nobody here stops."""

Seen = Job | RenderjuiceError
"""A job as it was last seen, or why it could not be stopped or seen."""


def stop_all(
    operations: Operations, job_ids: Iterable[str], *, poll_interval: float, until: float, log: Callable[[str], None]
) -> Flow[dict[str, Seen]]:
    """Cancel each job, and poll it until it is over.

    A job that is over already is left as it is.

    All are cancelled before any is waited for. Trouble that may pass is waited out; a key that is
    refused ends it all.

    Args:
        operations: of the client that performs this.
        job_ids: the jobs.
        poll_interval: seconds between two polls.
        until: when to poll for the last time, in seconds since the epoch. Each job is polled at
            least once.
        log: gets every line that belongs in the task's log.
    """
    stopping = _Stopping(operations.once(), job_ids, poll_interval, log)
    while True:
        pause = yield from stopping.cancel_or_poll_each()
        now = operations.now().timestamp()
        if not stopping.left or now >= until:
            return stopping.found
        yield from Pause(min(pause, until - now))


class _Stopping:
    def __init__(
        self, once: Operations, job_ids: Iterable[str], poll_interval: float, log: Callable[[str], None]
    ) -> None:
        self._once = once
        self._log = log
        self._poll_interval = poll_interval
        self._policy = RetryPolicy(first_pause=poll_interval, longest_pause=LONGEST_PAUSE)
        self._failures = 0
        self._accepted: set[str] = set()
        self.left = list(dict.fromkeys(job_ids))
        self.found: dict[str, Seen] = {}

    def cancel_or_poll_each(self) -> Flow[float]:
        """Cancel or poll all that are left. The pause before the next time."""
        pause = self._poll_interval
        for job_id in list(self.left):
            ask = self._once.get_job if job_id in self._accepted else self._once.cancel_job
            try:
                self._note(job_id, (yield from ask(job_id)))
            except RenderjuiceAuthenticationError as error:
                self.found |= dict.fromkeys(self.left, error)
                self.left.clear()
                break
            except RenderjuiceError as error:
                self.found[job_id] = error
                self.left.remove(job_id)
                if is_transient(error):
                    self._failures += 1
                    pause = max(pause, retry_after_of(error) or 0.0, self._policy.backoff(self._failures))
                    self._log(f"Job {job_id} could not be stopped yet ({error.what}); trying again in {pause:.0f} s")
                    self.left.append(job_id)
        return pause

    def _note(self, job_id: str, job: Job) -> None:
        self._failures = 0
        self.found[job_id] = job
        if job.is_over or job_id not in self._accepted:
            self._log(f"Job {job_id} was to be stopped and is {redact(job.status)}")
        self._accepted.add(job_id)
        if job.is_over:
            self.left.remove(job_id)


def after_stop(outcome: Outcome, seen: Seen) -> Outcome:
    """How a wait whose time was over ended, once its job was to be stopped."""
    if isinstance(seen, RenderjuiceError):
        trouble = redact(seen.what)
        return outcome.model_copy(
            update={"stopped": False, "message": f"{outcome.message}. It could not be cancelled: {trouble}"}
        )
    if seen.status == JobStatus.COMPLETED:
        message = "completed while it was being cancelled"
        return outcome.model_copy(update={"ending": Ending.REACHED, "status": seen.status, "message": message})
    if seen.is_over:
        return outcome.model_copy(update={"stopped": True, "status": seen.status})
    message = f"{outcome.message}. Its cancel was accepted, but it is still {redact(seen.status)}"
    return outcome.model_copy(update={"stopped": False, "status": seen.status, "message": message})
