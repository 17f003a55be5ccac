"""Polling one job, as flows that either client performs.

Many jobs are polled together, with fewer requests, by `renderjuice_provider.lifecycle.poll_round`.
Source: the job-lifecycle page, on progress.
"""

from __future__ import annotations

from collections.abc import Callable

from renderjuice_provider.api._flow import Flow, Pause
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.lifecycle.job_poller import Done, JobPoller, PollDecision
from renderjuice_provider.lifecycle.outcome import Outcome


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
        progress = yield from read_progress(once, job.id)
    return job_poller.on_job(job, next(iter(progress), None), once.now().timestamp())


def read_progress(once: Operations, job_id: str | None) -> Flow[tuple[Progress, ...]]:
    """The counters of one job, or with None those of all jobs that render.

    They are for people only, so when they cannot be read there are none, and polling goes on.
    """
    try:
        return (yield from once.get_progress(job_id))
    except RenderjuiceError:
        return ()


def watch(operations: Operations, job_poller: JobPoller, log: Callable[[str], None]) -> Flow[Outcome]:
    """Poll a job until its poller is done; `log` gets each line for the task's log."""
    while True:
        decision = yield from poll(operations, job_poller)
        if decision.log_line:
            log(decision.log_line)
        if isinstance(decision, Done):
            return decision.outcome
        yield Pause(decision.pause)
