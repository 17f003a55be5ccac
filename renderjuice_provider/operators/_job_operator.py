"""What Airflow asks of an operator that waits for jobs. The driver does it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import Argument, truth
from renderjuice_provider._deferral import seconds
from renderjuice_provider._task_state import RECORD_KEY
from renderjuice_provider.lifecycle.outcome import Outcome
from renderjuice_provider.links.renderjuice import RenderjuicePreviewLink
from renderjuice_provider.operators._base import RenderjuiceOperator
from renderjuice_provider.operators._driver import Driver
from renderjuice_provider.operators._kills import KillSwitch
from renderjuice_provider.operators._signals import Signals

if TYPE_CHECKING:
    from airflow.sdk import Context

    from renderjuice_provider.api.models import Job
    from renderjuice_provider.lifecycle.record import Order


class WaitingOperator(RenderjuiceOperator):
    """An operator that waits for jobs, on the worker or deferred, and stops them when it is killed.

    Attributes:
        deferrable: whether to wait in the triggerer: see `is_deferrable`.
        store_key: of its record in the task's state store.
    """

    operator_extra_links: Any = (RenderjuicePreviewLink(),)
    template_fields = (*RenderjuiceOperator.template_fields, "poll_interval", "timeout")
    multiple_outputs = True
    poll_interval = Argument(seconds)
    timeout = Argument(seconds)

    deferrable: bool
    store_key = RECORD_KEY

    @abstractmethod
    def order(self, context: Context) -> Order:
        """What this task orders."""

    @cached_property
    def _kill_switch(self) -> KillSwitch:
        return KillSwitch(self.log, self.signals.killed)

    @cached_property
    def signals(self) -> Signals:
        """What this process of the task contributes to statistics and traces."""
        return Signals(self.renderjuice_conn_id)

    def driver(self, context: Context) -> Driver:
        """The driver for this process of the task."""
        return Driver(
            self,
            context,
            self.client,
            self._kill_switch,
            self.signals,
            conn_id=self.renderjuice_conn_id,
            deferrable=self.deferrable,
            poll_interval=self.poll_interval,
            key=self.store_key,
        )

    def on_kill(self) -> None:
        """Stop the bill when the task is killed, unless its next try takes the job up."""
        self._kill_switch.kill()


class JobOperator(WaitingOperator):
    """An operator that takes one job to a goal and waits for it.

    A subclass says what it takes, what it orders, and what it returns. How a job gets there is
    decided in `renderjuice_provider.lifecycle.course`.
    """

    template_fields = (*RenderjuiceOperator.template_fields, "wait", "poll_interval", "timeout")
    wait = Argument(truth)

    @abstractmethod
    def summary(self, job: Job) -> dict[str, Any]:
        """What the task returns for a job at its goal, or on its way with `wait=False`."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Take the job to its goal; a retry goes on where the try before it stopped."""
        return self.summary(self.driver(context).run(self.order(context)))

    def execute_complete(
        self, context: Context, event: Any = None, waits_for: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Resume after the trigger fired.

        The event is checked, and only a hint: the job is read again.

        Args:
            context: of the task.
            event: an `Outcome`.
            waits_for: `job_id`, `target`, `started`, `deadline` and `limit` of the wait that was
                deferred; None where Airflow loses it (`dag.test()`).

        Raises:
            RenderjuiceEventError: for an event that is not ours.
        """
        outcome = Outcome.from_event(event)
        return self.summary(self.driver(context).resume(self.order(context), outcome, waits_for))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As Airflow does it, but a deferral that it timed out does not leave the job running."""
        from renderjuice_provider.compat import TaskDeferralTimeout

        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            job = self.driver(context).give_up(self.order(context))
            if job is None:
                raise
            return self.summary(job)
