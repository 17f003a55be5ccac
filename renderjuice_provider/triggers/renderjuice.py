"""Waiting for a job without a worker slot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from renderjuice_provider.api.protocol import check_job_id
from renderjuice_provider.api.redact import redact
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.task_state import ENDED, task_state
from renderjuice_provider.triggers.lookout import lookout
from renderjuice_provider.waiting.job_wait import JobWait, Waiting
from renderjuice_provider.waiting.outcome import Outcome

FIRST_LOOK = 5.0
"""Seconds before the first look, at least, however often one looks later: the operator has just looked. And Airflow takes a task
for dead that is resumed before the scheduler has heard of its deferral (https://github.com/apache/airflow/issues/71580), which
takes a busy one some seconds."""
_AIRFLOW_TELLS_OF_KILLS = hasattr(BaseTrigger, "on_kill")
"""Before 3.3 Airflow merely cancels `run()`, which it also does when it shuts down or when another triggerer takes over."""
_KILL_TIMEOUT = 30.0
"""Seconds, as Airflow 3.3 gives `on_kill`: a triggerer that shuts down may get no answer any more."""
_AT_WORK: set[asyncio.Task[None]] = set()
"""Event loops hold their tasks weakly; these must not be lost half-way."""


class RenderjuiceJobTrigger(BaseTrigger):
    """Fires once, when the job has reached `target`, is over, or the deadline has passed.

    It owns the deadline, tells progress in the task's log, waits out every failure that may pass, and cancels the job only when a
    user ends the task. Its arguments are stored and logged: ids and numbers only, never a key or a signed URL.

    Args:
        renderjuice_conn_id: the connection, looked up in the triggerer.
        job_id: the job.
        target: the status to wait for; one further along the way counts too.
        poll_interval: seconds between two looks.
        started: when the wait began, in seconds since the epoch.
        deadline: when it ends at the latest, likewise.
        cancel_on_kill: stop the job when a user marks the deferred task failed or successful.
        version: of these arguments, so that a later release can still run what this one stored.
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
            "version",
        )
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch the job, together with all others that use its connection: see `renderjuice_provider.triggers.lookout`."""
        try:
            outcome = await self._watch()
        except asyncio.CancelledError:
            if not _AIRFLOW_TELLS_OF_KILLS:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.on_kill(), _KILL_TIMEOUT)
            raise
        yield TriggerEvent(outcome.to_event())

    async def _watch(self) -> Outcome:
        check_job_id(self.job_id)
        wait = JobWait(
            self.job_id, self.target, poll_interval=self.poll_interval, started=self.started, deadline=self.deadline
        )
        pause = min(max(FIRST_LOOK, self.poll_interval), max(0.0, self.deadline - time.time()))
        first = Waiting(pause, early=max(0.0, pause - FIRST_LOOK))
        return await lookout(self.renderjuice_conn_id).watch(wait, first, self.log.info)

    async def on_kill(self) -> None:
        """Stop the bill when a user ended the task (Airflow 3.3 and later call this; before that `run` does).

        Airflow also calls it when another triggerer took this trigger over, and after a clear, when the next try may already have
        taken up the same job. So the job is cancelled only if the task instance itself is over.

        Airflow repeats its cancellation every second until the trigger has ended, and the second one would interrupt the
        first one's work. So that work is a task of its own, which goes on.
        """
        if self.cancel_on_kill:
            work = asyncio.create_task(self._stop_the_bill())
            _AT_WORK.add(work)
            work.add_done_callback(_AT_WORK.discard)
            await asyncio.shield(work)

    async def _stop_the_bill(self) -> None:
        try:
            if await self._task_state() in ENDED:
                async with await RenderjuiceHook(self.renderjuice_conn_id).get_async_client() as client:
                    job = await client.cancel_job(self.job_id)
                self.log.info("The task was ended by a user; job %s is %s", job.id, job.status)
        except Exception as error:  # noqa: BLE001 - nobody waits for this, and a failing trigger would fail whoever took it over
            what = f"Job {self.job_id} was not stopped and may be running: {type(error).__name__}: {error}"
            self.log.error("%s", redact(what))  # noqa: TRY400 - a traceback could show more than what is said

    async def _task_state(self) -> str | None:
        from asgiref.sync import sync_to_async

        return await sync_to_async(task_state)(self.task_instance) if self.task_instance is not None else None
