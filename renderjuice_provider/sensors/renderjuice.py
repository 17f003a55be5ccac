"""Waiting for a job that some other task, or somebody else, has started."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from renderjuice_provider._arguments import Argument, is_unknown, read_job_id
from renderjuice_provider._deferral import (
    BACKSTOP,
    is_deferrable,
    job_trigger,
    seconds,
    try_ends,
)
from renderjuice_provider._job_errors import RenderjuiceJobOverError
from renderjuice_provider._left_reason import leaving_reason
from renderjuice_provider._metrics import ON_WORKERS, POLLS
from renderjuice_provider._templates import OnlyWrittenTemplates
from renderjuice_provider.api.errors import (
    Bill,
    RenderjuiceError,
    RenderjuiceTimeoutError,
    RetryEffect,
)
from renderjuice_provider.compat import AirflowSensorTimeout, AirflowSkipException, AirflowTaskTimeout
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle.job_poller import Done, JobPoller, PollAgain, earlier_deadline, poll
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.stopping import HOW_TO_STOP
from renderjuice_provider.links.renderjuice import RenderjuicePreviewLink, keep_preview, push_preview
from renderjuice_provider.sensors._arguments import airflow_reads_this, check_target, interval_of

if TYPE_CHECKING:
    from typing import Unpack
    from uuid import UUID

    from airflow.sdk import Context, XComArg

    from renderjuice_provider._operator_arguments import SensorArguments

__all__ = [
    "RenderjuiceJobSensor",
]

_WHILE_UNKNOWN = 1.0
"""Seconds that Airflow's own sensor gets while ours may still be a template."""


class _NoLookError(RenderjuiceJobOverError):
    """Renderjuice refuses to show the job. `soft_fail` does not make a skip of that."""


