"""The course of a job: from an order, and what an earlier try has left of it, to the goal.

Theory of operation
===================

A task may die at any moment, and its next try knows two things only: the record that the earlier
try has stored (`JobRecord`), and what Renderjuice says of that job. So a course never asks "what
have I done?". It asks "where is the job?", and the job's status says what to do next
(`status.py`). A first try, a retry, a retry after a crash, a cleared task and a worker
that is resumed after a deferral all go the same way; they only enter it at different places.

            stored record                              a new process of the task enters ...
                  |
                  v
       the same work as ordered? --no--> stop its job          ... here: first try, retry, clear
                 yes                          |
                  |<------ a new record <-----+
                  |<----------------------------------------+
                  v                                         |
            has it a job? --no--> upload --> create --+     |
                 yes  (a given job is simply read)    |     |
                  v                                   |     |
       over without success? --yes--> a record without a job, and a new deadline
                 no  (a given job is an error)        |
                  v                                   |
         deadline passed? --yes--> stop it, fail      |
                 no                                   |
                  v                                   |
          +---> status of the job <-------------------+
          |       |
          |       +-- created ------> order validation --+
          |       +-- validated ----> order the render --+--> the response has a status again
          |       +-- on its way ---> WaitFor -----------+    ... here: resumed after a deferral
          |       |                                      |
          +-------|--------------------------------------+
                  +-- at the goal --> the result
                  +-- over otherwise -> an error

What holds at every point, so that a cut anywhere costs nothing twice:

1. The record is saved before what it says is acted upon: with the slug before a job is made of it,
   with the job's id before anything is ordered for that job. Renderjuice starts the render of one
   job once, however often it is ordered. So a render that somebody pays for is always on record.
2. A job that is not wanted any more is stopped before its record is replaced. So one task instance
   pays for at most one render at a time.
3. A deadline belongs to the work, not to the try: a retry keeps it. If it passed while no process
   was there, the next try stops the job first. What runs after that gets a new deadline.
4. An order whose effect is not visible yet (the job's status is what it was before) is not given
   again: it is waited for.

What a retry does, then:

    the job on record is          a retry, and a clear to reattach        a clear to resubmit
    ----------------------------  --------------------------------------  -------------------
    not there yet                 uses the upload, if there is one        starts again
    on its way                    goes on with it                         stops it, starts again
    on its way, deadline passed   stops it and fails (or goes on, if      stops it, starts again
                                  it is not to be cancelled)
    completed                     returns it                              starts again
    failed or canceled            starts again; a given job is an error   starts again
    about other work              stops it, starts again                  stops it, starts again
    unknown to Renderjuice        uses the upload, if there is one        starts again

A course is a flow like the client's operations (`renderjuice_provider.api._flow`), with three more
steps: `Found`, `Save` and `WaitFor`. It knows neither Airflow nor HTTP. A driver does what the
steps say and sends back what came of it: `renderjuice_provider.operators._driver` in Airflow, a few
lines in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from renderjuice_provider.api._flow import Flow
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._upload import upload
from renderjuice_provider.api.errors import RenderjuiceNotFoundError, RenderjuiceRefusedError
from renderjuice_provider.api.models import RENDER_STARTED, Job, JobStatus
from renderjuice_provider.lifecycle.advance import Advance
from renderjuice_provider.lifecycle.ceiling import at_ceiling, cost_of
from renderjuice_provider.lifecycle.job_poller import fate
from renderjuice_provider.lifecycle.order import renders
from renderjuice_provider.lifecycle.outcome import Outcome
from renderjuice_provider.lifecycle.record import JobRecord, Order
from renderjuice_provider.lifecycle.status import Action
from renderjuice_provider.lifecycle.steps import Save

_RENDERS_OR_HAS_RENDERED = RENDER_STARTED - {JobStatus.FAILED, JobStatus.CANCELED}


@dataclass(frozen=True)
class Past:
    """What a task instance has from its earlier tries.

    Attributes:
        stored: the record as it was stored; None where there is none.
        is_kept: whether there is a store at all; if not, the next try will know nothing.
        max_tries: Airflow's limit now: see `JobRecord`.
    """

    stored: Any = None
    is_kept: bool = True
    max_tries: int = 0


class Course:
    """One walk along the course, in one process.

    Args:
        order: what is ordered.
        past: of the task instance.
        operations: of the client that performs the calls.
        log: gets what belongs in the task's log: `info` and `warning`, as of a `logging.Logger`.
    """

    def __init__(self, order: Order, past: Past, operations: Operations, log: Any) -> None:
        self._order = order
        self._past = past
        self._operations = operations
        self._log = log
        self._advance = Advance(order, operations, log)
        self._old = JobRecord.read(past.stored)
        self._record: JobRecord

    # Where a process of the task enters

    def run(self) -> Flow[Job]:
        """Start, or go on with what an earlier try has left."""
        order = self._order
        order.check()
        if not order.renders:
            job = yield from self._operations.validate_job(str(order.job_id))
            now = self._now()
            return (yield from self._advance.advance(job, now, now + order.timeout))
        job = yield from (self._own_job() if order.job_id is None else self._given_job(order.job_id))
        return (yield from self._advance.advance(job, self._record.started, self._record.deadline))

    def resumed(self, outcome: Outcome, waited_for: Mapping[str, Any] | None = None) -> Flow[Job]:
        """Go on after a wait in another process. The outcome is only a hint: the job is read again.

        Args:
            outcome: of the wait.
            waited_for: `job_id`, `target`, `started`, `deadline`, `limit` and `most` of the wait
                that this task began; None where nobody knows. Older ones lack `target` and `most`.
        """
        if waited_for and waited_for["job_id"] != outcome.job_id:
            # With SQLite, Airflow gives the id of a trigger that was removed to the next one, and a
            # triggerer that has not noticed yet goes on with the old one.
            self._log.warning("Airflow resumed this task with the event of another, about job %s", outcome.job_id)
            times = {name: waited_for[name] for name in ("started", "deadline", "limit") if name in waited_for}
            job = yield from self._operations.get_job(waited_for["job_id"])
            return (yield from self._advance.advance(job, **times))
        if waited_for and self._order.most is not None and waited_for.get("most") is not None:
            self._spent((self._order.most - waited_for["most"],))
        job = yield from self._advance.after(outcome, (waited_for or {}).get("target"))
        return (yield from self._advance.advance(job, outcome.started, outcome.deadline, outcome.limit))

    def lost(self, job_id: str) -> Flow[Job]:
        """The wait of another process was lost, and its time is over."""
        return self._advance.timed_out(job_id, "timed out: its trigger did not answer in time")

    # Up to a job

    def _given_job(self, job_id: str) -> Flow[Job]:
        job = yield from self._operations.get_job(job_id)
        if job.status in _RENDERS_OR_HAS_RENDERED and not self._may_have_ordered():
            self._advance.check_order(job, own=False)
        yield from self._begin()
        return (yield from self._take_up(job))

    def _own_job(self) -> Flow[Job]:
        was_cleared = self._old is not None and self._old.was_cleared(self._past.max_tries)
        yield from self._begin()
        job = yield from self._job_on_record()
        is_over = job is not None and self._advance.next(job) is Action.GIVE_UP
        if job is not None and is_over and self._order.replaces_job:
            spent = self._record.spent if was_cleared else (*self._record.spent, cost_of(job))
            if (after := replace(self._order, spent=spent)).is_spent:
                raise at_ceiling(f"{after.name} {fate(job)}", after, job)
            self._log.info("Job %s of an earlier try is %s: starting a new one", job.id, job.status)
            now = self._now()
            yield from self._note(slug=None, job_id=None, started=now, deadline=now + after.timeout, spent=spent)
            job = None
        return (yield from (self._create() if job is None else self._take_up(job)))

    def _begin(self) -> Flow[None]:
        """Take up the record of an earlier try if it is about the same work, else begin a new one.

        A job of other work (an edited DAG, a mapped task whose list has changed), and one that a
        user's clear is to replace, is stopped first.
        """
        order, past, old, now = self._order, self._past, self._old, self._now()
        if old is not None and not self._is_replaced(old) and (yield from self._is_same_work(old)):
            old = old.model_copy(update={"work": order.mark, "source": order.source})
            goes_on = old.job_id is not None and not old.was_cleared(past.max_tries)
            yield from self._keep(old if goes_on else old.extended(now, order.timeout, past.max_tries))
            return
        if old is not None and old.job_id not in {None, order.job_id}:
            yield from self._stop(str(old.job_id))
        yield from self._keep(JobRecord.of(order, now, past.max_tries))

    def _may_have_ordered(self) -> bool:
        """Whether an earlier try may have ordered the same: without a store nobody knows."""
        return not self._past.is_kept or (self._old is not None and self._old.is_about(self._order))

    def _is_same_work(self, old: JobRecord) -> Flow[bool]:
        """By the record; or because the job renders what is ordered now, in other words."""
        order = self._order
        if old.is_about(order):
            return True
        if old.job_id is None or order.content is None or old.content != order.content:
            return False
        try:
            job = yield from self._operations.get_job(old.job_id)
        except RenderjuiceNotFoundError:
            return False
        return renders(order.config, job.requested_config, job.final_config)

    def _is_replaced(self, old: JobRecord) -> bool:
        order = self._order
        return order.makes_its_job and order.on_clear == "resubmit" and old.was_cleared(self._past.max_tries)

    def _job_on_record(self) -> Flow[Job | None]:
        if self._record.job_id is None:
            return None
        try:
            return (yield from self._operations.get_job(self._record.job_id))
        except RenderjuiceNotFoundError:
            self._log_that_it_is_unknown(self._record.job_id)
            return None

    def _take_up(self, job: Job) -> Flow[Job]:
        """The job of an earlier try.

        If that try died before it could stop an overdue render, it is stopped now.
        """
        record, now = self._record, self._now()
        is_overdue = now >= record.deadline and self._order.cancel_on_timeout
        if is_overdue and job.status in RENDER_STARTED and not job.is_over:
            message = f"timed out: it is {job.status}, and its deadline has passed"
            return (yield from self._advance.timed_out(job.id, message))
        yield from self._keep(record.extended(now, self._order.timeout, self._past.max_tries))
        return job

    def _create(self) -> Flow[Job]:
        """A job from the scene, uploaded only if no earlier try did."""
        job = (yield from self._create_from(self._record.slug)) if self._record.slug else None
        if job is None:
            target = yield from upload(self._operations, self._order.scene, one_scene=True)
            yield from self._note(slug=target.slug)
            job = yield from self._operations.create_job(target.slug)
        yield from self._note(job_id=job.id)
        return job

    def _create_from(self, slug: str) -> Flow[Job | None]:
        try:
            return (yield from self._operations.create_job(slug))
        except (RenderjuiceRefusedError, RenderjuiceNotFoundError) as error:
            self._log.info("The upload that there was is of no use any more (%s): uploading again", error.what)
            return None

    def _stop(self, job_id: str) -> Flow[None]:
        try:
            job = yield from self._operations.cancel_job(job_id)
        except RenderjuiceNotFoundError:
            self._log_that_it_is_unknown(job_id)
            return
        self._log.info("Job %s of an earlier try is not wanted any more; it is %s", job.id, job.status)

    # The record

    def _keep(self, record: JobRecord) -> Flow[None]:
        yield from Save(record)
        self._record = record
        self._spent(record.spent)

    def _spent(self, spent: tuple[float | None, ...]) -> None:
        """What the work has cost so far: its next job may spend the rest."""
        if spent != self._order.spent:
            self._order = replace(self._order, spent=spent)
            self._advance = Advance(self._order, self._operations, self._log)

    def _note(self, **changes: Any) -> Flow[None]:
        return self._keep(self._record.model_copy(update=changes))

    def _now(self) -> float:
        return self._operations.now().timestamp()

    def _log_that_it_is_unknown(self, job_id: str) -> None:
        self._log.warning(
            "Job %s of an earlier try is unknown to this connection. If it belongs to another account, look there "
            "whether it runs.",
            job_id,
        )
