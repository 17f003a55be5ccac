"""Looking at jobs: at one, or at hundreds with a few requests. Either client performs it.

Sources: the API reference's pages on listing jobs and on reading one, and the job-lifecycle page on progress.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

from renderjuice_provider.api._flow import Flow, Gather
from renderjuice_provider.api._listing import JobListing
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceHTTPError, RenderjuiceRateLimitError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.api.retry import is_transient, retry_after_of
from renderjuice_provider.lifecycle.job_poller import Done, JobPoller, PollAgain

FEW = 8
"""Jobs up to which each is asked for by itself: lists cost some requests, too."""
LONGEST = 60.0
"""Seconds after which a sweep reads no further list, and as many after which it asks for nobody else. An API may be slow; who was
seen should not wait for all the others."""
_AT_WORK = (JobStatus.RENDERING, JobStatus.BOOTING, JobStatus.FINALIZING, JobStatus.VALIDATING)
_JOBS_PER_PAGE = 4
"""A page of a list has to save at least so many requests: an account may hold thousands of jobs that nobody here waits for."""
_AT_ONCE = 4
"""Jobs that are asked for side by side. If all of these fail, nobody else is asked for."""
_WRONG_KEY = 401

Tell = Callable[[JobPoller, PollAgain | Done], None]
"""Takes each decision as soon as there is one."""


def poll(operations: Operations, wait: JobPoller) -> Flow[PollAgain | Done]:
    """One look at one job, and the decision on it."""
    decisions: list[PollAgain | Done] = []
    yield from poll_all(operations, [wait], lambda _, decision: decisions.append(decision))
    return decisions[0]


def poll_all(operations: Operations, waits: Sequence[JobPoller], tell: Tell) -> Flow[None]:
    """One look at the job of each wait, and the decision on it.

    Each request is one attempt: the waits say when to try again, and know their deadlines. Many jobs are looked for in the lists of
    those at work; whoever is not there has moved on, and is asked for by itself. In a sweep that takes too long some are told
    nothing, and are to be looked at again soon.
    """
    return _PollRound(operations, waits, tell).sweep()


class _PollRound:
    def __init__(self, operations: Operations, waits: Sequence[JobPoller], tell: Tell) -> None:
        self._once = operations.once(self._first_deadline)
        self._tell = tell
        self._unseen: dict[str, list[JobPoller]] = {}
        for wait in waits:
            self._unseen.setdefault(wait.job_id.lower(), []).append(wait)
        self._rendering: list[tuple[JobPoller, Job]] = []
        self._trouble: RenderjuiceError | None = None
        """Why it is better to ask for nothing else now."""

    def sweep(self) -> Flow[None]:
        yield from self._read_lists()
        yield from self._ask_for_each()
        if self._trouble:
            for job_id in list(self._unseen):
                self._note(job_id, self._trouble)
        progress = yield from self._read_progress()
        for wait, job in self._rendering:
            self._tell(wait, wait.on_job(job, progress.get(job.id), self._now()))

    def _first_deadline(self) -> float:
        """Of those who have not been told: no request of a sweep may hold them up for long after it."""
        left = (wait.deadline for waits in self._unseen.values() for wait in waits)
        return min(left, default=min((wait.deadline for wait, _ in self._rendering), default=float("inf")))

    def _now(self) -> float:
        return self._once.now().timestamp()

    def _note(self, job_id: str, seen: Job | RenderjuiceError) -> None:
        """Tell the decision, unless it is worth waiting for the job's progress."""
        for wait in self._unseen.pop(job_id, ()):
            if isinstance(seen, RenderjuiceError):
                self._tell(wait, wait.on_error(seen, self._now()))
            elif seen.status == JobStatus.RENDERING:
                self._rendering.append((wait, seen))
            else:
                self._tell(wait, wait.on_job(seen, None, self._now()))

    def _read_lists(self) -> Flow[None]:
        """Where the jobs were last seen, then where else they may be, as long as that is worth its requests."""
        pages = len(self._unseen) // _JOBS_PER_PAGE
        end = self._now() + LONGEST
        last_seen = Counter(wait.status for waits in self._unseen.values() for wait in waits if wait.status)
        for status in dict.fromkeys([status for status, _ in last_seen.most_common()] + list(_AT_WORK)):
            listing = JobListing(self._once, status)
            while listing.more and pages > 0 and len(self._unseen) > FEW and self._now() < end:
                pages -= 1
                try:
                    jobs = list((yield from listing.next_page(self._unseen)))
                except RenderjuiceError as error:
                    if is_transient(error):  # else it minds the status, or the list: no loss
                        self._trouble = error if _asks_for_quiet(error) else None
                        return
                    break
                for job in jobs:
                    self._note(job.id.lower(), job)

    def _ask_for_each(self) -> Flow[None]:
        began = self._now()
        rest = list(self._unseen)
        random.shuffle(rest)  # or some jobs that cannot be read would always hide the same others
        rest.sort(key=lambda job_id: all(wait.deadline > began for wait in self._unseen[job_id]))  # last chances first
        while rest and not self._trouble and self._now() < began + LONGEST:
            some, rest = rest[:_AT_ONCE], rest[_AT_ONCE:]
            looks = yield from self._see([self._unseen[job_id][0].job_id for job_id in some])
            for job_id, seen in zip(some, looks, strict=True):
                self._note(job_id, seen)
            self._trouble = _trouble_of_all(looks)

    def _see(self, job_ids: Sequence[str]) -> Flow[list[Job | RenderjuiceError]]:
        def see(job_id: str) -> Flow[Job | RenderjuiceError]:
            try:
                return (yield from self._once.get_job(job_id))
            except RenderjuiceError as error:
                return error

        if len(job_ids) > 1:
            return (yield Gather([see(job_id) for job_id in job_ids]))  # type: ignore[no-any-return]
        return [(yield from see(job_ids[0]))]

    def _read_progress(self) -> Flow[dict[str, Progress]]:
        """Counters while frames are in work. Progress is for people: when it cannot be read, the wait goes on without."""
        job_ids = {job.id for _, job in self._rendering}
        if not job_ids or self._trouble:
            return {}
        alone = next(iter(job_ids)) if len(job_ids) == 1 else None
        try:
            found = yield from self._once.get_progress(alone)
        except RenderjuiceError:
            return {}
        return {item.job_id or alone or "": item for item in reversed(found)}


def _trouble_of_all(looks: Sequence[Job | RenderjuiceError]) -> RenderjuiceError | None:
    """What the next ones would meet, too: quiet was asked for, or nothing gets through."""
    failures = [seen for seen in looks if isinstance(seen, RenderjuiceError) and _may_be_everyones(seen)]
    quiet = next((failure for failure in failures if _asks_for_quiet(failure)), None)
    return quiet or (failures[0] if len(failures) == len(looks) else None)


def _may_be_everyones(error: RenderjuiceError) -> bool:
    return is_transient(error) or (isinstance(error, RenderjuiceHTTPError) and error.status_code == _WRONG_KEY)


def _asks_for_quiet(error: RenderjuiceError) -> bool:
    return is_transient(error) and (retry_after_of(error) is not None or isinstance(error, RenderjuiceRateLimitError))
