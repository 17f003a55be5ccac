"""Rounds: a folder of frames, made whole by one job after the other.

A job may complete without all its frames, fail half-way, or leave a file that cannot be read. What
it has rendered is paid. So the next job is ordered only what the folder still lacks:

    what is on record?
          |
          +-- a round whose job is not over --------------------------+
          |                                                           |
          +-- nothing, or a round that is over                        |
                    |                                                 |
                    v                                                 |
    +---> salvage: download what the folder's jobs have left (free)   |
    |               |                                                 |
    |               v                                                 |
    |     one of them still renders? --yes--> take it up as a round --+
    |               |                                                 |
    |     is a frame missing, or not whole? --no--> done              |
    |               |                                                 |
    |     rounds or time used up? --yes--> error, naming the frames   |
    |               |                                                 |
    |     a new round: save what it orders, then order it ------------+
    |                                                                 v
    +-- completed or failed --------------------------------- the course of its job
                                                                      |
                              canceled, or the deadline: error <------+

Each round is a `renderjuice_provider.lifecycle.course` with a record of its own. That record also
says what the round orders, and is saved before the course begins. In a round there is one job: the
course does not replace one that is over. So a process that dies anywhere comes back to the same
round with the same order, and no frame is paid twice that is there and whole.

A second record lies in the folder itself: `jobs.json`, written before a render is ordered. By it a
later run finds the jobs of one that died.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC
from functools import partial
from typing import Any

from renderjuice_provider.api._flow import Flow, RunInThread, Step
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._transfer import download
from renderjuice_provider.api.errors import (
    Bill,
    RenderjuiceError,
    RenderjuiceIncompleteError,
    RenderjuiceInputError,
    RenderjuiceJobError,
    RenderjuiceJobOverError,
    RenderjuiceNotFoundError,
    RenderjuiceOtherOrderError,
    RetryEffect,
)
from renderjuice_provider.api.models import RENDER_STARTED, Job, JobStatus
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.frames import FrameCount, count_frames, ordered_frames
from renderjuice_provider.lifecycle.course import Course, Past
from renderjuice_provider.lifecycle.frame_folder import FrameFolder, OrderedJob
from renderjuice_provider.lifecycle.order import frame_ranges
from renderjuice_provider.lifecycle.outcome import Outcome
from renderjuice_provider.lifecycle.record import Order
from renderjuice_provider.lifecycle.round_record import DoneRound, RoundRecord, mark_of, pixels_of
from renderjuice_provider.lifecycle.steps import Found, Save, performed

_NOT_ORDERED = frozenset({JobStatus.CREATED, JobStatus.VALIDATING, JobStatus.VALIDATED})
_MOST_RANGES = 20
"""Ranges that a message names."""
_CLEAR = "clear this task, which then orders only the frames that are missing"


@dataclass(frozen=True)
class Finished:
    """What came of all rounds.

    Attributes:
        job_id: the last job of the folder; None where there was none.
        done: the rounds of this task instance.
        count: what is there, and which outputs of the compositor are not.
        manifest: its path.
    """

    job_id: str | None
    done: tuple[DoneRound, ...]
    count: FrameCount
    manifest: str


class Rounds:
    """All rounds of one task instance, in one process.

    Args:
        order: all that is to be in the folder; its `job_id` is of a job that a round may use.
        rounds: how many jobs to order at most.
        run_id: of the DAG run, for `jobs.json`.
        past: of the task instance.
        folder: where the frames go.
        operations: of the client that performs the calls.
        log: gets what belongs in the task's log: `info` and `warning`, as of a `logging.Logger`.
    """

    def __init__(
        self,
        order: Order,
        rounds: int,
        run_id: str,
        past: Past,
        folder: FrameFolder,
        operations: Operations,
        log: Any,
    ) -> None:
        self._order = order
        self._rounds = rounds if past.is_kept else 1  # else nobody knows the round after a deferral
        self._run_id = run_id
        self._past = past
        self._folder = folder
        self._operations = operations
        self._log = log
        self._record = RoundRecord.read(past.stored)
        self._done = self._record.done if self._record else ()
        self._analysis: Any = None
        self._salvaged: set[str] = set()
        self._noted: list[str] = []
        """The jobs of the folder."""
        self._failure = ""

    # Where a process of the task enters

    def run(self) -> Flow[Finished]:
        """Start, or go on with what an earlier try has left."""
        check_frames(self._order)
        yield from self._leave_other_work()
        if self._record is not None:
            yield from self._take_up_record(self._record)
        return (yield from self._go_on())

    def resumed(self, outcome: Outcome, waited_for: Mapping[str, Any] | None = None) -> Flow[Finished]:
        """Go on after a wait in another process: see `Course.resumed`."""
        if self._record is None:
            yield from self._recover(waited_for["job_id"] if waited_for else outcome.job_id)
        yield from self._end(self._course().resumed(outcome, waited_for))
        return (yield from self._go_on())

    def lost(self, job_id: str) -> Flow[Finished]:
        """The wait of another process was lost, and its time is over."""
        if self._record is None:
            yield from self._recover(job_id)
        yield from self._end(self._course().lost(job_id))
        return (yield from self._go_on())

    def _leave_other_work(self) -> Flow[None]:
        """Stop the job of an earlier try that ordered something else: the DAG was edited, say."""
        record, content = self._record, self._order.content
        if record is None:
            return
        same_scene = content is None or record.content in {None, content}
        if same_scene and record.ordered == mark_of(self._order, self._folder.where):
            return
        if record.job_id and not record.over:
            with suppress(RenderjuiceNotFoundError):
                job = yield from self._operations.cancel_job(record.job_id)
                self._log.info("Job %s of an earlier try is not wanted any more; it is %s", job.id, job.status)
            self._done = (*self._done, DoneRound(job_id=record.job_id))
        self._record = None

    def _take_up_record(self, record: RoundRecord) -> Flow[None]:
        """Go on with the round of an earlier try. A user's clear begins with the first round."""
        cleared, now = record.was_cleared(self._past.max_tries), self._now()
        if cleared and record.job_id and not record.over:
            job = yield from self._read(record.job_id)
            if job is not None and job.is_over:  # a kill has cancelled it: that was before the clear
                record = yield from self._note_end(job)
        changes: dict[str, Any] = {"max_tries": self._past.max_tries}
        if cleared:
            changes["round"] = 0 if record.over else 1
        if record.over and (cleared or now >= record.deadline):
            changes |= {"started": now, "deadline": now + self._order.timeout}
        yield from self._keep(record.model_copy(update=changes))
        if not record.over:
            yield from self._end(self._course().run())

    def _recover(self, job_id: str) -> Flow[None]:
        """The round of a job that is waited for, where Airflow keeps nothing."""
        noted = yield from self._salvage()
        config = next((each.render_config for each, job in noted if job.id == job_id), None)
        if config is None:
            count = yield from self._count()
            config = self._config_of(count, (yield from self._lacking(count)))
        yield from self._begin(config, job_id)

    # Round after round

    def _go_on(self) -> Flow[Finished]:
        while True:
            running = yield from self._salvage()
            count = yield from self._count()
            lacking = yield from self._lacking(count)
            taken = next((noted for noted, job in running if _is_taken_up(noted, job, lacking)), None)
            if taken is not None:
                self._log.info("Job %s of run %s is not over: taking it up", taken.job_id, taken.run_id)
                yield from self._begin(taken.render_config, taken.job_id)
            elif lacking is not None and not lacking:
                return (yield from self._finish(count))
            else:
                yield from self._check_limits(count, lacking)
                yield from self._begin(self._config_of(count, lacking), (yield from self._given()))
            yield from self._end(self._course().run())

    def _salvage(self) -> Flow[list[tuple[OrderedJob, Job]]]:
        """Download what the folder's jobs have left, the newest first: older ones were damaged.

        Returns:
            The jobs that are not over.
        """
        noted = yield from RunInThread(self._jobs_of_the_folder)
        running = []
        for each in reversed(noted):
            job = None if each.job_id in self._salvaged else (yield from self._read(each.job_id))
            if job is None:
                continue
            self._analysis = job.analysis or self._analysis
            if job.is_over:
                yield from self._fetch(job)
                self._salvaged.add(job.id)
            else:
                running.append((each, job))
        if self._analysis is None and self._order.job_id and ordered_frames(self._order.config) is None:
            given = yield from self._read(self._order.job_id)
            self._analysis = given and given.analysis
        return running

    def _jobs_of_the_folder(self) -> list[OrderedJob]:
        noted = self._folder.jobs()
        wanted = pixels_of(self._order.config)
        for each in noted:
            found = pixels_of(each.render_config)
            differ = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
            scene = _bytes(self._order)
            if each.scene and scene and each.scene != scene:
                differ.append("the scene")
            if differ:
                raise RenderjuiceInputError(
                    f"{self._folder.where} is for frames of another order (job {each.job_id}: {', '.join(differ)} "
                    "differ). Give this one a destination of its own, or remove that folder."
                )
        self._noted = [each.job_id for each in noted]
        return noted

    def _fetch(self, job: Job) -> Flow[None]:
        folder = self._folder
        try:
            report = yield from download(self._operations, job.id, folder.target, is_there=folder.is_there)
        except RenderjuiceError as error:
            if error.retry is not RetryEffect.CANNOT_HELP and not isinstance(error, RenderjuiceNotFoundError):
                raise
            self._log.info("Job %s has left nothing: %s", job.id, error.what)
            return
        yield from RunInThread(partial(folder.add, report))
        if report.files:
            self._log.info("Downloaded %d files of job %s", len(report.files), job.id)

    def _count(self) -> Flow[FrameCount]:
        requested = self._record.requested if self._record else None
        orders = (self._order.config, {"frameRanges": requested})
        return (yield from RunInThread(partial(self._folder.count, orders, self._analysis)))

    def _lacking(self, count: FrameCount) -> Flow[frozenset[int] | None]:
        """The frames to render; None for all, where nobody knows which those are.

        What only a node of the compositor lacks is reported, and not rendered again.
        """
        if not (yield from RunInThread(self._folder.has_frames)):
            return count.requested
        if count.requested is None and not self._salvaged:
            raise RenderjuiceInputError(
                f"There are frames in {self._folder.where}, and nobody knows which ones belong to the order: "
                "say frameRanges in render_config."
            )
        return frozenset(frame for gap in count.gaps if gap.node is None for frame in gap.frames)

    def _config_of(self, count: FrameCount, lacking: frozenset[int] | None) -> dict[str, Any]:
        """What renders only what is lacking."""
        config = self._order.config
        return config if lacking in {None, count.requested} else config | {"frameRanges": frame_ranges(lacking or ())}

    def _check_limits(self, count: FrameCount, lacking: frozenset[int] | None) -> Flow[None]:
        """Whether there may be another round.

        Raises:
            RenderjuiceIncompleteError: if not, naming the frames.
        """
        record = self._record
        if record is None:
            return
        times = f"after {record.round} round{'s' if record.round > 1 else ''}"
        if record.round >= self._rounds:
            raise (yield from self._incomplete(count, lacking, times))
        if self._now() >= record.deadline:
            raise (yield from self._incomplete(count, lacking, f"{times}, and its time is up (timeout)"))
        content = yield from RunInThread(partial(content_fingerprint, self._order.scene))
        if self._done and not (
            content == record.content or record.content is None or (content is None and record.slug)
        ):
            raise (yield from self._incomplete(count, lacking, f"{times}, and its scene has changed or is gone since"))

    def _given(self) -> Flow[str | None]:
        """The given job, for the round that it can be used in."""
        job_id = self._order.job_id
        if job_id is None or job_id in {*self._noted, *(each.job_id for each in self._done)}:
            return None
        job = yield from self._operations.get_job(job_id)
        if job.status in RENDER_STARTED:
            self._log.info("Job %s is %s already, and was not ordered here: making another", job.id, job.status)
            return None
        return job_id

    # One round

    def _begin(self, config: dict[str, Any], job_id: str | None) -> Flow[None]:
        """Save what a round orders, before anything is done about it."""
        order, old, now = replace(self._order, job_id=None, render_config=config), self._record, self._now()
        yield from self._keep(
            RoundRecord(
                work=order.mark,
                content=order.content or (old.content if old else None),
                source=order.source,
                slug=old.slug if old else None,
                job_id=job_id,
                started=old.started if old else now,
                deadline=old.deadline if old else now + order.timeout,
                max_tries=self._past.max_tries,
                ordered=mark_of(order, self._folder.where),
                round=old.round + 1 if old else 1,
                render_config=config,
                requested=old.requested if old else None,
                done=self._done,
            )
        )

    def _course(self) -> Course:
        assert self._record is not None
        record = self._record
        order = replace(
            self._order, job_id=None, render_config=record.render_config, content=record.content, replaces_job=False
        )
        past = Past(record.model_dump(), self._past.is_kept, self._past.max_tries)
        return Course(order, past, self._operations, self._log)

    def _perform(self, step: Step[Any]) -> Flow[Any]:
        """A step of the course of a round's job: what it saves belongs to the round's record."""
        if isinstance(step, Save) and self._record is not None:
            return (yield from self._keep(self._record.model_copy(update=step.record.model_dump())))
        outcome = yield from step
        if isinstance(step, Found) and (step.job.status == JobStatus.VALIDATED or step.job.status in RENDER_STARTED):
            yield from self._note(step.job)
        return outcome

    def _note(self, job: Job) -> Flow[None]:
        """Write the job into the folder, before its render is ordered."""
        record = self._record
        if record is None or job.id in self._noted:
            return
        now = self._operations.now().astimezone(UTC).isoformat(timespec="seconds")
        noted = OrderedJob(job.id, self._run_id, record.render_config, now, _bytes(self._order, record.content))
        if (yield from RunInThread(partial(self._folder.note, noted))):
            frames = ordered_frames(record.render_config)
            which = f"frames {_shown(frames)}" if frames else "the frames of the scene"
            again = " again" if record.round > 1 else ""
            self._log.info("Round %d of %d: %s%s, job %s", record.round, self._rounds, which, again, job.id)
        self._noted.append(job.id)

    def _end(self, course: Flow[Job]) -> Flow[None]:
        """Walk the course of a round's job to its end, whichever it is.

        Raises:
            RenderjuiceJobError: when no other round should follow.
        """
        ended: RenderjuiceJobError | None = None
        try:
            job = yield from performed(course, self._perform)
        except RenderjuiceJobError as error:
            if error.job is None or not error.job.is_over or isinstance(error, RenderjuiceOtherOrderError):
                raise
            job, ended = error.job, error
        record = yield from self._note_end(job)
        if ended is None:
            return
        self._failure = ended.what
        never_rendered = ended.bill is Bill.NOTHING_RENDERED
        if job.status == JobStatus.FAILED and not never_rendered and self._now() < record.deadline:
            self._log.warning("%s. What it has rendered is kept (job %s)", ended.what, job.id)
            return
        with suppress(RenderjuiceError):
            yield from self._salvage()
            yield from self._write_manifest((yield from self._count()))
        if job.status == JobStatus.FAILED and never_rendered:
            raise ended
        raise RenderjuiceJobOverError(ended.what, job=job, bill=ended.bill, next_step=_CLEAR)

    def _note_end(self, job: Job) -> Flow[RoundRecord]:
        record = self._record
        assert record is not None
        frames, requested = ordered_frames(record.render_config), record.requested
        if frames is None:
            frames = count_frames([job.final_config], [], analysis=job.analysis).requested
            requested = frame_ranges(frames) if frames else None
        done = DoneRound(
            job_id=job.id, normalized_seconds=job.normalized_seconds, frames=None if frames is None else len(frames)
        )
        self._done = (*self._done, done)
        self._analysis = job.analysis or self._analysis
        record = record.model_copy(update={"over": True, "done": self._done, "requested": requested})
        yield from self._keep(record)
        return record

    # The end

    def _finish(self, count: FrameCount) -> Flow[Finished]:
        if count.gaps:
            self._log.warning("Not all of the compositor's outputs are there: %s", count)
        if count.complete is None:
            self._log.warning("Whether all frames are there is not known: neither the order nor the scene names them.")
        manifest = yield from self._write_manifest(count)
        return Finished(self._last_job(), self._done, count, manifest)

    def _incomplete(
        self, count: FrameCount, lacking: frozenset[int] | None, when: str
    ) -> Flow[RenderjuiceIncompleteError]:
        yield from self._write_manifest(count)
        which = f"Frames {_shown(lacking)}" if lacking else "All frames"
        why = f". The last job: {self._failure}" if self._failure else ""
        return RenderjuiceIncompleteError(
            f"{which} of {self._order.name} are missing {when}. What is there is in {self._folder.where}{why}",
            retry=RetryEffect.CANNOT_HELP if self._past.is_kept else RetryEffect.NEW_JOB,
            next_step=_CLEAR,
            job_id=self._last_job() or "",
        )

    def _write_manifest(self, count: FrameCount) -> Flow[str]:
        return (yield from RunInThread(partial(self._folder.write_manifest, self._last_job(), count)))

    def _last_job(self) -> str | None:
        return self._done[-1].job_id if self._done else self._noted[-1] if self._noted else None

    def _read(self, job_id: str) -> Flow[Job | None]:
        try:
            return (yield from self._operations.get_job(job_id))
        except RenderjuiceNotFoundError:
            self._log.info("Job %s is unknown to this connection", job_id)
            return None

    def _keep(self, record: RoundRecord) -> Flow[None]:
        yield from Save(record)
        self._record = record

    def _now(self) -> float:
        return self._operations.now().timestamp()


