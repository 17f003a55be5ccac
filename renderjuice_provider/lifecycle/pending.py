"""Pending jobs: Renderjuice has reported their completion, and their asset event is not made yet.

Pure. The event is a hint and the job is the truth, so each job is read, and only one that is
completed gets its asset event. What a webhook brings a moment too early, or about a job of
another workspace, leaves the inbox after some tries.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from enum import Enum

from renderjuice_provider.api._flow import Flow, Gather
from renderjuice_provider.api._listing import JobListing
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.retry import retry_after_of
from renderjuice_provider.lifecycle.inbox import Pending
from renderjuice_provider.lifecycle.poll_round import AT_ONCE, FEW, JOBS_PER_PAGE, is_shared, obstacle, read_job

MOST_TRIES = 6
"""Reads of a job that say that it is not completed, or not ours: about a minute."""
_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 60.0
"""Seconds before a job is read again; where Renderjuice gives no answer, or refuses the key."""


class Decision(Enum):
    """What becomes of a pending job."""

    ANNOUNCE = "announce"
    DROP = "drop"
    LATER = "later"


def read_jobs(operations: Operations, job_ids: Sequence[str]) -> Flow[dict[str, Job | RenderjuiceError]]:
    """Each job as it is now, or why it could not be read; each request is sent once.

    Of many, most are found in the list of completed jobs, a hundred with one request. What lists
    leave out is not documented, so a job without its configuration is read by itself.
    """
    once = operations.once()
    found: dict[str, Job | RenderjuiceError] = {}
    listing, pages = JobListing(once, JobStatus.COMPLETED), len(job_ids) // JOBS_PER_PAGE
    while listing.more and pages and len(job_ids) - len(found) > FEW:
        pages -= 1
        try:
            jobs = list((yield from listing.next_page(set(job_ids))))
        except RenderjuiceError:
            break
        found |= {job.id.lower(): job for job in jobs if job.requested_config is not None}
    rest = [job_id for job_id in job_ids if job_id not in found]
    random.shuffle(rest)  # else some that cannot be read would always keep the same others waiting
    for first in range(0, len(rest), AT_ONCE):
        few = rest[first : first + AT_ONCE]
        results = yield from Gather([read_job(once, job_id) for job_id in few])
        found |= dict(zip(few, results, strict=True))
        if obstacle(results):
            break  # the next ones would meet it, too
    return found


class PendingJobs:
    """When each pending job of a connection is read, and what becomes of it then."""

    def __init__(self) -> None:
        self._tries: dict[Pending, int] = {}
        self._pauses: dict[Pending, int] = {}
        self._due: dict[Pending, float] = {}
        self._silences = 0
        self._silent_until = float("-inf")

    def due(self, pending: Iterable[Pending], now: float) -> list[Pending]:
        """Those that are to be read now; whatever is not pending any more is forgotten."""
        jobs = list(pending)
        self._tries = {job: self._tries[job] for job in jobs if job in self._tries}
        self._pauses = {job: self._pauses[job] for job in jobs if job in self._pauses}
        self._due = {job: self._due[job] for job in jobs if job in self._due}
        return [] if now < self._silent_until else [job for job in jobs if self._due.get(job, now) <= now]

    def decide(self, job: Pending, found: Job | RenderjuiceError, now: float) -> Decision:
        """What becomes of a job that was read."""
        if isinstance(found, RenderjuiceError) and is_shared(found):
            self.put_off(job, now)
            return Decision.LATER
        self._silences = 0
        if isinstance(found, Job) and found.is_over:
            return Decision.ANNOUNCE if found.status == JobStatus.COMPLETED else Decision.DROP
        self._tries[job] = tries = self._tries.get(job, 0) + 1
        self.put_off(job, now)
        return Decision.DROP if tries >= MOST_TRIES else Decision.LATER

    def put_off(self, job: Pending, now: float) -> None:
        """Try this job again later, and the others whenever they are due."""
        self._pauses[job] = pauses = self._pauses.get(job, 0) + 1
        self._due[job] = now + min(_FIRST_PAUSE * 2.0 ** min(pauses - 1, 10), _LONGEST_PAUSE)

    def silence(self, error: RenderjuiceError, now: float) -> float:
        """Renderjuice says nothing of its jobs: no job is read for these seconds."""
        self._silences += 1
        pause = min(_FIRST_PAUSE * 2.0 ** min(self._silences - 1, 10), _LONGEST_PAUSE)
        self._silent_until = now + max(pause, retry_after_of(error) or 0.0)
        return self._silent_until - now
