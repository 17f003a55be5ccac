"""Polling many jobs together: one poll round costs a few requests, even for hundreds of jobs.

    for flow in poll_round(client.operations, job_pollers):
        for job_poller, decision in client.run(flow):
            ...

Sources: the API reference's pages on listing jobs and on reading one, and the job-lifecycle page.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from renderjuice_provider.api._flow import Flow, Gather
from renderjuice_provider.api._listing import JobListing
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceHTTPError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.retry import asks_for_silence, is_transient
from renderjuice_provider.lifecycle.job_poller import JobPoller, PollDecision

FEW = 8
"""Jobs up to which each is read by itself: lists cost requests too."""
LONGEST = 60.0
"""Seconds after which a round reads no more lists, and seconds after that in which it reads single
jobs. The API may be slow, and a job that was read should not wait for all the others."""
_RUNNING = (JobStatus.RENDERING, JobStatus.BOOTING, JobStatus.FINALIZING, JobStatus.VALIDATING)
JOBS_PER_PAGE = 4
"""Single reads that each page of a list must be able to save: an account may hold thousands of jobs
that no task here waits for."""
AT_ONCE = 4
"""Jobs that are read side by side. If all of these reads fail, no other job is read."""
_WRONG_KEY = 401


class Report(NamedTuple):
    """The decision on one job."""

    job_poller: JobPoller
    decision: PollDecision


def poll_round(
    operations: Operations, job_pollers: Sequence[JobPoller], *, are_completed: bool = False
) -> Iterator[Flow[list[Report]]]:
    """Poll the job of each poller once, and decide on each.

    The round is a plan: flows to perform one after the other, since what one of them finds decides
    which comes next. Each returns the decisions that it led to, so no job waits for the rest.

    Each request is sent once: the job pollers say when to try again. Many jobs are searched for in
    the lists of running jobs first; those that are missing there are read one by one. If the round
    takes longer than `LONGEST`, the rest get no decision, and are due again at once.

    Args:
        operations: those of the client that performs the flows.
        job_pollers: each with its job.
        are_completed: whether the jobs are said to be completed: they are searched for in the list
            of those.
    """
    poll = _PollRound(operations, job_pollers)
    yield from poll.read_lists((JobStatus.COMPLETED,) if are_completed else poll.likely_statuses())
    yield from poll.read_single_jobs()
    yield poll.finish()


class _PollRound:
    def __init__(self, operations: Operations, job_pollers: Sequence[JobPoller]) -> None:
        self._once = operations.once(self._first_deadline)
        self._undecided: dict[str, list[JobPoller]] = {}
        for job_poller in job_pollers:
            self._undecided.setdefault(job_poller.job_id.lower(), []).append(job_poller)
        self._rendering: list[tuple[JobPoller, Job]] = []
        """Jobs that were read, and whose progress is still to be read."""
        self._lists_work = True
        self._obstacle: RenderjuiceError | None = None
        """Why no more requests should be sent in this round."""

    def likely_statuses(self) -> Iterable[str]:
        """Those in which most of the jobs were last seen, and then all of running jobs."""
        last_seen = Counter(poller.status for poller in self._undecided_pollers() if poller.status)
        return dict.fromkeys([status for status, _ in last_seen.most_common()] + list(_RUNNING))

    def read_lists(self, statuses: Iterable[str]) -> Iterator[Flow[list[Report]]]:
        """Lists of the jobs in these statuses, as long as they save requests."""
        pages_left = len(self._undecided) // JOBS_PER_PAGE
        end = self._now() + LONGEST
        for status in statuses:
            listing = JobListing(self._once, status)
            while listing.more and self._lists_work and pages_left > 0 and self._now() < end:
                if len(self._undecided) <= FEW:
                    return
                pages_left -= 1
                yield self._read_page(listing)

    def _read_page(self, listing: JobListing) -> Flow[list[Report]]:
        try:
            jobs = list((yield from listing.next_page(self._undecided)))
        except RenderjuiceError as error:
            listing.more = False  # the server rejects this status or lists at all: others may work
            if is_transient(error):
                self._lists_work = False
                self._obstacle = error if asks_for_silence(error) else None
            return []
        return [report for job in jobs for report in self._found(job.id.lower(), job)]

    def read_single_jobs(self) -> Iterator[Flow[list[Report]]]:
        """The jobs that no list held, a few at a time; those past their deadline come first."""
        began = self._now()
        rest = list(self._undecided)
        random.shuffle(rest)  # else jobs that cannot be read would always keep the same others waiting
        rest.sort(key=lambda job_id: all(poller.deadline > began for poller in self._undecided[job_id]))
        while rest and not self._obstacle and self._now() < began + LONGEST:
            yield self._read_jobs(rest[:AT_ONCE])
            rest = rest[AT_ONCE:]

    def _read_jobs(self, job_ids: Sequence[str]) -> Flow[list[Report]]:
        reads = [read_job(self._once, self._undecided[job_id][0].job_id) for job_id in job_ids]
        results = (yield from Gather(reads)) if len(reads) > 1 else [(yield from reads[0])]
        self._obstacle = obstacle(results)
        return [
            report for job_id, result in zip(job_ids, results, strict=True) for report in self._found(job_id, result)
        ]

    def finish(self) -> Flow[list[Report]]:
        """Decide on jobs that render, now with their progress, and on those still unread."""
        reports = []
        if self._obstacle:
            for job_id in list(self._undecided):
                reports += self._found(job_id, self._obstacle)
        job_ids = {job.id for _, job in self._rendering}
        progress = {}
        if job_ids and not self._obstacle:
            only = next(iter(job_ids)) if len(job_ids) == 1 else None
            with suppress(RenderjuiceError):  # progress is for people: without it, polling goes on
                found = yield from self._once.get_progress(only)
                progress = {only or item.job_id: item for item in reversed(found)}
        for job_poller, job in self._rendering:
            decision = job_poller.on_job(job, progress.get(job.id), self._now())
            reports.append(Report(job_poller, decision))
        return reports

    def _found(self, job_id: str, found: Job | RenderjuiceError) -> list[Report]:
        """The decisions on a job; none yet if it renders: its progress is read first."""
        job_pollers = self._undecided.pop(job_id, [])
        if isinstance(found, RenderjuiceError):
            return [Report(poller, poller.on_error(found, self._now())) for poller in job_pollers]
        if found.status == JobStatus.RENDERING:
            self._rendering += [(poller, found) for poller in job_pollers]
            return []
        return [Report(poller, poller.on_job(found, None, self._now())) for poller in job_pollers]

    def _undecided_pollers(self) -> Iterator[JobPoller]:
        return (poller for job_pollers in self._undecided.values() for poller in job_pollers)

    def _first_deadline(self) -> float:
        """Of the jobs without a decision: no request of a round may delay one for long after it."""
        rendering = (poller.deadline for poller, _ in self._rendering)
        return min(
            (poller.deadline for poller in self._undecided_pollers()), default=min(rendering, default=float("inf"))
        )

    def _now(self) -> float:
        return self._once.now().timestamp()


def read_job(operations: Operations, job_id: str) -> Flow[Job | RenderjuiceError]:
    """The job, or why it could not be read."""
    try:
        return (yield from operations.get_job(job_id))
    except RenderjuiceError as error:
        return error


def obstacle(found: Iterable[Job | RenderjuiceError]) -> RenderjuiceError | None:
    """The error that the next reads would meet too; None where there was none.

    So it is if silence is asked for, or if all reads failed: Renderjuice may fail on one job alone.
    """
    results = list(found)
    failures = [result for result in results if isinstance(result, RenderjuiceError) and is_shared(result)]
    silence = next((failure for failure in failures if asks_for_silence(failure)), None)
    return silence or (failures[0] if failures and len(failures) == len(results) else None)


def is_shared(error: RenderjuiceError) -> bool:
    """Whether other jobs may meet it as well."""
    return is_transient(error) or (isinstance(error, RenderjuiceHTTPError) and error.status_code == _WRONG_KEY)