def check_frames(order: Order) -> None:
    """Refuse an order whose frames cannot be counted.

    Raises:
        RenderjuiceInputError: naming them.
    """
    config = order.config
    if config.get("frameRanges") and ordered_frames(config) is None:
        raise RenderjuiceInputError(
            f"frameRanges {config['frameRanges']} cannot be counted, so nobody would know what is missing: "
            'write ["1-24"] or ["1-10", "15"].'
        )


def _is_taken_up(noted: OrderedJob, job: Job, lacking: frozenset[int] | None) -> bool:
    """Whether a job of a run that died is this round's.

    One that may render is. One that nobody has ordered is, if it would render nothing in vain.
    """
    if job.status not in _NOT_ORDERED:
        return True
    frames = ordered_frames(noted.render_config)
    return lacking is None or (frames is not None and frames <= lacking)


def _bytes(order: Order, content: str | None = None) -> str | None:
    """The hash of the scene's bytes; what an object store says of a file may change."""
    return None if "://" in (order.source or "") else order.content or content


def _shown(frames: Collection[int]) -> str:
    ranges = frame_ranges(frames)
    more = f" and {len(ranges) - _MOST_RANGES} more ranges" if len(ranges) > _MOST_RANGES else ""
    return ", ".join(ranges[:_MOST_RANGES]) + more
