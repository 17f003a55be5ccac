"""Taking one job from where it is to where it should be, deferred or on the worker, by one and the same logic."""

from __future__ import annotations

import sys
import time
from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRuntimeError

from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceJobError, RenderjuiceTimeoutError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.arguments import Argument, truth
from renderjuice_provider.compat import AirflowTaskTimeout
from renderjuice_provider.deferral import (
    BACKSTOP,
    DEFAULT_POLL_INTERVAL,
    RenderjuiceJobOverError,
    deferrable_by_default,
    job_trigger,
    seconds,
)
from renderjuice_provider.links.renderjuice import RenderjuicePreviewLink, push_preview
from renderjuice_provider.operators.base import RenderjuiceOperator
from renderjuice_provider.operators.memory import Memory, OnClear
from renderjuice_provider.task_state import ENDED, task_state
from renderjuice_provider.waiting.job_wait import JobWait
from renderjuice_provider.waiting.outcome import Ending, Outcome
from renderjuice_provider.waiting.record import JobRecord
from renderjuice_provider.waiting.steps import Step
from renderjuice_provider.waiting.watch import watch

if TYPE_CHECKING:
    from airflow.sdk import Context

JOB_KEY = "renderjuice_job_id"
"""XCom key under which the job is known while the task is still waiting."""
_TARGETS = {Step.WAIT_FOR_VALIDATION: JobStatus.VALIDATED, Step.WAIT_FOR_RENDER: JobStatus.COMPLETED}
_ALREADY_ORDERED = {Step.VALIDATE: Step.WAIT_FOR_VALIDATION, Step.RENDER: Step.WAIT_FOR_RENDER}
_SETTLING = 60.0
"""Seconds that a cancelled job has to become `canceled`, or `completed` after all, before we stop watching."""

_ASKING = 4.0
"""Seconds that a killed task asks Airflow why. It has five in all, and a cancel is sent within a moment."""


