"""Waiting for a job without a worker slot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from renderjuice_provider._metrics import JOBS_ENDED, KILLED, ON_SERVERS, annotate
from renderjuice_provider._task_state import is_in_process, task_state, waits_until
from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api.errors import RenderjuiceError, reason
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.api.redact import redact, storable
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle.job_poller import JobPoller, PollAgain
from renderjuice_provider.lifecycle.kill import Decision, Kill, decide, may_stop_at_deadline
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.stopping import HOW_TO_STOP, after_stop, stop_all
from renderjuice_provider.lifecycle.stuck import Patience
from renderjuice_provider.triggers._completed import RenderjuiceCompletedTrigger
from renderjuice_provider.triggers._shared_poller import shared_poller

__all__ = [
    "RenderjuiceCompletedTrigger",
    "RenderjuiceJobTrigger",
]

FIRST_POLL = 5.0
"""Seconds before the first poll, at least, however short the poll interval: the operator has just
polled. And Airflow takes a task for dead that is resumed before the scheduler has heard of its
deferral (https://github.com/apache/airflow/issues/71580); a busy scheduler takes some seconds."""
_AIRFLOW_REPORTS_KILLS = hasattr(BaseTrigger, "on_kill")
"""Before 3.3 Airflow merely cancels `run()`, which it also does when it shuts down or when another
triggerer takes over."""
_KILL_TIMEOUT = 30.0
"""Seconds, as Airflow 3.3 gives `on_kill`: a triggerer that shuts down may get no response."""
_STOPPING = 240.0
"""Seconds after the deadline to cancel the job in: Airflow's own deadline comes at 300
(`BACKSTOP`)."""
_CHECK_INTERVAL = 2.0
"""Seconds between two polls of a job that was cancelled."""
_AT_WORK: set[asyncio.Task[None]] = set()
"""Event loops keep only weak references to their tasks; these must not be lost half-way."""


class RenderjuiceJobTrigger(BaseTrigger):
    """Fires once: when the job has reached `target`, is over, or the deadline has passed.

    It reports progress in the task's log and waits out every transient error. It cancels the job
    only when a user ends the task, when the deadline has passed, when the job has spent what it
    may, or when it is stuck and that is wanted, since no worker may come then (a paused DAG, a full
    pool). Airflow stores and logs its arguments, so they are ids, words and numbers only, never a
    key or a signed URL.

    Its event is a dict: an `Outcome` of `renderjuice_provider.lifecycle.outcome`.

    Args:
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, looked up in the
            triggerer.
        job_id: the id of the job, a UUID.
        target: the status to wait for, `validated` or `completed`; one further along the way counts
            too.
        poll_interval: seconds between two polls. Triggers with the same connection share their
            polls, so a job may be polled sooner, or a little later.
        started: when the wait began, in seconds since the epoch.
        deadline: when it ends at the latest, in seconds since the epoch.
        cancel_on_kill: cancel the job when a user marks, clears or deletes the deferred task. False
            by default: a trigger cancels only what its operator has ordered.
        cancel_on_timeout: cancel the job when the deadline has passed. False by default, for the
            same reason.
        limit: the name of the argument that set the deadline, for messages. `timeout` by default.
        max_normalized_seconds: what the job may spend before it is cancelled; None, the default,
            for any number.
        stuck_after: how many times the usual time per frame the job may go without a new one; None,
            the default, for as long as it likes.
        seconds_per_frame: what a frame usually takes one machine; None, the default, where that is
            seen by the job's own frames alone.
        cancel_stuck: cancel a job that is stuck. False by default: the wait ends, and a worker
            reports it; with `max_normalized_seconds` the wait goes on, and the log says it.
        version: of these arguments, so that a later release can still run what this one has stored.

    Raises:
        RenderjuiceInputError: when it runs, for a `job_id` that is not a UUID.
    """

    def __init__(
        self,
        *,
        renderjuice_conn_id: str,
        job_id: str,
        target: str,
        poll_interval: float,
        started: float,
        deadline: float,
        cancel_on_kill: bool = False,
        cancel_on_timeout: bool = False,
        limit: str = "timeout",
        max_normalized_seconds: float | None = None,
        stuck_after: float | None = None,
        seconds_per_frame: float | None = None,
        cancel_stuck: bool = False,
        version: int = 1,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.renderjuice_conn_id = renderjuice_conn_id
        self.job_id = job_id
        self.target = target
        self.poll_interval = poll_interval
        self.started = started
        self.deadline = deadline
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.limit = limit
        self.max_normalized_seconds = max_normalized_seconds
        self.stuck_after = stuck_after
        self.seconds_per_frame = seconds_per_frame
        self.cancel_stuck = cancel_stuck
        self.version = version

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path, and the arguments as they were given."""
        names = (
            "renderjuice_conn_id",
            "job_id",
            "target",
            "poll_interval",
            "started",
            "deadline",
            "cancel_on_kill",
            "cancel_on_timeout",
            "limit",
            "version",
        )
        arguments = storable({name: getattr(self, name) for name in names})
        later = ("max_normalized_seconds", "stuck_after", "seconds_per_frame", "cancel_stuck")
        # A triggerer of the release before knows no such arguments.
        arguments |= {name: getattr(self, name) for name in later if getattr(self, name) not in (None, False)}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll the job until it is done, together with all others that use its connection."""
        try:
            outcome = await self._watch()
            if self._is_to_be_stopped(outcome) and await self._is_ours():
                outcome = await self._stop(outcome)
        except asyncio.CancelledError:
            if is_in_process():
                await self._warn_or_stop("interrupted (Ctrl-C)")  # nobody else will
            elif not _AIRFLOW_REPORTS_KILLS:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.on_kill(), _KILL_TIMEOUT)
            raise
        yield TriggerEvent(outcome.to_event())

    async def _watch(self) -> Outcome:
        check_job_id(self.job_id)
        job_poller = JobPoller(
            self.job_id,
            self.target,
            poll_interval=self.poll_interval,
            started=self.started,
            deadline=self.deadline,
            limit=self.limit,
            most=self.max_normalized_seconds,
            patience=Patience(self.stuck_after, self.seconds_per_frame, self.cancel_stuck)
            if self.stuck_after
            else None,
        )
        pause = min(max(FIRST_POLL, self.poll_interval), max(0.0, self.deadline - time.time()))
        first = PollAgain(pause, slack=max(0.0, pause - FIRST_POLL))
        annotate({"renderjuice.job_id": self.job_id, "renderjuice.target": self.target})
        outcome = await shared_poller(self.renderjuice_conn_id).watch(job_poller, first, self.log.info)
        annotate({"renderjuice.ending": outcome.ending, "renderjuice.status": outcome.status or ""})
        return outcome

    def _is_to_be_stopped(self, outcome: Outcome) -> bool:
        is_late = outcome.ending is Ending.TIMED_OUT and self.cancel_on_timeout
        is_stuck = outcome.ending is Ending.STUCK and self.cancel_stuck
        return is_late or is_stuck or outcome.ending is Ending.AT_CEILING

    async def _is_ours(self) -> bool:
        """Whether the job is still this trigger's to stop.

        Where Airflow does not say, the deadline counts: it has passed for every task that waits.
        """
        try:
            state, until = await self._task_state(), await self._waits_until()
        except Exception as error:  # noqa: BLE001 - a deadline does not depend on Airflow's health
            self.log.info("Airflow does not say what became of this task: %s", redact(str(error)))
            return True
        return may_stop_at_deadline(state, until, self.deadline)

    async def _stop(self, outcome: Outcome) -> Outcome:
        until = max(min(self.deadline, time.time()) + _STOPPING, time.time() + _KILL_TIMEOUT)
        try:
            async with await RenderjuiceHook(self.renderjuice_conn_id).get_async_client() as client:
                found = await client.run(
                    stop_all(
                        client.operations, [self.job_id], poll_interval=_CHECK_INTERVAL, until=until, log=self.log.info
                    )
                )
            return after_stop(outcome, found[self.job_id])
        except Exception as error:  # noqa: BLE001 - the waiting task must hear of it
            return after_stop(outcome, RenderjuiceError(reason(error)))

    async def on_kill(self) -> None:
        """Stop the bill when a user ended the task. Before Airflow 3.3 `run` calls this.

        Airflow also calls it when another triggerer took this trigger over, and after a clear, when
        the next try may already have taken up the same job. So the job is cancelled only if the
        task instance itself is over, or gone with its DAG run.

        Airflow repeats its cancellation every second until the trigger has ended, and the second
        one would interrupt the first one's work. So that work is a task of its own, which goes on.
        """
        work = asyncio.create_task(self._on_kill())
        _AT_WORK.add(work)
        work.add_done_callback(_AT_WORK.discard)
        await asyncio.shield(work)

    async def _on_kill(self) -> None:
        try:
            state = await self._task_state()
        except Exception as error:  # noqa: BLE001 - nobody waits for this, and a failing trigger would fail the triggerer that took it over
            self._warn(f"Airflow does not say why this task was stopped ({reason(error)})")
            return
        if state is None:
            self._warn("The task was stopped, and Airflow does not say which task it was")
            return
        row = decide(Kill(state))
        if row.decision is Decision.CANCEL:
            await self._warn_or_stop(f"ended by a user ({state})")
        elif row.warning:
            self._warn(row.warning)

    async def _warn_or_stop(self, why: str) -> None:
        if not self.cancel_on_kill:
            if self.target == JobStatus.VALIDATED:
                self.log.info("The task was %s; job %s goes on, which costs nothing until it renders", why, self.job_id)
            else:
                self._warn(f"The task was {why}, and leaves its job alone")
            return
        try:
            async with await RenderjuiceHook(self.renderjuice_conn_id).get_async_client() as client:
                job = await client.cancel_job(self.job_id)
            self.log.info("The task was %s; job %s was cancelled and is %s", why, job.id, job.status)
            ON_SERVERS.count(JOBS_ENDED, {"connection": self.renderjuice_conn_id, "end": KILLED})
        except BaseException as error:
            self._warn(f"The task was {why}, and its job was not stopped: {reason(error)}")
            if not isinstance(error, Exception):
                raise

    def _warn(self, what: str) -> None:
        self.log.warning("%s. Job %s may be running, and costs money: %s", redact(what), self.job_id, HOW_TO_STOP)

    async def _task_state(self) -> str | None:
        """What Airflow says of the task instance; None in a trigger that has none."""
        from asgiref.sync import sync_to_async

        return await sync_to_async(task_state)(self.task_instance) if self.task_instance is not None else None

    async def _waits_until(self) -> float | None:
        from asgiref.sync import sync_to_async

        return await sync_to_async(waits_until)(self.task_instance) if self.task_instance is not None else None
