"""What a folder of frames holds, what it lacks, and what its jobs have left at Renderjuice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from renderjuice_provider.api._download import download
from renderjuice_provider.api._flow import Flow, RunInThread
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._paths import PlannedFile
from renderjuice_provider.api.errors import (
    RenderjuiceError,
    RenderjuiceInputError,
    RenderjuiceNotFoundError,
    RenderjuiceTransferError,
    RetryEffect,
)
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.redact import without_url_secrets
from renderjuice_provider.frames import FrameCount, ordered_frames
from renderjuice_provider.lifecycle.frame_folder import FrameFolder, OrderedJob
from renderjuice_provider.lifecycle.order import frame_ranges
from renderjuice_provider.lifecycle.record import Order
from renderjuice_provider.lifecycle.round_record import pixels_of
from renderjuice_provider.lifecycle.suspicious import Suspects

T = TypeVar("T")
_NOT_ORDERED = frozenset({JobStatus.CREATED, JobStatus.VALIDATING, JobStatus.VALIDATED})


class Salvage:
    """Downloads what the jobs of a folder have left, and counts what is still missing.

    Args:
        order: all that is to be in the folder.
        folder: where the frames go.
        operations: of the client that performs the calls.
        log: gets what belongs in the task's log.

    Attributes:
        order: as given; the scene's fingerprint may become known later.
        requested: frame ranges of the scene, where the order names none and a job has said which.
        analysis: of the scene, of the job that was read last; None while there was none.
        noted: what each job of the folder was ordered, by its id, oldest first.
        stopped: jobs of another order that were cancelled a moment ago, and may not be over yet.
        suspects: what looks wrong.
    """

    def __init__(self, order: Order, folder: FrameFolder, operations: Operations, log: Any) -> None:
        self.order = order
        self.requested: list[str] | None = None
        self.analysis: Any = None
        self.noted: dict[str, dict[str, Any]] = {}
        self.stopped: set[str] = set()
        self.suspects = Suspects(folder, self._on_disk, log)
        self._folder = folder
        self._operations = operations
        self._log = log
        self._fetched: set[str] = set()

    @property
    def where(self) -> str:
        """The folder, for messages."""
        return without_url_secrets(self._folder.where)

    def fetch(self) -> Flow[list[tuple[OrderedJob, Job]]]:
        """Download what is not there and whole, from the newest job to the oldest.

        The newest come first, since a file of an older one was ordered again for a reason.

        Returns:
            The jobs that are not over.
        """
        noted = yield from self._jobs()
        yield from self.suspects.recover(self.noted)
        running = []
        for each in reversed(noted):
            job = None if each.job_id in self._fetched else (yield from self.read(each.job_id))
            if job is None:
                continue
            self.analysis = job.analysis or self.analysis
            if job.is_over:
                yield from self._fetch(job)
                self._fetched.add(job.id)
            else:
                running.append((each, job))
        if self.analysis is None and self.order.job_id and ordered_frames(self.order.config) is None:
            given = yield from self.read(self.order.job_id)
            self.analysis = given and given.analysis
        return running

    def was_ordered(self, job: Job) -> Flow[bool]:
        """Whether the render of a job was ordered: one that failed in validation was not."""
        if job.requested_config is not None:
            return True
        return any(each.job_id == job.id for each in (yield from self._on_disk(self._folder.jobs)))

    def read(self, job_id: str) -> Flow[Job | None]:
        """The job; None where Renderjuice does not know it."""
        try:
            return (yield from self._operations.get_job(job_id))
        except RenderjuiceNotFoundError:
            self._log.warning(
                "Job %s is unknown to this connection. If it belongs to another account, look there whether it runs.",
                job_id,
            )
            return None

    def count(self) -> Flow[FrameCount]:
        """What is there and whole, and what is missing."""
        orders = (self.order.config, {"frameRanges": self.requested})
        return (yield from self._on_disk(partial(self._folder.count, orders, self.analysis)))

    def lacking(self, count: FrameCount) -> Flow[frozenset[int] | None]:
        """The frames to render; None for all, where nobody knows which those are.

        What only a node of the compositor lacks is reported, and not rendered again.

        Raises:
            RenderjuiceInputError: where nobody can know what of the folder belongs to the order, or
                which frames its files are. To order them again and again would help nobody.
        """
        if not (yield from self._on_disk(self._folder.has_frames)):
            return count.requested
        if count.requested is None and not self._fetched and ordered_frames(self.order.config) is None:
            raise RenderjuiceInputError(
                f"There are frames in {self.where}, and nobody knows which ones belong to the order: "
                "say frameRanges in render_config."
            )
        lacking = frozenset(frame for gap in count.gaps if gap.node is None for frame in gap.frames)
        if lacking and self._fetched and not (yield from self._on_disk(self._folder.has_numbers)):
            raise RenderjuiceInputError(
                f"The names of the frames in {self.where} do not say which ones they are, so what is missing is not known "
                "and not ordered."
            )
        return lacking | ((yield from self.suspects.awaited()) & (count.requested or frozenset()))

    def config_of(self, count: FrameCount, lacking: frozenset[int] | None) -> dict[str, Any]:
        """What renders only what is lacking."""
        config = self.order.config
        return config if lacking in {None, count.requested} else config | {"frameRanges": frame_ranges(lacking or ())}

    def note(self, job: OrderedJob) -> Flow[bool]:
        """Write a job into the folder. False when it is there already."""
        is_new = yield from self._on_disk(partial(self._folder.note, job))
        self.noted[job.job_id] = job.render_config
        return is_new

    def write_manifest(self, job_id: str | None, count: FrameCount) -> Flow[str]:
        """Describe the whole folder. Returns the path of the manifest."""
        return (yield from self._on_disk(partial(self._folder.write_manifest, job_id, count, self.suspects.odd)))

    def _on_disk(self, work: Callable[[], T]) -> Flow[T]:
        def performed() -> T:
            try:
                return work()
            except OSError as error:
                reason = error.strerror or error
                raise RenderjuiceTransferError(f"Cannot read or write {self.where}: {reason}") from error

        return (yield from RunInThread(performed))

    def _jobs(self) -> Flow[list[OrderedJob]]:
        """The folder's jobs. Those of another order are forgotten, if nothing of theirs is there.

        Raises:
            RenderjuiceInputError: if it is, or if one of them may bring it yet.
        """
        noted = yield from self._on_disk(self._folder.jobs)
        others = {job.job_id: differs for job in noted if (differs := self._differences(job))}
        if others:
            yield from self._check_that_nothing_is_there(others)
            yield from self._on_disk(partial(self._folder.forget, others))
            noted = [job for job in noted if job.job_id not in others]
        self.noted = {each.job_id: each.render_config for each in noted}
        return noted

    def _check_that_nothing_is_there(self, others: Mapping[str, list[str]]) -> Flow[None]:
        has_frames = yield from self._on_disk(self._folder.has_frames)
        for job_id, differs in others.items():
            job = None if has_frames or job_id in self.stopped else (yield from self.read(job_id))
            if has_frames or (job is not None and _may_render(job)):
                raise RenderjuiceInputError(
                    f"{self.where} is for frames of another order (job {job_id}, which differs in: "
                    f"{', '.join(differs)}). Give this one a destination of its own, or remove that folder."
                )

    def _differences(self, noted: OrderedJob) -> list[str]:
        """In what a job differs from the order, but for the frames."""
        wanted, found = pixels_of(self.order.config), pixels_of(noted.render_config)
        differs = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        scene = scene_hash(self.order)
        return [*differs, "the scene"] if noted.scene and scene and noted.scene != scene else differs

    def _fetch(self, job: Job) -> Flow[None]:
        folder = self._folder

        def is_there(planned: PlannedFile) -> bool:
            return folder.is_there(planned) or self.suspects.keeps_out(str(planned.place), job.id)

        try:
            report = yield from download(self._operations, job.id, folder.target, is_there=is_there)
        except RenderjuiceError as error:
            if error.retry is not RetryEffect.CANNOT_HELP and not isinstance(error, RenderjuiceNotFoundError):
                raise
            self._log.info("Job %s has left nothing: %s", job.id, error.what)
            return
        yield from self._on_disk(partial(folder.add, report))
        if report.files:
            self._log.info("Downloaded %d files of job %s", len(report.files), job.id)


def is_taken_up(noted: OrderedJob, job: Job, lacking: frozenset[int] | None) -> bool:
    """Whether a job that is not over, of a run that died, is to be this round's.

    One that may render is. One that nobody has ordered is, if it would render nothing in vain.
    """
    if _may_render(job):
        return True
    frames = ordered_frames(noted.render_config)
    return lacking is None or (frames is not None and frames <= lacking)


def _may_render(job: Job) -> bool:
    """Also one that is suspended, or in a status that nobody here knows."""
    return job.status not in _NOT_ORDERED and not job.is_over


def scene_hash(order: Order) -> str | None:
    """The hash of the scene's bytes; None in an object store, which says less of a file."""
    return None if "://" in (order.source or "") else order.content
