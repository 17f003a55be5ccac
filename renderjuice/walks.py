"""What a command does about one job: a flow from its beginning to its end.

Each is a driver of the decisions in `renderjuice_provider.lifecycle`, as the operators are in
Airflow. `renderjuice.batch` performs many of them side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from renderjuice.fetching import Fetching
from renderjuice.output import seconds
from renderjuice.pace import Pace
from renderjuice_provider.api._flow import Flow
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._upload import upload
from renderjuice_provider.api.errors import (
    Bill,
    RenderjuiceCeilingError,
    RenderjuiceError,
    RenderjuiceInputError,
    RenderjuiceJobError,
    RenderjuiceTimeoutError,
    RetryEffect,
)
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.lifecycle.course import Course, Past
from renderjuice_provider.lifecycle.job_poller import fate
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.record import Order
from renderjuice_provider.lifecycle.steps import WaitFor
from renderjuice_provider.lifecycle.stopping import stop_all

WAIT_LIMIT = 24 * 3600.0
"""Seconds that a command waits for a render unless it is said otherwise: as the operators do."""

_STOPPING = 60.0
"""Seconds that a cancelled job has to be over."""


@dataclass
class Seen:
    """What is known of a job on its way; other threads read it.

    Attributes:
        name: for people.
        doing: what happens before there is a job, such as `uploading`.
        job: as last read.
        progress: of its render.
        trouble: why the last poll failed; None where it did not.
        error: why the walk ended without success.
        timed_out: whether a wait ended because its time was over.
        pace: of its frames.
        is_ordering: whether its render is being ordered, and may have been started.
        is_over: whether the walk has ended.
    """

    name: str
    doing: str = "waiting"
    job: Job | None = None
    progress: Progress | None = None
    trouble: RenderjuiceError | None = None
    error: BaseException | None = None
    timed_out: bool = False
    pace: Pace = field(default_factory=Pace)
    is_ordering: bool = False
    is_over: bool = False

    @property
    def state(self) -> str:
        """One word."""
        return self.doing if self.job is None else str(self.job.status)

    def words_left(self, now: float) -> str:
        """About how long its frames take yet; empty as long as nobody can know."""
        if self.progress is None or self.job is None or self.job.status != JobStatus.RENDERING:
            return ""
        left = self.pace.left(self.progress.frames_total, now)
        return "" if left is None else f"about {seconds(left)} left"


class Walk(Protocol):
    """One job's way through a command.

    Attributes:
        seen: what is known of it.
        fetching: where its outputs go; None where they stay.
    """

    seen: Seen
    fetching: Fetching | None

    def begin(self) -> Flow[Job]:
        """From the beginning, or from where an earlier process was."""
        ...

    def resumed(self, outcome: Outcome, waited_for: Mapping[str, Any]) -> Flow[Job]:
        """After a wait."""
        ...

    def save(self, record: Mapping[str, Any]) -> None:
        """Keep the record of the job, before what it says is acted upon."""
        ...

    def end(self) -> None:
        """Nothing follows."""
        ...


class Waits:
    """Waits for a job that there is.

    Args:
        job_id: the job.
        name: for people.
        operations: of the client that performs this.
        timeout: seconds to wait.
        fetching: what to do with its outputs; None to leave them.
    """

    def __init__(
        self,
        job_id: str,
        name: str,
        operations: Operations,
        timeout: float = WAIT_LIMIT,
        fetching: Fetching | None = None,
    ) -> None:
        self.seen = Seen(name)
        self._job_id = job_id
        self._operations = operations
        self._timeout = timeout
        self.fetching = fetching

    def begin(self) -> Flow[Job]:
        """See `Walk`."""
        now = self._operations.now().timestamp()
        target = str(JobStatus.COMPLETED)
        outcome = yield from WaitFor(self._job_id, target, now, now + self._timeout, "--timeout")
        return (yield from self.resumed(outcome, {}))

    def resumed(self, outcome: Outcome, waited_for: Mapping[str, Any]) -> Flow[Job]:
        """See `Walk`."""
        job = self.seen.job
        if outcome.ending is Ending.TIMED_OUT:
            raise RenderjuiceTimeoutError(
                f"{self.seen.name} {outcome.message}",
                bill=Bill.LEFT_ALONE,
                retry=RetryEffect.READS_AGAIN,
                job_id=self._job_id,
            )
        if outcome.ending is Ending.AT_CEILING:
            job = yield from self._stopped()
        if outcome.ending is Ending.REFUSED or job is None:
            raise self.seen.trouble or RenderjuiceJobError(outcome.message, job_id=self._job_id)
        if self.fetching is not None and (job.status == JobStatus.COMPLETED or not self.fetching.only_completed):
            yield from self.fetching.fetch(self._operations, job, self.seen)
        if job.status != JobStatus.COMPLETED:
            if outcome.ending is Ending.AT_CEILING:
                raise RenderjuiceCeilingError(outcome.message, job=job)
            raise RenderjuiceJobError(f"{self.seen.name} {fate(job)}", job=job)
        return job

    def _stopped(self) -> Flow[Job]:
        """The job after it was cancelled. If it completed meanwhile, that is a success."""
        until = self._operations.now().timestamp() + _STOPPING
        stopping = stop_all(self._operations, [self._job_id], poll_interval=2.0, until=until, log=Quiet().info)
        found = (yield from stopping)[self._job_id]
        if isinstance(found, RenderjuiceError):
            raise found.settle(bill=Bill.MAY_RUN, next_step=f"`renderjuice cancel {self._job_id}` stops it")
        self.seen.job = found
        return found

    def save(self, record: Mapping[str, Any]) -> None:
        """See `Walk`. There is nothing to keep."""

    def end(self) -> None:
        """See `Walk`."""


class Validates:
    """Uploads a scene and has it validated, which is free. The job may be rendered later."""

    def __init__(self, scene: Path, name: str, operations: Operations, timeout: float) -> None:
        self.seen = Seen(name)
        self._scene = scene
        self._operations = operations
        self.fetching: Fetching | None = None
        self._order = Order(JobStatus.VALIDATED, timeout, name=name)
        self._log = Quiet()

    def begin(self) -> Flow[Job]:
        """See `Walk`."""
        target = yield from upload(self._operations, self._scene, one_scene=True)
        job = yield from self._operations.create_job(target.slug)
        self._order = replace(self._order, job_id=job.id)
        return (yield from self._course().run())

    def resumed(self, outcome: Outcome, waited_for: Mapping[str, Any]) -> Flow[Job]:
        """See `Walk`."""
        return self._course().resumed(outcome, waited_for)

    def save(self, record: Mapping[str, Any]) -> None:
        """See `Walk`. Nothing is paid, so nothing is kept."""

    def end(self) -> None:
        """See `Walk`."""

    def _course(self) -> Course:
        return Course(self._order, Past(), self._operations, self._log)


class Fetches:
    """Downloads the outputs of a job that is over."""

    def __init__(self, job_id: str, name: str, operations: Operations, fetching: Fetching) -> None:
        self.seen = Seen(name, doing="downloading")
        self._job_id = job_id
        self._operations = operations
        self.fetching: Fetching | None = fetching
        self._into = fetching

    def begin(self) -> Flow[Job]:
        """See `Walk`."""
        job = yield from self._operations.get_job(self._job_id)
        self.seen.job = job
        if not job.is_over:
            raise RenderjuiceInputError(
                f"{self.seen.name} is {job.status}: there is nothing to download before it is over",
                bill=Bill.LEFT_ALONE,
                retry=RetryEffect.READS_AGAIN,
                next_step=f"`renderjuice wait {job.id}`",
                job_id=job.id,
            )
        yield from self._into.fetch(self._operations, job, self.seen)
        return job

    def resumed(self, outcome: Outcome, waited_for: Mapping[str, Any]) -> Flow[Job]:
        """See `Walk`. It never waits."""
        raise NotImplementedError

    def save(self, record: Mapping[str, Any]) -> None:
        """See `Walk`."""

    def end(self) -> None:
        """See `Walk`."""


class Quiet:
    """A log that nobody reads."""

    def info(self, text: str, *arguments: Any) -> None:
        """Nothing."""

    warning = info
