"""The wait as a flow: look, ask for a verdict, pause, look again. Either client performs it."""

from __future__ import annotations

from collections.abc import Callable

from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.flow import Flow, Pause
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.api.protocol import Protocol
from renderjuice_provider.waiting.job_wait import JobWait, Over, Waiting
from renderjuice_provider.waiting.outcome import Outcome


def watch(protocol: Protocol, wait: JobWait, say: Callable[[str], None]) -> Flow[Outcome]:
    """Watch the job until `wait` is over; `say` gets every line that belongs in the task's log."""
    while True:
        verdict = yield from look(protocol, wait)
        if verdict.news:
            say(verdict.news)
        if isinstance(verdict, Over):
            return verdict.outcome
        yield Pause(verdict.pause)


def look(protocol: Protocol, wait: JobWait) -> Flow[Waiting | Over]:
    """One look at the job, and the verdict on it. It is one attempt: the wait says when to try again, and knows the deadline."""
    once = protocol.once()
    try:
        job = yield from once.get_job(wait.job_id)
    except RenderjuiceError as error:
        return wait.on_error(error, once.now().timestamp())
    progress = yield from _progress(once, job)
    return wait.on_job(job, progress, once.now().timestamp())


def _progress(protocol: Protocol, job: Job) -> Flow[Progress | None]:
    """Counters while frames are in work. Progress is for people: when it cannot be read, the wait goes on without."""
    if job.status != JobStatus.RENDERING:
        return None
    try:
        found = yield from protocol.get_progress(job.id)
    except RenderjuiceError:
        return None
    return next((item for item in found if item.job_id in {None, job.id}), None)
