"""One round: one job that is ordered what is missing, from its record to its end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC
from typing import Any

from renderjuice_provider.api._flow import Flow, Step
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.errors import (
    RenderjuiceCeilingError,
    RenderjuiceError,
    RenderjuiceJobError,
    RenderjuiceJobOverError,
    RenderjuiceNotFoundError,
    RenderjuiceOtherOrderError,
)
from renderjuice_provider.api.models import RENDER_STARTED, Job, JobStatus
from renderjuice_provider.frames import count_frames, ordered_frames
from renderjuice_provider.lifecycle.course import Course, Past
from renderjuice_provider.lifecycle.frame_folder import OrderedJob
from renderjuice_provider.lifecycle.order import frame_ranges
from renderjuice_provider.lifecycle.outcome import Outcome
from renderjuice_provider.lifecycle.record import Order
from renderjuice_provider.lifecycle.round_record import DoneRound, RoundRecord, mark_of
from renderjuice_provider.lifecycle.salvage import Salvage, scene_hash
from renderjuice_provider.lifecycle.steps import Found, ReportStuck, Save, performed

CLEAR = "clear this task, which then orders only the frames that are missing"
_IS_OR_WILL_BE_ORDERED = (RENDER_STARTED | {JobStatus.VALIDATED}) - {JobStatus.FAILED, JobStatus.CANCELED}
_MOST_RANGES = 20
"""Ranges that a message names."""


class Round:
    """The round that a task instance is in, in one process.

    Args:
        order: all that is to be in the folder, in all rounds.
        rounds: how many there are at most, for the log.
        run_id: of the DAG run.
        past: of the task instance.
        salvage: of the folder.
        operations: of the client that performs the calls.
        log: gets what belongs in the task's log.

    Attributes:
        record: what is on record; None before the first round.
        done: the rounds that are over.
        failure: why the last job failed; "" if it did not.
    """

    def __init__(
        self, order: Order, rounds: int, run_id: str, past: Past, salvage: Salvage, operations: Operations, log: Any
    ) -> None:
        self.record = RoundRecord.read(past.stored)
        self.done = self.record.done if self.record else ()
        self.failure = ""
        self._order = order
        self._rounds = rounds
        self._run_id = run_id
        self._past = past
        self._salvage = salvage
        self._operations = operations
        self._log = log
        if self.record:
            salvage.requested = self.record.requested

    @property
    def last_job(self) -> str | None:
        """The newest job of the folder; None where there was none."""
        if self.done:
            return self.done[-1].job_id
        return next(reversed(self._salvage.noted), None)

    @property
    def spent(self) -> tuple[float | None, ...]:
        """What the rounds that are over have cost, since a user's clear."""
        rounds = self.record.round - (not self.record.over) if self.record else 0
        return tuple(
            0.0 if each.frames == 0 else each.normalized_seconds for each in self.done[len(self.done) - rounds :]
        )

    # What there is

    def leave_other_work(self) -> Flow[None]:
        """Stop the job of an earlier try that ordered something else: the DAG was edited, say."""
        record, content = self.record, self._order.content
        if record is None:
            return
        is_given = record.job_id is not None and record.job_id == self._order.job_id
        same_scene = is_given or content is None or record.content in {None, content}
        if same_scene and record.ordered == mark_of(self._order, self._salvage.where):
            self._order = replace(self._order, content=record.content or content)
            self._salvage.order = self._order
            return
        if record.job_id and not record.over:
            with suppress(RenderjuiceNotFoundError):
                job = yield from self._operations.cancel_job(record.job_id)
                self._log.info("Job %s of an earlier try is not wanted any more; it is %s", job.id, job.status)
            self._salvage.stopped.add(record.job_id)
            self.done = (*self.done, DoneRound(job_id=record.job_id))
        self.record = None

    def take_up(self) -> Flow[None]:
        """Go on with the round of an earlier try. A user's clear begins with the first round."""
        record, now = self.record, self._operations.now().timestamp()
        if record is None:
            return
        cleared = record.was_cleared(self._past.max_tries)
        if cleared and record.job_id and not record.over:
            job = yield from self._salvage.read(record.job_id)
            if job is not None and job.is_over:  # a kill has cancelled it: that was before the clear
                was_ordered = yield from self._salvage.was_ordered(job)
                record = yield from self._note_end(record, job, was_ordered=was_ordered)
        elif record.over and record.job_id and self.done[-1].frames != 0:
            yield from self._note(record, record.job_id)  # it may not have been downloaded yet
        changes: dict[str, Any] = {"max_tries": self._past.max_tries}
        if cleared:
            changes["round"] = 0 if record.over else 1
        if record.over and (cleared or now >= record.deadline):
            changes |= {"started": now, "deadline": now + self._order.timeout}
        yield from self._keep(record.model_copy(update=changes))
        if not record.over:
            yield from self.run()

    # From its beginning to its end

    def begin(self, config: dict[str, Any], job_id: str | None) -> Flow[None]:
        """Save what a round orders, before anything is done about it.

        Args:
            config: of the round.
            job_id: of a job that there is; None where it is to be made.
        """
        order, old = replace(self._order, job_id=None, render_config=config), self.record
        now = self._operations.now().timestamp()
        yield from self._keep(
            RoundRecord(
                work=order.mark,
                content=order.content or (old.content if old else None),
                source=order.source,
                slug=(old.slug if old else None) or order.slug,
                job_id=job_id,
                started=old.started if old else now,
                deadline=old.deadline if old else now + order.timeout,
                max_tries=self._past.max_tries,
                ordered=mark_of(order, self._salvage.where),
                round=old.round + 1 if old else 1,
                render_config=config,
                spent=self.spent,
                requested=self._salvage.requested,
                done=self.done,
            )
        )

    def run(self) -> Flow[None]:
        """Take the round's job to its end, whichever it is.

        Raises:
            RenderjuiceJobError: when no other round should follow.
        """
        if self.record is not None:
            yield from self._to_its_end(self.record, self._course(self.record).run())

    def resumed(self, outcome: Outcome, waited_for: Mapping[str, Any] | None) -> Flow[None]:
        """As `run`, after a wait in another process: see `Course.resumed`."""
        if self.record is not None:
            yield from self._to_its_end(self.record, self._course(self.record).resumed(outcome, waited_for))

    def lost(self, job_id: str) -> Flow[None]:
        """As `run`, when the wait of another process was lost, and its time is over."""
        if self.record is not None:
            yield from self._to_its_end(self.record, self._course(self.record).lost(job_id))

    def _course(self, record: RoundRecord) -> Course:
        order = replace(self._order, job_id=None, render_config=record.render_config, content=record.content)
        past = Past(record.model_dump(), self._past.is_kept, self._past.max_tries)
        return Course(replace(order, replaces_job=False), past, self._operations, self._log)

    def _to_its_end(self, record: RoundRecord, course: Flow[Job]) -> Flow[None]:
        ended: RenderjuiceJobError | None = None
        try:
            job = yield from performed(course, self._perform)
        except RenderjuiceJobError as error:
            if error.job is None or not error.job.is_over or isinstance(error, RenderjuiceOtherOrderError):
                raise
            job, ended = error.job, error
        was_ordered = ended is None or (yield from self._salvage.was_ordered(job))
        record = yield from self._note_end(self.record or record, job, was_ordered=was_ordered)
        self.failure = ended.what if ended else ""
        if ended is None:
            return
        in_time = self._operations.now().timestamp() < record.deadline
        was_stuck = record.stuck and self._order.patience is not None and self._order.patience.cancels
        may_follow = job.status == JobStatus.FAILED or (was_stuck and job.status == JobStatus.CANCELED)
        if may_follow and was_ordered and in_time:
            self._log.warning("%s. What it has rendered is kept (job %s)", ended.what, job.id)
            return
        with suppress(RenderjuiceError):
            yield from self._salvage.fetch()
            yield from self._salvage.write_manifest(self.last_job, (yield from self._salvage.count()))
        if job.status == JobStatus.FAILED and not was_ordered:
            raise ended
        kind = RenderjuiceCeilingError if isinstance(ended, RenderjuiceCeilingError) else RenderjuiceJobOverError
        raise kind(ended.what, job=job, bill=ended.bill, next_step=CLEAR)

    def _perform(self, step: Step[Any]) -> Flow[Any]:
        """A step of the course of the round's job: what it saves belongs to the round's record."""
        if isinstance(step, Save) and self.record is not None:
            return (yield from self._keep(self.record.model_copy(update=step.record.model_dump())))
        if isinstance(step, ReportStuck) and self.record is not None:  # before it is cancelled, since it may die then
            yield from self._keep(self.record.model_copy(update={"stuck": True}))
        outcome = yield from step
        if isinstance(step, Found) and step.job.status in _IS_OR_WILL_BE_ORDERED:
            try:
                yield from self._note(self.record, step.job.id, is_over=step.job.is_over)
            except RenderjuiceError as error:
                if step.job.status not in RENDER_STARTED:
                    raise
                self._log.warning("%s. Job %s is paid, and goes on", error.what, step.job.id)
        return outcome

    def _note(self, record: RoundRecord | None, job_id: str, *, is_over: bool = True) -> Flow[None]:
        """Write the job into the folder before its render is ordered; again where it is gone."""
        if record is None:
            return
        now = self._operations.now().astimezone(UTC).isoformat(timespec="seconds")
        scene = scene_hash(replace(self._order, content=record.content))
        noted = OrderedJob(job_id, self._run_id, record.render_config, now, scene)
        if (yield from self._salvage.note(noted)) and not is_over:
            frames = ordered_frames(record.render_config)
            which = f"frames {shown(frames)}" if frames else "the frames of the scene"
            again = " again" if record.round > 1 else ""
            self._log.info("Round %d of %d: %s%s, job %s", record.round, self._rounds, which, again, job_id)

    def _note_end(self, record: RoundRecord, job: Job, *, was_ordered: bool) -> Flow[RoundRecord]:
        if was_ordered:
            yield from self._note(record, job.id)  # else what it has rendered would be ordered again
        frames, requested = ordered_frames(record.render_config), record.requested
        if frames is None:
            frames = count_frames([job.final_config], [], analysis=job.analysis).requested
            requested = frame_ranges(frames) if frames else None
        count = (None if frames is None else len(frames)) if was_ordered else 0
        done = DoneRound(job_id=job.id, normalized_seconds=job.normalized_seconds, frames=count)
        self.done = (*self.done, done)
        self._salvage.requested = requested
        self._salvage.analysis = job.analysis or self._salvage.analysis
        record = record.model_copy(update={"over": True, "done": self.done, "requested": requested})
        yield from self._keep(record)
        return record

    def _keep(self, record: RoundRecord) -> Flow[None]:
        yield from Save(record)
        self.record = record


def shown(frames: Collection[int]) -> str:
    """Frames for a message."""
    ranges = frame_ranges(frames)
    more = f" and {len(ranges) - _MOST_RANGES} more ranges" if len(ranges) > _MOST_RANGES else ""
    return ", ".join(ranges[:_MOST_RANGES]) + more
