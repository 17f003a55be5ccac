"""From a job to the goal: read its status, give one order or wait once, and again.

Where this stands in the course of a job is drawn in `renderjuice_provider.lifecycle.course`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from renderjuice_provider.api._flow import Flow
from renderjuice_provider.api._money import bill_of
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.errors import (
    Bill,
    RenderjuiceInputError,
    RenderjuiceJobError,
    RenderjuiceJobOverError,
    RenderjuiceOtherOrderError,
    RenderjuiceTimeoutError,
    RetryEffect,
)
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.lifecycle.ceiling import at_ceiling
from renderjuice_provider.lifecycle.findings import log_findings
from renderjuice_provider.lifecycle.job_poller import earlier_deadline, fate
from renderjuice_provider.lifecycle.order import compare
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.record import Order
from renderjuice_provider.lifecycle.status import Action, action_to_rendered, action_to_validated
from renderjuice_provider.lifecycle.steps import Found, ReportStuck, WaitFor
from renderjuice_provider.lifecycle.stopping import HOW_TO_STOP, after_stop, stop_all

SETTLING = 60.0
"""Seconds that a cancelled job has to become `canceled`, or `completed` after all."""
_TARGETS = {Action.WAIT_FOR_VALIDATION: JobStatus.VALIDATED, Action.WAIT_FOR_RENDER: JobStatus.COMPLETED}
_ALREADY_ORDERED = {Action.VALIDATE: Action.WAIT_FOR_VALIDATION, Action.RENDER: Action.WAIT_FOR_RENDER}


class Advance:
    """Takes one job to the goal of an order, in one process.

    Args:
        order: what is ordered.
        operations: of the client that performs the calls.
        log: see `Course`.
    """

    def __init__(self, order: Order, operations: Operations, log: Any) -> None:
        self._order = order
        self._operations = operations
        self._log = log
        self._logged_unknown_of = ""
        self._reported: set[str] = set()
        self._render_ordered: bool | None = None
        """Of the present job; None while nobody knows. One that was over while its validation was
        waited for has rendered nothing."""

    def advance(self, job: Job, started: float, deadline: float, limit: str = "timeout") -> Flow[Job]:
        """Go on from the job's present status until it is where it should be.

        Args:
            job: as it is.
            started: when the work began, in seconds since the epoch, for messages.
            deadline: when it ends at the latest, likewise; this try's `execution_timeout` may end
                it sooner.
            limit: the argument that set the deadline.
        """
        order = self._order
        deadline, limit = earlier_deadline(deadline, limit, order.try_ends)
        last_wait = Action.WAIT_FOR_RENDER if order.renders else Action.WAIT_FOR_VALIDATION
        ordered: set[Action] = set()
        while True:
            yield from Found(job)
            action = self.next(job)
            if action in ordered:  # the order was taken, its effect is not visible yet
                action = _ALREADY_ORDERED[action]
            if action is Action.DONE or (action is last_wait and not order.wait):
                return job
            if action is Action.GIVE_UP:
                raise self._over(job, fate(job))
            if action is not Action.WAIT_FOR_VALIDATION:
                self._render_ordered = action is not Action.VALIDATE
            if action in _TARGETS:
                target = _TARGETS[action]
                renders = target is JobStatus.COMPLETED and job.id not in self._reported
                patience = order.patience if renders else None
                outcome = yield from WaitFor(job.id, str(target), started, deadline, limit, order.left, patience)
                job = yield from self.after(outcome, target)
            else:
                ordered.add(action)
                job = yield from self._perform(action, job)

    def next(self, job: Job) -> Action:
        """What to do with the job now. A job that renders something else is an error.

        Raises:
            RenderjuiceOtherOrderError: naming the fields that differ.
        """
        if not self._order.renders:
            return action_to_validated(job.status)
        action = action_to_rendered(job.status)
        if action in {Action.WAIT_FOR_RENDER, Action.DONE}:
            self.check_order(job)
        return action

    def _perform(self, action: Action, job: Job) -> Flow[Job]:
        order = self._order
        if action is Action.VALIDATE:
            if order.renders and not order.makes_its_job:
                raise RenderjuiceInputError(
                    "The job is created, not validated",
                    bill=Bill.NOTHING_ORDERED,
                    next_step="put a RenderjuiceValidateJobOperator before this task, or use "
                    "RenderjuiceRunJobOperator, which does it all",
                    job_id=job.id,
                )
            return (yield from self._operations.validate_job(job.id))
        if order.makes_its_job:
            log_findings(self._log, job)
        return (yield from self._operations.start_render(job.id, order.render_config))

    def check_order(self, job: Job, *, own: bool = True) -> None:
        """Compare the job's order with that of this task.

        Args:
            job: that renders, or has rendered.
            own: whether this task may have ordered that itself. Then what the job has beside the
                order is a default that the API has filled in; else somebody else has chosen it.
        """
        found = compare(self._order.config, job.requested_config)
        added = () if own else found.added
        differences = (*found.differences, *(f"{name}, which was not ordered" for name in added))
        if differences:
            raise RenderjuiceOtherOrderError(
                f"Another order: {'; '.join(differences)}. The job is {job.status}",
                job=job,
                next_step="create a new job for this order, or order here what the job has",
            )
        if found.unknown and self._logged_unknown_of != job.id:
            unknown = ", ".join(found.unknown)
            self._log.info("Renderjuice does not report whether job %s renders what was ordered as %s", job.id, unknown)
        self._logged_unknown_of = job.id

    # How a wait ended

    def after(self, outcome: Outcome, target: str | None) -> Flow[Job]:
        """The job after a wait for `target`; None where nobody knows what was waited for."""
        if target == JobStatus.VALIDATED:
            self._render_ordered = None if outcome.ending is Ending.REACHED else False
        if outcome.stuck:
            self._reported.add(outcome.job_id)
            yield from ReportStuck(outcome.job_id, outcome.stuck)
            if outcome.ending is Ending.STUCK and self._order.patience and self._order.patience.cancels:
                return (yield from self._stopped(outcome.job_id, outcome.message, stopped=outcome.stopped))
        if outcome.ending is Ending.TIMED_OUT:
            return (yield from self.timed_out(outcome.job_id, outcome.message, stopped=outcome.stopped))
        if outcome.ending is Ending.AT_CEILING:
            return (
                yield from self._stopped(outcome.job_id, outcome.message, stopped=outcome.stopped, is_at_ceiling=True)
            )
        if outcome.ending is Ending.REFUSED:
            raise RenderjuiceJobError(
                outcome.message, bill=Bill.LEFT_ALONE, retry=RetryEffect.AFTER_CORRECTION, job_id=outcome.job_id
            )
        late = outcome.status == JobStatus.CANCELED and self._now() >= outcome.deadline
        # A triggerer has cancelled it at the deadline, and died before it could report that.
        if outcome.ending is Ending.OVER and late and self._order.cancel_on_timeout:
            return (yield from self.timed_out(outcome.job_id, f"timed out ({outcome.limit})", stopped=True))
        return (yield from self._operations.get_job(outcome.job_id))

    def timed_out(self, job_id: str, message: str, *, stopped: bool | None = None) -> Flow[Job]:
        """The deadline has passed: cancel the job if that is wanted.

        If it completed meanwhile, that is a success.
        """
        order = self._order
        if not order.cancel_on_timeout:
            raise RenderjuiceTimeoutError(
                f"{order.name} {message}", bill=Bill.RUNNING, retry=RetryEffect.REATTACHES, job_id=job_id
            )
        return (yield from self._stopped(job_id, message, stopped=stopped))

    def _stopped(self, job_id: str, message: str, *, stopped: bool | None, is_at_ceiling: bool = False) -> Flow[Job]:
        """The job after it was to be stopped: if it completed meanwhile, that is a success."""
        if not stopped:
            yield from self._stop_for_good(job_id, message)
        job = yield from self._operations.get_job(job_id)
        if job.status == JobStatus.COMPLETED:
            return job
        raise self._over(job, f"{message}. It was cancelled and is {job.status}", is_at_ceiling=is_at_ceiling)

    def _stop_for_good(self, job_id: str, message: str) -> Flow[None]:
        now = self._now()
        stopping = stop_all(self._operations, [job_id], poll_interval=2.0, until=now + SETTLING, log=self._log.info)
        seen = (yield from stopping)[job_id]
        timed_out = Outcome(ending=Ending.TIMED_OUT, job_id=job_id, message=message, started=now, deadline=now)
        outcome = after_stop(timed_out, seen)
        if outcome.stopped is False:
            raise RenderjuiceTimeoutError(
                f"{self._order.name} {outcome.message}",
                bill=Bill.MAY_RUN,
                retry=RetryEffect.STOPS_AGAIN,
                next_step=HOW_TO_STOP,
                job_id=job_id,
            )

    def _over(self, job: Job, what: str, *, is_at_ceiling: bool = False) -> RenderjuiceJobError:
        """The error for a job that is over without success, saying what a retry would do."""
        order = self._order
        message = f"{order.name} {what}"
        bill = bill_of(job, render_ordered=self._render_ordered if order.renders else False)
        after = replace(order, spent=(*order.spent, 0.0 if bill is Bill.NOTHING_RENDERED else job.normalized_seconds))
        if is_at_ceiling or after.is_spent:
            return at_ceiling(message, after, job)
        if order.makes_its_job:
            return RenderjuiceJobError(
                message, job=job, bill=bill, retry=RetryEffect.NEW_JOB, next_step="clear this task"
            )
        return RenderjuiceJobOverError(message, job=job, bill=bill)

    def _now(self) -> float:
        return self._operations.now().timestamp()
