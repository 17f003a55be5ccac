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
    |     is a frame missing, not whole, or set aside since it looks  |
    |     wrong? --no--> done                                         |
    |               |                                                 |
    |     rounds or time used up? --yes--> error, naming the frames;  |
    |               |      but what was set aside is put back         |
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

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from renderjuice_provider.api._flow import Flow, RunInThread
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.errors import (
    RenderjuiceIncompleteError,
    RenderjuiceInputError,
    RenderjuiceJobError,
    RenderjuiceOtherOrderError,
    RetryEffect,
)
from renderjuice_provider.api.models import RENDER_STARTED
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.frames import FrameCount, ordered_frames
from renderjuice_provider.lifecycle.ceiling import ARGUMENT
from renderjuice_provider.lifecycle.course import Past
from renderjuice_provider.lifecycle.frame_folder import FrameFolder
from renderjuice_provider.lifecycle.one_round import CLEAR, Round, shown
from renderjuice_provider.lifecycle.outcome import Outcome
from renderjuice_provider.lifecycle.record import Order
from renderjuice_provider.lifecycle.round_record import DoneRound
from renderjuice_provider.lifecycle.salvage import Salvage, is_taken_up

_NO_ROUND = "all rounds are used"


@dataclass(frozen=True)
class Finished:
    """What came of all rounds.

    Attributes:
        job_id: the last job of the folder; None where there was none.
        done: the rounds of this task instance.
        count: what is there, and which outputs of the compositor are not.
        manifest: its path.
        remarks: what is odd about files that are there, by place.
        again: the places of what was rendered again since it looked wrong.
    """

    job_id: str | None
    done: tuple[DoneRound, ...]
    count: FrameCount
    manifest: str
    remarks: dict[str, str] = field(default_factory=dict)
    again: tuple[str, ...] = ()


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
        self._is_kept = past.is_kept
        self._operations = operations
        self._log = log
        self.requested: frozenset[int] | None = None
        self.lacking: frozenset[int] | None = None
        self._salvage = Salvage(order, folder, operations, log)
        self._round = Round(order, self._rounds, run_id, past, self._salvage, operations, log)

    # Where a process of the task enters

    def run(self) -> Flow[Finished]:
        """Start, or go on with what an earlier try has left."""
        check_frames(self._order)
        yield from self._round.leave_other_work()
        yield from self._ended(self._round.take_up())
        return (yield from self._go_on())

    def resumed(self, outcome: Outcome, waited_for: Mapping[str, Any] | None = None) -> Flow[Finished]:
        """Go on after a wait in another process: see `Course.resumed`."""
        job_id = waited_for["job_id"] if waited_for else outcome.job_id
        if self._is_past(job_id):
            return (yield from self.run())
        yield from self._recover(job_id)
        yield from self._ended(self._round.resumed(outcome, waited_for))
        return (yield from self._go_on())

    def lost(self, job_id: str) -> Flow[Finished]:
        """The wait of another process was lost, and its time is over."""
        if self._is_past(job_id):
            return (yield from self.run())
        yield from self._recover(job_id)
        yield from self._ended(self._round.lost(job_id))
        return (yield from self._go_on())

    def _is_past(self, job_id: str) -> bool:
        """Whether a process that has died since has gone on already after the wait for this job."""
        record = self._round.record
        return record is not None and (record.over or record.job_id != job_id)

    def _recover(self, job_id: str) -> Flow[None]:
        """Begin again the round of a job that is waited for, where Airflow keeps no record."""
        if self._round.record is not None:
            return
        yield from self._salvage.fetch()
        config = self._salvage.noted.get(job_id)
        if config is None:
            count = yield from self._salvage.count()
            config = self._salvage.config_of(count, (yield from self._salvage.lacking(count)))
        yield from self._round.begin(config, job_id)

    def _go_on(self) -> Flow[Finished]:
        """Round after round, until nothing is missing."""
        salvage = self._salvage
        while True:
            running = yield from salvage.fetch()
            count = yield from salvage.count()
            self.lacking = lacking = yield from salvage.lacking(count)
            self.requested = count.requested
            taken = next((noted for noted, job in running if is_taken_up(noted, job, lacking)), None)
            if taken is not None:
                self._log.info("Job %s of run %s is not over: taking it up", taken.job_id, taken.run_id)
                yield from self._round.begin(taken.render_config, taken.job_id)
            elif lacking is not None and not lacking:
                if (yield from self._looked(count)):
                    return (yield from self._finish(count))
                continue
            else:
                why = yield from self._limit()
                if why and (yield from salvage.suspects.give_back(why)):
                    continue
                if why:
                    raise (yield from self._incomplete(count, lacking, why))
                yield from self._round.begin(salvage.config_of(count, lacking), (yield from self._given()))
            yield from self._ended(self._round.run())

    def _looked(self, count: FrameCount) -> Flow[bool]:
        """Look at frames that are all there. False when some were set aside, and so are missing."""
        suspects = self._salvage.suspects
        found = yield from suspects.look(count.requested)
        if not found:
            return True
        why = yield from self._limit()
        if why:
            yield from suspects.leave(found, why)
            return True
        yield from suspects.set_aside(found, self._salvage.noted)
        return False

    def _ended(self, flow: Flow[None]) -> Flow[None]:
        """A round to its end. It need not succeed if it only renders again what looks wrong."""
        try:
            yield from flow
        except RenderjuiceJobError as error:
            if error.job is None or not error.job.is_over or isinstance(error, RenderjuiceOtherOrderError):
                raise
            if not (yield from self._salvage.suspects.give_back(error.what)):
                raise
            lacking = yield from self._salvage.lacking((yield from self._salvage.count()))
            if lacking is None or lacking:
                raise

    def _limit(self) -> Flow[str]:
        """Why there may be no other round; empty when there may."""
        record = self._round.record
        if record is None:
            return ""
        if record.round >= self._rounds:
            return _NO_ROUND
        if self._operations.now().timestamp() >= record.deadline:
            return "its time is up (timeout)"
        if replace(self._order, spent=self._round.spent).is_spent:
            return f"what it may spend is spent ({ARGUMENT})"
        content = yield from RunInThread(partial(content_fingerprint, self._order.scene))
        if content in {record.content, None if record.slug else record.content} or record.content is None:
            return ""
        return "the scene has changed or is gone since"

    def _incomplete(
        self, count: FrameCount, lacking: frozenset[int] | None, why: str
    ) -> Flow[RenderjuiceIncompleteError]:
        rounds = self._round.record.round if self._round.record else 0
        also = "" if why == _NO_ROUND else f", and {why}"
        yield from self._salvage.write_manifest(self._round.last_job, count)
        which = f"Frames {shown(lacking)}" if lacking else "All frames"
        failure = f". The last job: {self._round.failure}" if self._round.failure else ""
        return RenderjuiceIncompleteError(
            f"{which} of {self._order.name} are missing after {rounds} round{'s' if rounds > 1 else ''}{also}. "
            f"What is there is in {self._salvage.where}{failure}",
            retry=RetryEffect.CANNOT_HELP if self._is_kept else RetryEffect.NEW_JOB,
            next_step=CLEAR,
            job_id=self._round.last_job or "",
        )

    def _given(self) -> Flow[str | None]:
        """The given job, for the round that it can be used in."""
        job_id = self._order.job_id
        if job_id is None or job_id in {*self._salvage.noted, *(each.job_id for each in self._round.done)}:
            return None
        read = self._salvage.read if self._round.done else self._operations.get_job
        job = yield from read(job_id)
        if job is None:
            return None
        if job.status in RENDER_STARTED:
            self._log.info("Job %s is %s already, and was not ordered here: making another", job.id, job.status)
            return None
        return job_id

    def _finish(self, count: FrameCount) -> Flow[Finished]:
        if count.gaps:
            self._log.warning("Not all of the compositor's outputs are there: %s", count)
        if count.complete:
            self._log.info("All frames are there and whole, in %s", self._salvage.where)
        if count.complete is None:
            self._log.warning("Whether all frames are there is not known: neither the order nor the scene names them.")
        manifest = yield from self._salvage.write_manifest(self._round.last_job, count)
        suspects = self._salvage.suspects
        return Finished(self._round.last_job, self._round.done, count, manifest, suspects.remarks, suspects.again)


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