class RenderjuiceJobSensor(OnlyWrittenTemplates, BaseSensorOperator):
    """Waits until a job has a status, or is past it. It only watches: it never cancels.

    Args:
        job_id: the id of the job, or what our operators return.
        target_status: the status to wait for, or one further along the way. `completed` by default.
        deferrable: wait in the triggerer, without a worker slot. None, the default, means True: a
            render takes hours. Only `[operators] default_deferrable`, set to false in the
            environment, overrules that. A sensor that defers polls once before, so a job that is
            there already ends it at once. With False it pokes on the worker, in the `mode` of every
            sensor.
        poll_interval: seconds (or a timedelta) between two polls. 30 by default: renders take
            minutes to hours. `exponential_backoff` and `max_wait` are for sensors that poke on the
            worker.
        poke_interval: Airflow's name for `poll_interval`. Of the two, an argument of this task
            counts before one in `default_args`.
        timeout: seconds (or a timedelta) after which the sensor fails, without a retry. None, the
            default, takes Airflow's own, `[sensors] default_timeout`, which is a week.
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, with the API key and the
            base URL.
        **kwargs: the arguments of every Airflow sensor, such as `task_id` and `soft_fail`.

    Returns:
        As XCom: the job's status.

    Raises:
        RenderjuiceInputError: when `target_status` is not a status of jobs (as an import error of
            the DAG; before the first poll where a template says it), when a time is not a number of
            seconds above 0, or when `poll_interval` and `poke_interval` differ.
        RenderjuiceJobOverError: when the job ended in another way; not retried. Airflow's
            `soft_fail` and `never_fail` make a skip of this and of a time-out. Where the API key is
            refused or the job is unknown, it fails all the same.
        AirflowSensorTimeout: when the timeout has passed; not retried. The job goes on, and costs
            money while it renders.
    """

    template_fields = ("renderjuice_conn_id", "job_id", "target_status", "poll_interval", "timeout")
    operator_extra_links = (RenderjuicePreviewLink(),)
    ui_color = "#ffe3c2"
    poll_interval = Argument(seconds)
    timeout: Any = Argument(lambda value, name: 0.0 if value == 0 else seconds(value, name))

    def __init__(
        self,
        *,
        job_id: str | UUID | XComArg,
        target_status: str | XComArg = "completed",
        deferrable: bool | None = None,
        poll_interval: float | timedelta | XComArg | None = None,
        poke_interval: float | timedelta | XComArg | None = None,
        timeout: float | timedelta | XComArg | None = None,
        renderjuice_conn_id: str = "renderjuice_default",
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        interval = interval_of(poll_interval, poke_interval, kwargs.get("default_args") or {})
        # Airflow 3.1 does not take None for its own default of the timeout.
        times = {"poke_interval": _WHILE_UNKNOWN} | ({} if timeout is None else {"timeout": _WHILE_UNKNOWN})
        super().__init__(**kwargs, **times)
        self.job_id: Any = job_id
        self.target_status: Any = str(target_status) if isinstance(target_status, str) else target_status
        self.deferrable = is_deferrable(deferrable)
        self.poll_interval = interval
        if timeout is not None:
            self.timeout = timeout
        self.renderjuice_conn_id = renderjuice_conn_id
        self._least_pause = 0.0

    @cached_property
    def hook(self) -> RenderjuiceHook:
        """The hook of this task."""
        return RenderjuiceHook(self.renderjuice_conn_id)

    @cached_property
    def _poller(self) -> JobPoller:
        now = time.time()
        return JobPoller(
            self.job_id, self.target_status, poll_interval=self.poll_interval, started=now, deadline=now + self.timeout
        )

    def prepare_template(self) -> None:
        """Check what is known when Airflow reads the DAG, so that a mistake is an import error.

        In `dag.test()` the sensor checks it when it runs, so that all other tasks can be tried.
        """
        super().prepare_template()
        if airflow_reads_this() and not is_unknown(self.target_status):
            check_target(self.target_status)

    @leaving_reason
    def execute(self, context: Context) -> Any:
        """Poll once; then wait in the triggerer, or poke on the worker."""
        check_target(self.target_status)
        self.job_id = read_job_id(self.job_id)
        self.poke_interval = self.poll_interval
        push_preview(context)
        # A connection that cannot be used fails here: Airflow's sensor could take it for a poke
        # that failed.
        _ = self.hook.client
        if not self.deferrable:
            return self._skipping_less(lambda: super(RenderjuiceJobSensor, self).execute(context))
        decision = self._first_poll()
        if isinstance(decision, Done):
            return self._result(context, decision.outcome)
        self._defer(context)

    def _first_poll(self) -> PollAgain | Done:
        try:
            return self._poller.on_job(self.hook.client.get_job(self.job_id), None, time.time())
        except RenderjuiceError as error:
            return self._poller.on_error(error, time.time())

    def _defer(self, context: Context) -> None:
        deadline, limit = earlier_deadline(self._poller.deadline, "timeout", try_ends(self, context))
        trigger = job_trigger(
            renderjuice_conn_id=self.renderjuice_conn_id,
            job_id=self.job_id,
            target=self.target_status,
            poll_interval=self.poll_interval,
            started=self._poller.started,
            deadline=deadline,
            limit=limit,
        )
        backstop = timedelta(seconds=max(0.0, deadline - self._poller.started) + BACKSTOP)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=backstop)

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once, and decide as the trigger would: a transient error fails nothing."""
        client = self.hook.client
        decision = client.run(poll(client.operations, self._poller))
        if decision.log_line:
            self.log.info(decision.log_line)
        ON_WORKERS.count(POLLS, {"connection": self.renderjuice_conn_id, "response": decision.response})
        if not isinstance(decision, Done):
            self._least_pause = self._least(decision)
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._result(context, decision.outcome))

    def _least(self, decision: PollAgain) -> float:
        """The pause to keep at least.

        With `exponential_backoff` Airflow sets the pause, but does not know of Retry-After.
        """
        return decision.retry_after if self.exponential_backoff else decision.pause

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        """Airflow's interval, or that of the job poller where it is longer."""
        return max(super()._get_next_poke_interval(*args, **kwargs), self._least_pause)

    @leaving_reason
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As Airflow does it, but `soft_fail` hides no error that is not about the job."""
        self.job_id = read_job_id(self.job_id)
        keep_preview(self)
        return self._skipping_less(
            lambda: super(RenderjuiceJobSensor, self).resume_execution(next_method, next_kwargs, context)
        )

    def execute_complete(self, context: Context, event: Any = None) -> str | None:
        """Resume after the trigger fired."""
        outcome = Outcome.from_event(event)
        if outcome.job_id != self.job_id:
            # With SQLite, Airflow may give a new trigger the id of one that was removed but still
            # runs.
            self.log.warning("Airflow resumed this sensor with the event of another, about job %s", outcome.job_id)
            self._defer(context)
        return self._result(context, outcome)

    def on_kill(self) -> None:
        """Log that the job goes on. The sensor did not start it, so it does not cancel it."""
        self.log.warning(
            "This sensor was stopped and only watches: job %s goes on, and costs money while it renders: %s.",
            self.job_id,
            HOW_TO_STOP,
        )

    def _result(self, context: Context, outcome: Outcome) -> str | None:
        if outcome.ending is Ending.REACHED:
            self._link_preview(context)
            return outcome.status
        error = _error(outcome)
        if isinstance(error, _NoLookError):
            raise error
        if self.soft_fail or self.never_fail:
            raise AirflowSkipException(str(error))
        if outcome.ending is Ending.OVER:
            raise error
        # As on the worker, where a retry may follow an `execution_timeout` and not a `timeout`.
        raise (AirflowTaskTimeout if outcome.limit == "execution_timeout" else AirflowSensorTimeout)(str(error))

    def _skipping_less(self, run: Callable[[], Any]) -> Any:
        """Keep Airflow's skip for a time-out only: here every other error is raised as itself."""
        try:
            return run()
        except AirflowSensorTimeout as late:  # Airflow's own, a moment before ours
            if self.never_fail:
                raise AirflowSkipException(str(late)) from late
            raise
        except AirflowSkipException as skip:
            cause = skip.__cause__
            if cause is None or isinstance(cause, (AirflowSkipException, AirflowSensorTimeout, AirflowTaskTimeout)):
                raise
            raise cause from None

    def _link_preview(self, context: Context) -> None:
        try:
            push_preview(context, self.hook.client.get_job(self.job_id))
        except RenderjuiceError as error:  # a picture is not worth failing for
            self.log.info("No preview: %s", error.what)


def _error(outcome: Outcome) -> RenderjuiceError:
    """Why the wait was not a success.

    What the job costs goes on, since this sensor touches nothing.
    """
    kinds: dict[Ending, tuple[type[RenderjuiceError], RetryEffect]] = {
        Ending.REFUSED: (_NoLookError, RetryEffect.AFTER_CORRECTION),
        Ending.TIMED_OUT: (RenderjuiceTimeoutError, RetryEffect.READS_AGAIN),
        Ending.OVER: (RenderjuiceJobOverError, RetryEffect.CANNOT_HELP),
    }
    kind, retry = kinds[outcome.ending]
    message = outcome.message if outcome.ending is Ending.REFUSED else f"The job {outcome.message}"
    watches = "this sensor only watches"
    return kind(message, bill=Bill.LEFT_ALONE, retry=retry, next_step=watches, job_id=outcome.job_id)