class JobOperator(RenderjuiceOperator):
    """An operator that advances one job and waits for it.

    Args:
        wait: whether to wait; False returns as soon as the order is given.
        deferrable: wait in the triggerer, without a worker slot. True by default, since a render takes hours;
            `[operators] default_deferrable`, set in the environment, overrules that default.
        poll_interval: seconds between two looks at the job (or a timedelta), at most: jobs that wait with the same connection are
            looked at together.
        timeout: seconds (or a timedelta) after which the wait is given up, counted from the start of the task.
        renderjuice_conn_id: see `RenderjuiceHook`.
    """

    operator_extra_links = (RenderjuicePreviewLink(),)
    template_fields = (*RenderjuiceOperator.template_fields, "wait", "poll_interval", "timeout")
    multiple_outputs = True
    wait = Argument(truth)
    poll_interval = Argument(seconds)
    timeout = Argument(seconds)

    def __init__(
        self,
        *,
        timeout: float | timedelta,
        wait: bool = True,
        deferrable: bool | None = None,
        poll_interval: float | timedelta = DEFAULT_POLL_INTERVAL,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait = wait
        self.deferrable = deferrable_by_default() if deferrable is None else truth(deferrable, "deferrable")
        self.poll_interval = poll_interval
        self.timeout = timeout
        self._job: Job | None = None
        self._ti: Any = None
        self._killed = False
        self._is_found_again = True

    cancel_on_kill = False
    cancel_on_timeout = False
    on_clear: OnClear = "reattach"
    last_wait = Step.WAIT_FOR_VALIDATION
    """The wait that `wait=False` leaves out."""

    @abstractmethod
    def next_step(self, job: Job) -> Step:
        """What to do with the job now."""

    @abstractmethod
    def take(self, step: Step, job: Job) -> Job:
        """Give the order that `step` stands for."""

    def finds_its_job_again(self, context: Context) -> bool:
        """Whether the next try would take up the job of this one."""
        return True

    @abstractmethod
    def summary(self, job: Job) -> dict[str, Any]:
        """What the task returns."""

    def advance(self, context: Context, job: Job, started: float, deadline: float) -> dict[str, Any]:
        """Go on with the job from its present status until it is where it should be."""
        ordered: set[Step] = set()
        while True:
            self._remember(context, job)
            self._obey_the_kill()
            step = self.next_step(job)
            if step in ordered:  # the order was taken, its effect is not visible yet
                step = _ALREADY_ORDERED[step]
            if step is Step.DONE or (step is self.last_wait and not self.wait):
                return self.summary(job)
            if step is Step.GIVE_UP:
                raise self.over(job)
            if step in _TARGETS:
                job = self._after(self._wait(job.id, _TARGETS[step], started, deadline))
            else:
                ordered.add(step)
                job = self.take(step, job)

    def start(self, context: Context, job: Job) -> dict[str, Any]:
        """`advance` with a deadline that begins now."""
        now = time.time()
        return self.advance(context, job, now, now + self.timeout)

    def execute_complete(
        self, context: Context, event: Any = None, waits_for: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Resume after the trigger fired. What it says is checked, and the job is read again: the event is only a hint.

        Args:
            context: of the task.
            event: an `Outcome`.
            waits_for: `job_id`, `started` and `deadline` of the wait that was deferred; None where Airflow loses it (`dag.test()`).
        """
        outcome = Outcome.from_event(event)
        if waits_for and waits_for["job_id"] != outcome.job_id:
            # With SQLite, Airflow gives the id of a trigger that was removed to the next one, and a triggerer that has not noticed
            # yet goes on with the old one.
            self.log.warning("Airflow resumed this task with the event of another, about job %s", outcome.job_id)
            job = self.client.get_job(waits_for["job_id"])
            return self.advance(context, job, waits_for["started"], waits_for["deadline"])
        return self.advance(context, self._after(outcome), outcome.started, outcome.deadline)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As Airflow does it, but a deferral that Airflow itself timed out does not leave the job running."""
        from renderjuice_provider.compat import TaskDeferralTimeout

        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            record = JobRecord.read(Memory(context).load())
            job_id = record.job_id if record else context["ti"].xcom_pull(task_ids=self.task_id, key=JOB_KEY)
            if not job_id:
                raise
            return self.summary(self._timed_out(job_id, f"Job {job_id}: the trigger did not answer in time"))

    def on_kill(self) -> None:
        """Stop the bill when the task is killed on the worker.

        Airflow calls this from a signal handler and lets the task run on for some seconds, so nothing may be ordered after it.
        """
        self._killed = True
        self._stop_the_bill()

    def _obey_the_kill(self) -> None:
        if self._killed:
            self._stop_the_bill()  # the kill may have come before there was a job
            raise RenderjuiceError("The task was killed: it orders nothing any more.")

    def _stop_the_bill(self) -> None:
        if not self.cancel_on_kill or self._job is None or self._job.is_over:
            return
        if not self._is_to_stop():
            self.log.info("The task goes on without this process: its next try takes up job %s", self._job.id)
            return
        self._job = self.client.cancel_job(self._job.id)
        self.log.info("The task was killed; job %s is %s", self._job.id, self._job.status)

    def _is_to_stop(self) -> bool:
        """Whether the job is to end, and not this process alone.

        Airflow also ends a process whose task was taken for dead and given to another, or was cleared: its job is theirs. It takes
        tasks for dead when it is overloaded, and then it may not answer in time either: so without an answer it is the end only if
        no try is left that could take the job up. A clear that is to resubmit stops the job here: the next try knows a clear by
        `max_tries`, which Airflow raises, but for a task that was running it may lose that again. A job that the next try would
        not find is stopped in any case.
        """
        if isinstance(sys.exception(), AirflowTaskTimeout) or not self._is_found_again:
            return True
        states: list[str | None] = []

        def ask() -> None:
            try:
                states.append(task_state(self._ti))
            except AirflowRuntimeError as error:
                self.log.info("Airflow does not say what becomes of this task: %s", error)
            except Exception:  # noqa: BLE001 - there is no Airflow that could give the task to another
                states.append("removed")

        asking = Thread(target=ask, daemon=True)
        asking.start()
        asking.join(_ASKING)  # what the signal interrupted may hold the line to Airflow, and cannot let go of it now
        if not states or states[0] == "running":
            return self._ti is None or self._ti.try_number > self._ti.max_tries
        return states[0] in ENDED or (states[0] == "restarting" and self.on_clear == "resubmit")

    def over(self, job: Job) -> RenderjuiceError:
        """The error for a job that is over and was no success."""
        reason = f": {job.reason}" if job.status == JobStatus.FAILED else ""
        return self.no_success(
            job, f"Job {job.id} is {job.status}{reason}. Nothing is running; what was rendered is billed."
        )

    def no_success(self, job: Job, message: str) -> RenderjuiceError:
        """An error that says what a retry would do: by default nothing, since the same job cannot succeed any more."""
        return RenderjuiceJobOverError(f"{message} A retry cannot help this job: create a new one.", job=job)

    def _wait(self, job_id: str, target: str, started: float, deadline: float) -> Outcome:
        times: dict[str, Any] = {"poll_interval": self.poll_interval, "started": started, "deadline": deadline}
        if self.deferrable:
            trigger = job_trigger(
                renderjuice_conn_id=self.renderjuice_conn_id,
                job_id=job_id,
                target=str(target),
                cancel_on_kill=self.cancel_on_kill,
                **times,
            )
            backstop = max(0.0, deadline - time.time()) + BACKSTOP
            waits_for = {"job_id": job_id, "started": started, "deadline": deadline}
            self.defer(
                trigger=trigger,
                method_name="execute_complete",
                kwargs={"waits_for": waits_for},
                timeout=timedelta(seconds=backstop),
            )
        return self.client.run(watch(self.client.protocol, JobWait(job_id, str(target), **times), self.log.info))

    def _after(self, outcome: Outcome) -> Job:
        if outcome.ending is Ending.TIMED_OUT:
            return self._timed_out(outcome.job_id, outcome.message)
        if outcome.ending is Ending.REFUSED:
            raise RenderjuiceJobError(
                f"{outcome.message}. Job {outcome.job_id} was left as it is and may be running: a retry looks at it again."
            )
        return self.client.get_job(outcome.job_id)

    def _timed_out(self, job_id: str, message: str) -> Job:
        """Our deadline passed: stop the job if that is wished, and rejoice if it was just done."""
        if not self.cancel_on_timeout:
            raise RenderjuiceTimeoutError(f"{message}. The job was left running: a retry re-attaches to it.")
        job = self.client.cancel_job(job_id)
        if not job.is_over:
            now = time.time()
            settling = JobWait(job_id, JobStatus.CANCELED, poll_interval=2.0, started=now, deadline=now + _SETTLING)
            self.client.run(watch(self.client.protocol, settling, self.log.info))
            job = self.client.get_job(job_id)
        if job.status == JobStatus.COMPLETED:
            return job
        raise self.no_success(
            job, f"{message}. It was cancelled and is {job.status}; what was rendered until then is billed."
        )

    def _remember(self, context: Context, job: Job) -> None:
        """For kills, for the UI, and for a resume that brings no event. XComs are wiped at each try, so this is no memory."""
        ti = context.get("ti")
        if ti is not None and (self._job is None or self._job.id != job.id):
            ti.xcom_push(key=JOB_KEY, value=job.id)
        push_preview(context, job)
        self._job, self._ti, self._is_found_again = job, ti, self.finds_its_job_again(context)
