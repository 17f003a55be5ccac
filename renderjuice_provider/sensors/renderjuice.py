"""Waiting for a job that some other task, or nobody here, has started."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue

from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.api.protocol import check_job_id
from renderjuice_provider.compat import AirflowSensorTimeout, AirflowTaskTimeout
from renderjuice_provider.deferral import (
    BACKSTOP,
    DEFAULT_POLL_INTERVAL,
    RenderjuiceJobOverError,
    deferrable_by_default,
    earlier_deadline,
    job_trigger,
    seconds,
)
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.links.renderjuice import RenderjuicePreviewLink, push_preview
from renderjuice_provider.waiting.job_wait import JobWait, Over
from renderjuice_provider.waiting.look import look
from renderjuice_provider.waiting.outcome import Ending, Outcome
from renderjuice_provider.waiting.stopping import HOW_TO_STOP

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg


class RenderjuiceJobSensor(BaseSensorOperator):
    """Waits until a job has a status, or is past it. It only watches: it never cancels.

    Args:
        job_id: the job.
        target_status: what to wait for, `completed` by default; a status further along the way counts too.
        deferrable: wait in the triggerer, without a worker slot: True by default, see `JobOperator`. Otherwise the sensor pokes on
            the worker, in either `mode`.
        poll_interval: seconds between two looks (or a timedelta).
        timeout: seconds (or a timedelta) after which the sensor fails, without retry; Airflow's own default is a week.
        renderjuice_conn_id: see `RenderjuiceHook`.

    Returns (XCom): the job's status.

    Raises:
        RenderjuiceJobOverError: when the job ended in another way; not retried.
    """

    template_fields = ("renderjuice_conn_id", "job_id", "target_status")
    operator_extra_links = (RenderjuicePreviewLink(),)
    ui_color = "#ffe3c2"

    def __init__(
        self,
        *,
        job_id: str | XComArg,
        target_status: str = JobStatus.COMPLETED,
        deferrable: bool | None = None,
        poll_interval: float | timedelta = DEFAULT_POLL_INTERVAL,
        renderjuice_conn_id: str = RenderjuiceHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        interval = seconds(poll_interval, "poll_interval")
        super().__init__(poke_interval=interval, **kwargs)
        self.job_id: Any = job_id
        self.target_status = str(target_status)
        self.deferrable = deferrable_by_default() if deferrable is None else deferrable
        self.poll_interval = interval
        self.renderjuice_conn_id = renderjuice_conn_id
        self._pause = interval

    @cached_property
    def hook(self) -> RenderjuiceHook:
        """The hook of this task."""
        return RenderjuiceHook(self.renderjuice_conn_id)

    @cached_property
    def _wait(self) -> JobWait:
        now = time.time()
        return JobWait(
            self.job_id, self.target_status, poll_interval=self.poll_interval, started=now, deadline=now + self.timeout
        )

    def execute(self, context: Context) -> Any:
        """Wait in the triggerer, or poke on the worker."""
        check_job_id(self.job_id)
        push_preview(context)
        if not self.deferrable:
            return super().execute(context)
        deadline, limit = earlier_deadline(self, context, self._wait.deadline)
        trigger = job_trigger(
            renderjuice_conn_id=self.renderjuice_conn_id,
            job_id=self.job_id,
            target=self.target_status,
            poll_interval=self.poll_interval,
            started=self._wait.started,
            deadline=deadline,
            limit=limit,
        )
        backstop = timedelta(seconds=max(0.0, deadline - self._wait.started) + BACKSTOP)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=backstop)

    def poke(self, context: Context) -> PokeReturnValue:
        """One look, judged like every look of the trigger: a failure that may pass is no failure."""
        client = self.hook.client
        verdict = client.run(look(client.protocol, self._wait))
        if verdict.news:
            self.log.info(verdict.news)
        if not isinstance(verdict, Over):
            self._pause = verdict.pause
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._result(context, verdict.outcome))

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        """Airflow's interval, or what the wait asks for where that is longer: it obeys Retry-After."""
        return max(super()._get_next_poke_interval(*args, **kwargs), self._pause)

    def execute_complete(self, context: Context, event: Any = None) -> str | None:
        """Resume after the trigger fired."""
        outcome = Outcome.from_event(event)
        if outcome.job_id != self.job_id:  # see `JobOperator.execute_complete`
            self.log.warning("Airflow resumed this sensor with the event of another, about job %s", outcome.job_id)
            self.execute(context)
        return self._result(context, outcome)

    def _result(self, context: Context, outcome: Outcome) -> str | None:
        if outcome.ending is Ending.REACHED:
            self._link_preview(context)
            return outcome.status
        what = outcome.message if outcome.ending is Ending.REFUSED else f"The job {outcome.message}"
        message = f"{what}. It was left as it is: this sensor only watches. (job {outcome.job_id})"
        if outcome.ending is Ending.TIMED_OUT and outcome.limit == "execution_timeout":
            raise AirflowTaskTimeout(message)  # as on the worker, where a retry may follow
        if outcome.ending is Ending.TIMED_OUT:
            raise AirflowSensorTimeout(message)
        raise RenderjuiceJobOverError(message)

    def on_kill(self) -> None:
        """A sensor on the worker only watches, and says so when it is killed."""
        self.log.warning(
            "Nobody watches job %s any more. It may be running, and costs money: %s", self.job_id, HOW_TO_STOP
        )

    def _link_preview(self, context: Context) -> None:
        try:
            push_preview(context, self.hook.client.get_job(self.job_id))
        except RenderjuiceError as error:  # a picture is not worth failing for
            self.log.info("No preview: %s", error)
