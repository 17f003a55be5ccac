"""One poll round of the wall: what Renderjuice says of the jobs that are shown, in a few requests.

The requests are those of a triggerer's round (`renderjuice_provider.lifecycle.poll_round`): lists
of running jobs, single jobs that no list held, and one request for the progress of all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from renderjuice_provider.api._flow import Flow, RunInThread
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceNotFoundError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.api.retry import is_transient
from renderjuice_provider.lifecycle.job_poller import JobPoller, PollAgain, PollDecision
from renderjuice_provider.lifecycle.poll_round import Report, poll_round
from renderjuice_provider.wall._farm_state import INTERVAL
from renderjuice_provider.wall._seen_jobs import SeenJob, config_of, counted, observe, unknown

_MOST_COUNTED = 8
"""Jobs whose frames are counted in a round, with a request for each; the others come next."""
LONGEST = 20.0
"""Seconds after which a round sends no more requests: the rest is for the next one."""


@dataclass
class Found:
    """What a round has found; it grows while the round goes on.

    Attributes:
        jobs: as they are now.
        configs: of the jobs that have one, by id.
        previews: addresses of previews, which may be signed, by id.
        uncounted: jobs that are over without success, whose frames are to be counted.
        answered: whether Renderjuice has answered at all.
        error: the first that it has answered with, or that there was instead.
        quiet: seconds in which no request may follow.
    """

    jobs: dict[str, SeenJob] = field(default_factory=dict)
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    previews: dict[str, str] = field(default_factory=dict)
    uncounted: dict[str, Job] = field(default_factory=dict)
    answered: bool = False
    error: RenderjuiceError | None = None
    quiet: float = 0.0

    def note(self, before: SeenJob | None, job: Job, progress: Progress | None, now: float) -> SeenJob:
        """Note a job that was read."""
        seen = self.jobs[job.id.lower()] = observe(before, job, progress, now)
        if (config := config_of(job)) is not None:
            self.configs[seen.job_id] = config
        if job.preview_url:
            self.previews[seen.job_id] = job.preview_url
        if seen.must_be_counted:
            self.uncounted[seen.job_id] = job
        self.answered = True
        return seen


def farm_round(
    operations: Operations,
    job_ids: Sequence[str],
    known: Mapping[str, SeenJob],
    over: Collection[str],
    found: Found,
) -> Iterator[Flow[list[Report]]]:
    """The flows of a round, to be performed one after the other; what they find is in `found`.

    Args:
        operations: of the client that performs them.
        job_ids: the jobs to poll.
        known: what is known of jobs.
        over: those whose tasks are over, and so probably the jobs as well.
        found: gets what is found.
    """
    now = operations.now().timestamp()
    pollers = [_Watcher(job_id, known.get(job_id), found, now, is_over=job_id in over) for job_id in job_ids]
    for flow in poll_round(operations, pollers):
        if operations.now().timestamp() > now + LONGEST:
            return
        yield flow
    for job in list(found.uncounted.values())[:_MOST_COUNTED]:
        yield _count(operations.once(), job, found)


def _count(operations: Operations, job: Job, found: Found) -> Flow[list[Report]]:
    """Count the frames that a job has left."""
    seen = found.jobs[job.id.lower()]
    try:
        downloads = yield from operations.get_downloads(job.id)
        found.jobs[seen.job_id] = yield from RunInThread(partial(counted, seen, job, downloads))
    except RenderjuiceError as error:
        if not is_transient(error):
            found.jobs[seen.job_id] = counted(seen, job, None)
    return []


def sign_of_life(operations: Operations, found: Found) -> Flow[None]:
    """Ask Renderjuice whether it answers: there is no call that asks only that."""
    try:
        yield from operations.once().get_progress()
    except RenderjuiceError as error:
        found.error = error
    else:
        found.answered = True


class _Watcher(JobPoller):
    """Notes what a poll finds; whether the job is polled again depends on who watches."""

    def __init__(self, job_id: str, known: SeenJob | None, found: Found, now: float, *, is_over: bool) -> None:
        super().__init__(
            job_id, JobStatus.COMPLETED, poll_interval=INTERVAL, started=now, deadline=now + LONGEST, jitter=lambda: 0.0
        )
        self.status = known.status if known is not None and known.is_known else None
        if is_over and self.status is None:
            self.status = JobStatus.COMPLETED  # in that list it is searched for
        self._known = known
        self._found = found
        self._now = now

    def on_job(self, job: Job, progress: Progress | None, now: float) -> PollDecision:
        self._found.note(self._known, job, progress, self._now)
        return super().on_job(job, progress, now)

    def on_error(self, error: RenderjuiceError, now: float) -> PollDecision:
        found = self._found
        if isinstance(error, RenderjuiceNotFoundError):
            found.answered = True
            found.jobs[self.job_id] = unknown(self.job_id, self._now)
        else:
            found.error = found.error or error
        decision = super().on_error(error, now)
        if isinstance(decision, PollAgain):
            found.quiet = max(found.quiet, decision.retry_after)
        return decision
