"""The steps of a job's course, beside those of the client's operations: what only a task can do."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from renderjuice_provider.api._flow import Step
from renderjuice_provider.api.models import Job
from renderjuice_provider.lifecycle.record import JobRecord

T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """This is the task's job, as it is now: a kill stops this one. Raises if there was a kill."""

    job: Job


@dataclass(frozen=True)
class Save:
    """Store this record; raise if it cannot be stored."""

    record: JobRecord


@dataclass(frozen=True)
class WaitFor:
    """Wait until the job is at `target` or over, or the deadline has passed; send an `Outcome`.

    Or end the process, and go on with `Course.resumed` in another.
    """

    job_id: str
    target: str
    started: float
    deadline: float
    limit: str


CourseFlow = Generator[Step[Any] | Found | Save | WaitFor, Any, T]
"""A flow of the course: it yields steps, is sent what came of each, and returns a result."""
