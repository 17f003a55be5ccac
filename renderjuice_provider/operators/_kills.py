"""What a task that is killed, or interrupted, does about its job."""

from __future__ import annotations

import sys
from contextlib import suppress
from threading import Thread
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError

from renderjuice_provider._task_state import is_in_process, task_state
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import Job
from renderjuice_provider.api.redact import redact
from renderjuice_provider.compat import AirflowFailException, AirflowTaskTimeout
from renderjuice_provider.lifecycle.kill import GONE, Decision, Kill, Row, decide, with_state
from renderjuice_provider.lifecycle.stopping import HOW_TO_STOP
from renderjuice_provider.operators._base import RenderjuiceOperator
from renderjuice_provider.operators._task_store import OnClear

_ASKING = 4.0
"""Seconds that a killed task asks Airflow why. It has five in all, and a cancel is sent within a moment."""


class KillableOperator(RenderjuiceOperator):
    """An operator that stops the bill when it is killed on the worker.

    Attributes:
        cancel_on_kill: whether a kill cancels the job.
        cancel_on_timeout: whether a time-out does, Airflow's `execution_timeout` too.
        on_clear: see `RenderjuiceRunJobOperator`.
        spends_money: whether the job of this task costs anything.
    """

    cancel_on_kill = False
    cancel_on_timeout = False
    on_clear: OnClear = "reattach"
    spends_money = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._job: Job | None = None
        self._ti: Any = None
        self._killed = False
        self._is_found_again = True

    def on_kill(self) -> None:
        """Stop the bill when the task is killed on the worker.

        Airflow calls this from a signal handler and lets the task run on for some seconds, so nothing may be ordered after it.
        Where nobody would end the process then (`dag.test()`), it ends as after Ctrl-C.
        """
        self._killed = True
        self._stop_the_bill()
        if is_in_process() and not _is_timed_out():
            raise KeyboardInterrupt

    def obey_the_kill(self) -> None:
        """Raise if the task was killed: Airflow may let it run on for some seconds."""
        if self._killed:
            self._stop_the_bill()  # the kill may have come before there was a job
            raise RenderjuiceError("The task was killed: it orders nothing any more.")

    def interrupted(self) -> BaseException:
        """Ctrl-C, which only reaches a task where nobody else would stop its job. It is not tried again: that would cost again."""
        if self._job is not None and not self._killed:
            self._killed = True
            with suppress(RenderjuiceError):  # which was told
                self._stop_the_bill()
        return AirflowFailException("Interrupted (Ctrl-C).") if is_in_process() else KeyboardInterrupt()

    def _stop_the_bill(self) -> None:
        if self._job is None or self._job.is_over:
            return
        kill = self._facts()
        row = decide(kill)
        if row.decision is Decision.ASK:
            row = decide(with_state(kill, self._state()))
        if row.decision is Decision.LEAVE:
            self._leave(row, kill)
            return
        try:
            self._job = self.client.cancel_job(self._job.id)
        except BaseException as error:
            self._warn(f"The task was stopped, and its job was not: {type(error).__name__}: {error}")
            raise
        self.log.info("The task was stopped; job %s was cancelled and is %s", self._job.id, self._job.status)

    def _facts(self) -> Kill:
        timed_out = _is_timed_out()
        return Kill(
            tries_left=self._ti is not None and self._ti.try_number <= self._ti.max_tries,
            on_clear=self.on_clear,
            findable=self._is_found_again,
            timed_out=timed_out,
            in_process=is_in_process(),
            wanted=self.cancel_on_timeout if timed_out else self.cancel_on_kill,
        )

    def _state(self) -> str | None:
        """What Airflow says of this task; None when it does not answer in time."""
        states: list[str] = []

        def ask() -> None:
            try:
                states.append(task_state(self._ti))
            except AirflowRuntimeError as error:
                self.log.info("Airflow does not say what becomes of this task: %s", error)
            except Exception:  # noqa: BLE001 - there is no Airflow that could give the task to another
                states.append(GONE)

        asking = Thread(target=ask, daemon=True)
        asking.start()
        asking.join(_ASKING)  # what the signal interrupted may hold the line to Airflow, and cannot let go of it now
        return states[0] if states else None

    def _leave(self, row: Row, kill: Kill) -> None:
        if row.warning:
            self._warn(row.warning)
        if kill.wanted:
            job_id = self._job.id if self._job else ""
            self.log.info("The task goes on without this process: its next try takes up job %s", job_id)
        elif self.spends_money:
            self._warn("The task was stopped, and leaves its job alone")

    def _warn(self, what: str) -> None:
        job_id = self._job.id if self._job else ""
        self.log.warning("%s. Job %s may be running, and costs money: %s", redact(what), job_id, HOW_TO_STOP)


def _is_timed_out() -> bool:
    """Whether Airflow is ending the task for its `execution_timeout`."""
    return isinstance(sys.exception(), AirflowTaskTimeout)
