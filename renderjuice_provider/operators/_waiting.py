"""Taking one job from where it is to where it should be, deferred or on the worker, by one and the same logic."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import Argument, truth
from renderjuice_provider._deferral import (
    BACKSTOP,
    DEFAULT_POLL_INTERVAL,
    RenderjuiceJobOverError,
    deferrable_by_default,
    earlier_deadline,
    job_trigger,
    seconds,
)
from renderjuice_provider._task_state import DEADLINE_KEY
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceJobError, RenderjuiceTimeoutError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.redact import redact
from renderjuice_provider.lifecycle.job_poller import JobPoller, fate
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.polling import watch
from renderjuice_provider.lifecycle.record import JobRecord
from renderjuice_provider.lifecycle.status import Action
from renderjuice_provider.lifecycle.stopping import HOW_TO_STOP, after_stop, stop_all
from renderjuice_provider.links.renderjuice import RenderjuicePreviewLink, push_preview
from renderjuice_provider.operators._kills import KillableOperator
from renderjuice_provider.operators._task_store import TaskStore
from renderjuice_provider.xcom_keys import JOB_ID as JOB_KEY

if TYPE_CHECKING:
    from airflow.sdk import Context

_CREATOR = "RenderjuiceCreateJobOperator"
_TARGETS = {Action.WAIT_FOR_VALIDATION: JobStatus.VALIDATED, Action.WAIT_FOR_RENDER: JobStatus.COMPLETED}
_ALREADY_ORDERED = {Action.VALIDATE: Action.WAIT_FOR_VALIDATION, Action.RENDER: Action.WAIT_FOR_RENDER}
_SETTLING = 60.0
"""Seconds that a cancelled job has to become `canceled`, or `completed` after all, before we stop watching."""


class JobOperator(KillableOperator):
    """An operator that advances one job and waits for it.

    Args:
        wait: whether to wait; False returns as soon as the order is given.
        deferrable: wait in the triggerer, without a worker slot. True by default, since a render takes hours;
            `[operators] default_deferrable`, set in the environment, overrules that default.
        poll_interval: seconds between two looks at the job (or a timedelta), at most: jobs that wait with the same connection are
            looked at together.
        timeout: seconds (or a timedelta) after which the wait is given up, counted from the start of the task. Airflow's own
            `execution_timeout`, which counts for each try, ends it too where that comes first.
        renderjuice_conn_id: see `RenderjuiceHook`.
    """

    operator_extra_links = (RenderjuicePreviewLink(),)
    template_fields = (*KillableOperator.template_fields, "wait", "poll_interval", "timeout")
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

    last_wait = Action.WAIT_FOR_VALIDATION
    """The wait that `wait=False` leaves out."""

    @abstractmethod
    def next_step(self, job: Job) -> Action:
        """What to do with the job now."""

    @abstractmethod
    def take(self, step: Action, job: Job) -> Job:
        """Give the order that `step` stands for."""

    def finds_its_job_again(self, context: Context) -> bool:
        """Whether the next try would take up the job of this one."""
        return True

    @abstractmethod
    def summary(self, job: Job) -> dict[str, Any]:
        """What the task returns."""

    def advance(
        self, context: Context, job: Job, started: float, deadline: float, limit: str = "timeout"
    ) -> dict[str, Any]:
        """Go on with the job from its present status until it is where it should be.

        Args:
            context: of the task.
            job: as it is.
            started: when the wait began, and
            deadline: when it ends at the latest, in seconds since the epoch; this try's `execution_timeout` may end it sooner.
            limit: the argument that set the deadline.
        """
        try:
            return self._advance(context, job, started, *earlier_deadline(self, context, deadline, limit))
        except KeyboardInterrupt as interrupt:
            raise self.interrupted() from interrupt

    def _advance(self, context: Context, job: Job, started: float, deadline: float, limit: str) -> dict[str, Any]:
        ordered: set[Action] = set()
        while True:
            self._remember(context, job)
            self.obey_the_kill()
            step = self.next_step(job)
            if step in ordered:  # the order was taken, its effect is not visible yet
                step = _ALREADY_ORDERED[step]
            if step is Action.DONE or (step is self.last_wait and not self.wait):
                return self.summary(job)
            if step is Action.GIVE_UP:
                raise self.over(job)
            if step in _TARGETS:
                job = self._after(self._wait(context, job.id, _TARGETS[step], started, deadline, limit))
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
            waits_for: `job_id`, `started`, `deadline` and `limit` of the wait that was deferred; None where Airflow loses it
                (`dag.test()`).
        """
        outcome = Outcome.from_event(event)
        if waits_for and waits_for["job_id"] != outcome.job_id:
            # With SQLite, Airflow gives the id of a trigger that was removed to the next one, and a triggerer that has not noticed
            # yet goes on with the old one.
            self.log.warning("Airflow resumed this task with the event of another, about job %s", outcome.job_id)
            times = {name: waits_for[name] for name in ("started", "deadline", "limit") if name in waits_for}
            return self.advance(context, self.client.get_job(waits_for["job_id"]), **times)
        job = self._after(outcome)
        return self.advance(context, job, outcome.started, outcome.deadline, outcome.limit)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As Airflow does it, but a deferral that Airflow itself timed out does not leave the job running."""
        from renderjuice_provider.compat import TaskDeferralTimeout

        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            record = JobRecord.read(TaskStore(context).load())
            job_id = record.job_id if record else context["ti"].xcom_pull(task_ids=self.task_id, key=JOB_KEY)
            if not job_id:
                raise
            return self.summary(self._timed_out(job_id, "timed out: its trigger did not answer in time"))

    def over(self, job: Job) -> RenderjuiceError:
        """The error for a job that is over and was no success."""
        return self.no_success(job, f"{self._shot()} {fate(job)}. Nothing is running; {self.bill(job)}.")

    def no_success(self, job: Job, message: str) -> RenderjuiceError:
        """An error that says what a retry would do: by default nothing, since the same job cannot succeed any more."""
        creator = self._creator()
        what = f"clear this shot from `{creator}` on, which costs again" if creator else "create a new one"
        return RenderjuiceJobOverError(f"{message} A retry cannot help this job: {what}. (job {job.id})", job=job)

    def _creator(self) -> str | None:
        """The task that created the job, as far as the DAG shows: where to clear from."""
        if not self.has_dag():  # type: ignore[no-untyped-call]
            return None
        before = self.get_flat_relatives(upstream=True)
        return next((task.task_id for task in before if task.task_type == _CREATOR), None)

    def bill(self, job: Job) -> str:
        """What the job has cost, for messages."""
        if job.normalized_seconds:
            return f"{job.normalized_seconds:g} normalized seconds are billed"
        if job.normalized_seconds == 0 or not self.spends_money:
            return "nothing was rendered, so nothing is billed"
        ordered = job.requested_config is not None or job.final_config is not None
        return "what was rendered is billed" if ordered else "what was rendered, if anything, is billed"

    def _shot(self) -> str:
        """What the artist calls it: the label of a mapped task, or the scene's file."""
        label = getattr(self._ti, "rendered_map_index", None)
        path = redact(str(getattr(self, "file_path", "") or "")).replace("\\", "/")
        return label or path.rpartition("/")[2] or "The job"

    def _wait(self, context: Context, job_id: str, target: str, started: float, deadline: float, limit: str) -> Outcome:
        times: dict[str, Any] = {"started": started, "deadline": deadline, "limit": limit}
        if self.deferrable:
            trigger = job_trigger(
                renderjuice_conn_id=self.renderjuice_conn_id,
                job_id=job_id,
                target=str(target),
                poll_interval=self.poll_interval,
                cancel_on_kill=self.cancel_on_kill,
                cancel_on_timeout=self.cancel_on_timeout,
                **times,
            )
            if self.cancel_on_timeout and context.get("ti") is not None:
                context["ti"].xcom_push(key=DEADLINE_KEY, value=deadline)  # so that no older trigger stops this job
            backstop = max(0.0, deadline - time.time()) + BACKSTOP
            self.defer(
                trigger=trigger,
                method_name="execute_complete",
                kwargs={"waits_for": {"job_id": job_id} | times},
                timeout=timedelta(seconds=backstop),
            )
        wait = JobPoller(job_id, str(target), poll_interval=self.poll_interval, **times)
        return self.client.run(watch(self.client.operations, wait, self.log.info))

    def _after(self, outcome: Outcome) -> Job:
        if outcome.ending is Ending.TIMED_OUT:
            return self._timed_out(outcome.job_id, outcome.message, stopped=outcome.stopped)
        if outcome.ending is Ending.REFUSED:
            raise RenderjuiceJobError(
                f"{outcome.message}. The job was left as it is and may be running: a retry looks at it again. "
                f"(job {outcome.job_id})"
            )
        late = outcome.status == JobStatus.CANCELED and time.time() >= outcome.deadline
        if outcome.ending is Ending.OVER and late and self.cancel_on_timeout:  # by a triggerer that then died
            return self._timed_out(outcome.job_id, f"timed out ({outcome.limit})", stopped=True)
        return self.client.get_job(outcome.job_id)

    def _timed_out(self, job_id: str, message: str, *, stopped: bool | None = None) -> Job:
        """Our deadline passed: stop the job if that is wished and not done yet, and rejoice if it was just done."""
        if not self.cancel_on_timeout:
            raise RenderjuiceTimeoutError(
                f"{self._shot()} {message}. The job was left running: a retry re-attaches to it. (job {job_id})"
            )
        if not stopped:
            now = time.time()
            stopping = stop_all(
                self.client.operations, [job_id], poll_interval=2.0, until=now + _SETTLING, say=self.log.info
            )
            seen = self.client.run(stopping)[job_id]
            outcome = Outcome(ending=Ending.TIMED_OUT, job_id=job_id, message=message, started=now, deadline=now)
            outcome = after_stop(outcome, seen)
            if outcome.stopped is False:
                raise RenderjuiceTimeoutError(
                    f"{self._shot()} {outcome.message}. It may be running, and costs money: {HOW_TO_STOP}; "
                    f"a retry tries that, too. (job {job_id})"
                )
        job = self.client.get_job(job_id)
        if job.status == JobStatus.COMPLETED:
            return job
        raise self.no_success(job, f"{self._shot()} {message}. It was cancelled and is {job.status}; {self.bill(job)}.")

    def _remember(self, context: Context, job: Job) -> None:
        """For kills, for the UI, and for a resume that brings no event. XComs are wiped at each try, so this is no memory."""
        ti = context.get("ti")
        if ti is not None and (self._job is None or self._job.id != job.id):
            ti.xcom_push(key=JOB_KEY, value=job.id)
        push_preview(context, job)
        self._job, self._ti, self._is_found_again = job, ti, self.finds_its_job_again(context)
