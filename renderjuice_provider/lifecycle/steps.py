"""The steps of a job's course, beside those of the client's operations: what only a task can do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

from renderjuice_provider.api._flow import Flow, Step
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import Job
from renderjuice_provider.lifecycle.outcome import Outcome
from renderjuice_provider.lifecycle.record import JobRecord
from renderjuice_provider.lifecycle.stuck import Patience

T = TypeVar("T")


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

    Or end the process, and go on with `Course.resumed` in another. A job that has spent `most`
    normalized seconds is waited for no longer; None for any number. Nor is one that is stuck, by
    `patience`; None for a job that may be.

    `asdict` makes of it what a `JobPoller` takes beside its interval, and what a process that goes
    on has to know.
    """

    job_id: str
    target: str
    started: float
    deadline: float
    limit: str
    most: float | None = None
    patience: Patience | None = None


@dataclass(frozen=True)
class ReportStuck(Step[None]):
    """Report once that the job is stuck, whichever process does."""

    job_id: str
    message: str


def performed(flow: Flow[T], perform: Callable[[Step[Any]], Flow[Any]]) -> Flow[T]:
    """`flow`, with each of its steps taken by `perform`, which may pass it on as it is."""
    with closing(flow):
        try:
            step = next(flow)
            while True:
                try:
                    outcome = yield from perform(step)
                except RenderjuiceError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result
