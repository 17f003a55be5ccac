"""Looking at jobs: at one, or at hundreds with a few requests. Either client performs it.

Sources: the API reference's pages on listing jobs and on reading one, and the job-lifecycle page on progress.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceHTTPError, RenderjuiceRateLimitError
from renderjuice_provider.api.flow import Flow, Together
from renderjuice_provider.api.listing import JobListing
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.api.protocol import Protocol
from renderjuice_provider.api.retry import is_passing
from renderjuice_provider.waiting.job_wait import JobWait, Over, Waiting

FEW = 8
"""Jobs up to which each is asked for by itself: lists cost some requests, too."""
_AT_WORK = (JobStatus.VALIDATING, JobStatus.BOOTING, JobStatus.RENDERING, JobStatus.FINALIZING)
_JOBS_PER_PAGE = 4
"""A page of a list has to save at least so many requests: an account may hold thousands of jobs that nobody here waits for."""
_AT_ONCE = 4
"""Jobs that are asked for side by side. If all of these fail, nobody else is asked for."""


def look(protocol: Protocol, wait: JobWait) -> Flow[Waiting | Over]:
    """One look at one job, and the verdict on it."""
    [verdict] = yield from look_at_all(protocol, [wait])
    return verdict


def look_at_all(protocol: Protocol, waits: Sequence[JobWait]) -> Flow[list[Waiting | Over]]:
    """One look at the job of each wait, and the verdicts on them, in order.

    Each request is one attempt: the waits say when to try again, and know their deadlines. Many jobs are looked for in the lists of
    those at work; whoever is not there has moved on, and is asked for by itself.
    """
    once = protocol.once()
    looks = yield from _find(once, waits)
    progress = yield from _progress(once, looks.values())
    now = once.now().timestamp()
    return [_judge(wait, looks[wait.job_id], progress, now) for wait in waits]


def _judge(wait: JobWait, seen: Job | RenderjuiceError, progress: dict[str, Progress], now: float) -> Waiting | Over:
    if isinstance(seen, RenderjuiceError):
        return wait.on_error(seen, now)
    return wait.on_job(seen, progress.get(seen.id), now)


def _find(once: Protocol, waits: Sequence[JobWait]) -> Flow[dict[str, Job | RenderjuiceError]]:
    """What each job is like, or why it could not be seen."""
    wanted = {wait.job_id for wait in waits}
    looks: dict[str, Job | RenderjuiceError] = {}
    trouble: RenderjuiceError | None = None
    if len(wanted) > FEW:
        try:
            yield from _list_those_at_work(once, waits, looks)
        except RenderjuiceError as error:  # a list that is refused, or fails alone, is no loss
            trouble = error if _asks_for_quiet(error) else None
    rest = list(wanted - looks.keys())
    random.shuffle(rest)  # or some jobs that cannot be read would always hide the same others
    while rest and not trouble:
        some, rest = rest[:_AT_ONCE], rest[_AT_ONCE:]
        seen = yield from _see(once, some)
        looks |= zip(some, seen, strict=True)
        trouble = _trouble_of_all(seen)
    return looks | {job_id: trouble for job_id in rest if trouble}


def _see(once: Protocol, job_ids: Sequence[str]) -> Flow[list[Job | RenderjuiceError]]:
    def see(job_id: str) -> Flow[Job | RenderjuiceError]:
        try:
            return (yield from once.get_job(job_id))
        except RenderjuiceError as error:
            return error

    if len(job_ids) > 1:
        return (yield Together([see(job_id) for job_id in job_ids]))  # type: ignore[no-any-return]
    return [(yield from see(job_ids[0]))]


def _trouble_of_all(seen: Sequence[Job | RenderjuiceError]) -> RenderjuiceError | None:
    """Why it is better not to ask for further jobs now: nothing gets through, or quiet was asked for."""
    failures = [one for one in seen if isinstance(one, RenderjuiceError) and is_passing(one)]
    quiet = next((failure for failure in failures if _asks_for_quiet(failure)), None)
    return quiet or (failures[0] if len(failures) == len(seen) else None)


def _asks_for_quiet(error: RenderjuiceError) -> bool:
    waits = isinstance(error, RenderjuiceHTTPError) and error.retry_after is not None
    return waits or isinstance(error, RenderjuiceRateLimitError)


def _list_those_at_work(
    once: Protocol, waits: Sequence[JobWait], looks: dict[str, Job | RenderjuiceError]
) -> Flow[None]:
    """Add to `looks` what the lists tell, as long as they are worth their requests."""
    sought = {wait.job_id.lower(): wait.job_id for wait in waits}
    pages = len(sought) // _JOBS_PER_PAGE
    last_seen = {wait.status for wait in waits}
    for status in _AT_WORK if None in last_seen else [status for status in _AT_WORK if status in last_seen]:
        listing = JobListing(once, status)
        while listing.more and pages > 0 and len(looks) < len(sought):
            pages -= 1
            for job in (yield from listing.next_page()):
                if job.id.lower() in sought:
                    looks[sought[job.id.lower()]] = job


def _progress(once: Protocol, looks: Iterable[Job | RenderjuiceError]) -> Flow[dict[str, Progress]]:
    """Counters while frames are in work. Progress is for people: when it cannot be read, the wait goes on without."""
    rendering = [seen.id for seen in looks if isinstance(seen, Job) and seen.status == JobStatus.RENDERING]
    if not rendering:
        return {}
    alone = rendering[0] if len(rendering) == 1 else None
    try:
        found = yield from once.get_progress(alone)
    except RenderjuiceError:
        return {}
    counters = {item.job_id or alone: item for item in reversed(found)}
    return {job_id: counters[job_id] for job_id in rendering if job_id in counters}
