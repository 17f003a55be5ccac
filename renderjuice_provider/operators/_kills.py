"""What a task that is killed, or interrupted, does about its job."""

from __future__ import annotations

import sys
from contextlib import suppress
from threading import Thread
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError

from renderjuice_provider._task_state import DELETED, ENDED, is_in_process, task_state
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import Job
from renderjuice_provider.api.redact import redact
from renderjuice_provider.compat import AirflowFailException, AirflowTaskTimeout
from renderjuice_provider.lifecycle.stopping import HOW_TO_STOP
from renderjuice_provider.lifecycle.unfinished import leaves
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
            raise leaves(RenderjuiceError("The task was killed: it orders nothing any more"), self._job)

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
        if not (self.cancel_on_timeout if _is_timed_out() else self.cancel_on_kill):
            if self.spends_money:
                self._warn("The task was stopped, and leaves its job alone")
            return
        if not self._is_to_stop():
            self.log.info("The task goes on without this process: its next try takes up job %s", self._job.id)
            return
        try:
            self._job = self.client.cancel_job(self._job.id)
        except BaseException as error:
            self._warn(f"The task was stopped, and its job was not: {type(error).__name__}: {error}")
            raise
        self.log.info("The task was stopped; job %s was cancelled and is %s", self._job.id, self._job.status)

    def _warn(self, what: str) -> None:
        job_id = self._job.id if self._job else ""
        self.log.warning("%s. Job %s may be running, and costs money: %s", redact(what), job_id, HOW_TO_STOP)

    def _is_to_stop(self) -> bool:
        """Whether the job is to end, and not this process alone.

        Airflow also ends a process whose task was taken for dead and given to another, or was cleared: its job is theirs. It takes
        tasks for dead when it is overloaded, and then it may not answer in time either: so without an answer it is the end only if
        no try is left that could take the job up. A clear that is to resubmit stops the job here: the next try knows a clear by
        `max_tries`, which Airflow raises, but for a task that was running it may lose that again. A job that the next try would
        not find is stopped in any case.
        """
        if _is_timed_out() or not self._is_found_again or is_in_process():
            return True
        states: list[str] = []

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
            is_last = self._ti is None or self._ti.try_number > self._ti.max_tries
            if not states and not is_last:
                self._warn("Airflow does not say what becomes of this task; a next try takes its job up")
            return is_last
        if states[0] == DELETED:
            self._warn("The task instance was deleted, its DAG run was not: made anew, it takes its job up")
        return states[0] in ENDED or (states[0] == "restarting" and self.on_clear == "resubmit")


def _is_timed_out() -> bool:
    """Whether Airflow is ending the task for its `execution_timeout`."""
    return isinstance(sys.exception(), AirflowTaskTimeout)
