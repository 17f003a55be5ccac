"""Carrying out what the table of kills decides: see `renderjuice_provider.lifecycle.kill`."""

from __future__ import annotations

import sys
from contextlib import suppress
from copy import copy
from threading import Thread
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRuntimeError

from renderjuice_provider._task_state import is_in_process, task_state
from renderjuice_provider.api.errors import RenderjuiceError, reason
from renderjuice_provider.api.redact import redact
from renderjuice_provider.compat import AirflowFailException, AirflowTaskTimeout
from renderjuice_provider.lifecycle.kill import GONE, Decision, Kill, Row, decide, with_state
from renderjuice_provider.lifecycle.stopping import HOW_TO_STOP
from renderjuice_provider.lifecycle.unfinished import leaves

if TYPE_CHECKING:
    from collections.abc import Callable

    from renderjuice_provider.api.client import RenderjuiceClient
    from renderjuice_provider.api.models import Job
    from renderjuice_provider.lifecycle.record import Order

_ASKING = 4.0
"""Seconds that a killed task asks Airflow why. It has five in all, and a cancel takes a moment."""


class KillSwitch:
    """Stops the job of one task when the task is killed on the worker.

    Args:
        log: of the task.
        killed: gets a job that a kill has cancelled, as it is then.

    Attributes:
        job: the task's job, as last seen; None as long as there is none.
    """

    def __init__(self, log: Any, killed: Callable[[Job], None]) -> None:
        self._log = log
        self._note_killed = killed
        self._killed = False
        self._client: RenderjuiceClient
        self._order: Order
        self._ti: Any = None
        self._is_findable = True
        self.job: Job | None = None

    def arm(self, job: Job, order: Order, client: RenderjuiceClient, ti: Any, *, findable: bool) -> None:
        """From now on a kill is about this job.

        Args:
            job: as it is.
            order: that the task gives; it says whether a kill cancels.
            client: that cancels.
            ti: the task instance; None where there is none.
            findable: whether the next try would find this job.

        Raises:
            RenderjuiceError: if the task was killed already: Airflow may let it run on for some
                seconds, in which it must order nothing.
        """
        self._order, self._client, self._ti, self._is_findable = order, client, ti, findable
        self.job = job
        if self._killed:
            self._stop_the_bill()  # the kill may have come before there was a job
            raise leaves(RenderjuiceError("The task was killed: it orders nothing any more"), self.job)

    def kill(self) -> None:
        """Airflow kills the task.

        It calls this from a signal handler, and lets the task run on for some seconds. Where
        nobody would end the process then (`dag.test()`), it ends as after Ctrl-C.
        """
        self._killed = True
        self._stop_the_bill()
        if is_in_process() and not _is_timed_out():
            raise KeyboardInterrupt

    def interrupt(self) -> BaseException:
        """Ctrl-C, which only reaches a task whose job nobody else would stop.

        What to raise: an error that Airflow does not retry, since a retry would cost again.
        """
        if not self._killed:
            self._killed = True
            with suppress(RenderjuiceError):  # which was logged
                self._stop_the_bill()
        return AirflowFailException("Interrupted (Ctrl-C).") if is_in_process() else KeyboardInterrupt()

    def _stop_the_bill(self) -> None:
        if self.job is None or self.job.is_over:
            return
        kill = self._facts()
        row = decide(kill)
        if row.decision is Decision.ASK:
            row = decide(with_state(kill, self._state()))
        if row.decision is Decision.LEAVE:
            self._leave(row, kill)
            return
        try:
            with copy(self._client) as client:
                self.job = client.cancel_job(self.job.id)
        except BaseException as error:
            self._warn(f"The task was stopped, and its job was not: {reason(error)}")
            raise
        self._log.info("The task was stopped; job %s was cancelled and is %s", self.job.id, self.job.status)
        if self._order.renders:
            self._note_killed(self.job)

    def _facts(self) -> Kill:
        timed_out = _is_timed_out()
        return Kill(
            tries_left=self._ti is not None and self._ti.try_number <= self._ti.max_tries,
            on_clear=self._order.on_clear,
            findable=self._is_findable,
            timed_out=timed_out,
            in_process=is_in_process(),
            wanted=self._order.cancel_on_timeout if timed_out else self._order.cancel_on_kill,
        )

    def _state(self) -> str | None:
        """What Airflow says of this task; None when it does not answer in time."""
        states: list[str] = []

        def ask() -> None:
            try:
                states.append(task_state(self._ti))
            except AirflowRuntimeError as error:
                self._log.info("Airflow does not say what becomes of this task: %s", error)
            except Exception:  # noqa: BLE001 - no Airflow could give the task to another
                states.append(GONE)

        asking = Thread(target=ask, daemon=True)
        asking.start()
        # What the signal interrupted may hold the line to Airflow, and cannot let go of it now.
        asking.join(_ASKING)
        return states[0] if states else None

    def _leave(self, row: Row, kill: Kill) -> None:
        if row.warning:
            self._warn(row.warning)
        if kill.wanted and self.job:
            self._log.info("The task goes on without this process: its next try takes up job %s", self.job.id)
        elif self._order.renders:
            self._warn("The task was stopped, and leaves its job alone")

    def _warn(self, what: str) -> None:
        job_id = self.job.id if self.job else ""
        self._log.warning("%s. Job %s may be running, and costs money: %s", redact(what), job_id, HOW_TO_STOP)


def _is_timed_out() -> bool:
    """Whether Airflow is ending the task for its `execution_timeout`."""
    return isinstance(sys.exception(), AirflowTaskTimeout)
