"""The steps of a job's course, beside those of the client's operations: what only a task can do."""

from __future__ import annotations

from dataclasses import dataclass

from renderjuice_provider.api._flow import Step
from renderjuice_provider.api.models import Job
from renderjuice_provider.lifecycle.outcome import Outcome
from renderjuice_provider.lifecycle.record import JobRecord


@dataclass(frozen=True)
class Found(Step[None]):
    """This is the task's job, as it is now: a kill stops this one. Raises if there was a kill."""

    job: Job


@dataclass(frozen=True)
class Save(Step[None]):
    """Store this record; raise if it cannot be stored."""

    record: JobRecord


@dataclass(frozen=True)
class WaitFor(Step[Outcome]):
    """Wait until the job is at `target` or over, or the deadline has passed; send an `Outcome`.

    Or end the process, and go on with `Course.resumed` in another.
    """

    job_id: str
    target: str
    started: float
    deadline: float
    limit: str
