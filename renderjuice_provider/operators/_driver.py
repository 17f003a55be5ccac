"""Performing the course of a job inside Airflow: store its record, publish its id, wait for it.

What is to be done is decided in `renderjuice_provider.lifecycle.course`, which opens with the
theory. Nothing here decides about a job.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from renderjuice_provider import xcom_keys
from renderjuice_provider._deferral import BACKSTOP, job_trigger
from renderjuice_provider._job_errors import RenderjuiceJobOverError, not_retried
from renderjuice_provider._task_state import DEADLINE_KEY, RECORD_KEY
from renderjuice_provider.api import errors
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.redact import redact, storable
from renderjuice_provider.lifecycle.course import Course, Past
from renderjuice_provider.lifecycle.job_poller import JobPoller, watch
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.record import JobRecord, Order
from renderjuice_provider.lifecycle.steps import Found, ReportStuck, Save, WaitFor, performed
from renderjuice_provider.lifecycle.unfinished import leaves
from renderjuice_provider.links.renderjuice import push_preview
from renderjuice_provider.operators._stuck import StuckReports
from renderjuice_provider.operators._task_store import TaskStore

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from renderjuice_provider.api._flow import Flow, Step
    from renderjuice_provider.api.client import RenderjuiceClient
    from renderjuice_provider.api.models import Job
    from renderjuice_provider.operators._kills import KillSwitch
    from renderjuice_provider.operators._signals import Signals

T = TypeVar("T")
_CREATOR = "RenderjuiceCreateJobOperator"


class Driver:
    """Performs the course of one job in one process of a task.

    Args:
        task: the operator, which defers.
        context: of the running task.
        client: performs the calls.
        kill_switch: is armed as soon as there is a job.
        signals: gets what becomes of jobs, for statistics.
        conn_id: the connection, for the trigger.
        deferrable: whether to wait in the triggerer.
        poll_interval: seconds between two polls.
        key: of the record in the task's state store.
    """

    def __init__(
        self,
        task: BaseOperator,
        context: Context,
        client: RenderjuiceClient,
        kill_switch: KillSwitch,
        signals: Signals,
        *,
        conn_id: str,
        deferrable: bool,
        poll_interval: float,
        key: str = RECORD_KEY,
    ) -> None:
        self._task = task
        self._context = context
        self._ti: Any = context.get("ti")
        self._store = TaskStore(context, key)
        self._stuck = StuckReports(task, context, key)
        self._client = client
        self._kill_switch = kill_switch
        self._signals = signals
        self._conn_id = conn_id
        self._deferrable = deferrable
        self._poll_interval = poll_interval
        self._published = ""

    def run(self, order: Order) -> Job:
        """Start the course, or go on with what an earlier try has left."""
        return self.walk(order, self._course(order).run())

    def resume(self, order: Order, outcome: Outcome, waited_for: Mapping[str, Any] | None) -> Job:
        """Go on after a deferral."""
        self._signals.waited(outcome.job_id, outcome.ending)
        return self.walk(order, self._course(order).resumed(outcome, waited_for), outcome.job_id)

    def give_up(self, order: Order) -> Job | None:
        """Airflow itself has ended the deferral: the job must not run on. None without a job."""
        job_id = self.last_job_id()
        if job_id is None:
            return None
        self._signals.waited(job_id, Ending.TIMED_OUT)
        return self.walk(order, self._course(order).lost(job_id), job_id)

    def last_job_id(self) -> str | None:
        """The task's job, as far as a process knows that did not begin it."""
        return self._job_on_record() or self._published_id()

    def past(self) -> Past:
        """What this task instance has from its earlier tries."""
        return self._store.past()

    def walk(self, order: Order, flow: Flow[T], job_id: str = "") -> T:
        """Perform a course, or a flow that is made of courses.

        Args:
            order: what it orders; decides what a kill means.
            flow: the course.
            job_id: that it is about, where that is known.
        """
        try:
            return self._client.run(performed(flow, partial(self._perform, order=order)))
        except KeyboardInterrupt as interrupt:
            if self._kill_switch.job is None:
                raise
            raise self._kill_switch.interrupt() from interrupt
        except errors.RenderjuiceJobOverError as over:
            self._note_end(over, order)
            raise self._not_to_be_retried(over) from None
        except RenderjuiceError as error:
            self._note_end(error, order)
            leaves(error, self._kill_switch.job, job_id or self._job_on_record() or order.job_id or "")
            raise

    def _note_end(self, error: RenderjuiceError, order: Order) -> None:
        """A job that was stopped at the deadline is known by its error alone."""
        job = error.job if isinstance(error, errors.RenderjuiceJobError) else None
        if job is not None and order.renders:
            self._signals.seen(job)

    def _course(self, order: Order) -> Course:
        return Course(order, self.past(), self._client.operations, self._task.log)

    def _job_on_record(self) -> str | None:
        record = JobRecord.read(self._store.load())
        return record.job_id if record is not None else None

    def _published_id(self) -> str | None:
        job_id: str | None = self._ti.xcom_pull(
            task_ids=self._task.task_id,
            key=xcom_keys.JOB_ID,
            map_indexes=self._ti.map_index,  # else those of all tasks of the same mapping
        )
        return job_id

    def _perform(self, step: Step[Any], order: Order) -> Flow[Any]:
        match step:
            case Save():
                self._store.save(step.record.model_dump())
            case Found():
                self._publish(step.job, order)
            case ReportStuck():
                self._stuck.report(step.job_id, step.message)
            case WaitFor():
                return (yield from self._wait(step, order))
            case _:
                return (yield from step)
        return None

    def _publish(self, job: Job, order: Order) -> None:
        """For the UI, for other tasks, and for kills.

        Airflow wipes XComs at each new try, so the record is kept elsewhere.
        """
        if self._ti is not None and self._published != job.id:
            self._ti.xcom_push(key=xcom_keys.JOB_ID, value=job.id)
            self._published = job.id
            if order.renders:
                self._ti.xcom_push(key=xcom_keys.CONFIG, value=storable(order.config))
        if order.renders:
            self._signals.seen(job)
        push_preview(self._context, job)
        findable = self._store.lasts or not order.makes_its_job
        self._kill_switch.arm(job, order, self._client, self._ti, findable=findable)

    def _wait(self, wait: WaitFor, order: Order) -> Flow[Outcome]:
        if wait.patience and self._stuck.is_reported(wait.job_id):
            wait = replace(wait, patience=None)
        if self._deferrable:
            self._defer(wait, order)
        poller = JobPoller(**asdict(wait) | {"patience": wait.patience}, poll_interval=self._poll_interval)
        outcome = yield from watch(self._client.operations, poller, self._task.log.info, self._signals.polled)
        self._signals.waited(outcome.job_id, outcome.ending)
        return outcome

    def _defer(self, wait: WaitFor, order: Order) -> None:
        """Give the wait to a trigger. This raises: the process ends here."""
        trigger = job_trigger(
            renderjuice_conn_id=self._conn_id,
            job_id=wait.job_id,
            target=wait.target,
            poll_interval=self._poll_interval,
            started=wait.started,
            deadline=wait.deadline,
            limit=wait.limit,
            cancel_on_kill=order.cancel_on_kill,
            cancel_on_timeout=order.cancel_on_timeout,
            max_normalized_seconds=wait.most,
            **_patience(wait),
        )
        if order.cancel_on_timeout and self._ti is not None:
            # So that no older trigger stops this job.
            self._ti.xcom_push(key=DEADLINE_KEY, value=wait.deadline)
        self._task.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={"waits_for": asdict(wait)},
            timeout=timedelta(seconds=max(0.0, wait.deadline - time.time()) + BACKSTOP),
        )

    def _not_to_be_retried(self, over: errors.RenderjuiceJobOverError) -> RenderjuiceJobOverError:
        """The same error, in a form that Airflow does not retry, with what to clear in this DAG."""
        if over.next_step:
            return not_retried(over)
        creator = self._creator()
        again = "" if over.bill is errors.Bill.NOTHING_RENDERED else ", which costs again"
        what = f"clear this shot from `{creator}` on{again}" if creator else "create a new job"
        return not_retried(over, next_step=what)

    def _creator(self) -> str | None:
        """The task that created the job, as far as the DAG shows: where to clear from."""
        if not self._task.has_dag():
            return None
        before = self._task.get_flat_relatives(upstream=True)
        return next((task.task_id for task in before if task.task_type == _CREATOR), None)


def _patience(wait: WaitFor) -> dict[str, Any]:
    """As the trigger takes it."""
    if wait.patience is None:
        return {}
    patience = wait.patience
    return {
        "stuck_after": patience.times,
        "seconds_per_frame": patience.seconds_per_frame,
        "cancel_stuck": patience.cancels,
    }


def shot_name(context: Context, scene: Any = None) -> str:
    """What the artist calls the job: the label of a mapped task, or the scene's file."""
    label = getattr(context.get("ti"), "rendered_map_index", None)
    path = redact(str(scene or "")).replace("\\", "/")
    return label or path.rpartition("/")[2] or "The job"
