"""Polls the jobs of one connection as long as somebody watches them, and no longer."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any

from renderjuice_provider.api.client import AsyncRenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import Job
from renderjuice_provider.wall._connections import LIFETIME_OF_A_PROBLEM, FoundConnection, find_connection, problem_of
from renderjuice_provider.wall._farm_round import Found, farm_round, sign_of_life
from renderjuice_provider.wall._farm_state import FarmState
from renderjuice_provider.wall._farm_variable import edit_farm_state
from renderjuice_provider.wall._seen_jobs import SeenJob
from renderjuice_provider.wall.facts import JobFacts, Rate
from renderjuice_provider.wall.models import Connection

log = logging.getLogger(__name__)
WATCHED = 12.0
"""Seconds for which a job is polled after a page has asked for it: pages ask every five seconds."""
_BREATH = 1.0
"""Seconds after which the Variable is read again while another API server has the turn."""
_AFTER_A_DEFECT = 15.0
_JOB_ID = re.compile("[0-9a-f-]{36}").fullmatch
_ALL_UNKNOWN = (
    "Renderjuice answers, and knows none of these jobs: the key of this connection may be one of another account."
)


class Watch:
    """One connection, watched by any number of people.

    It belongs to one event loop.

    Args:
        renderjuice_conn_id: the connection.
        clock: seconds since the epoch.
        edit: changes what API servers know together; blocks.

    Attributes:
        configs: what jobs render with, by their ids, as far as this process has read it.
        previews: addresses of previews, which may be signed, likewise. They never leave the server.
    """

    def __init__(
        self,
        renderjuice_conn_id: str,
        clock: Callable[[], float] = time.time,
        edit: Callable[[str, Callable[[FarmState], FarmState]], FarmState] = edit_farm_state,
    ) -> None:
        self.renderjuice_conn_id = renderjuice_conn_id
        self.configs: dict[str, dict[str, Any]] = {}
        self.previews: dict[str, str] = {}
        self._server = str(uuid.uuid4())
        self._clock = clock
        self._edit = edit
        self._state = FarmState()
        self._is_read = False
        self._found = FoundConnection()
        self._client: AsyncRenderjuiceClient | None = None
        self._looking_up = asyncio.Lock()
        self._wanted: dict[str, float] = {}
        self._over: set[str] = set()
        self._watched_until = 0.0
        self._changed = asyncio.Event()
        self._has_begun = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    # For those who watch

    def want(self, job_ids: Collection[str], over: Collection[str]) -> None:
        """Have these jobs polled for a while.

        Args:
            job_ids: those that are shown.
            over: of these, the ones whose tasks are over.
        """
        until = self._watched_until = time.monotonic() + WATCHED
        for job_id in job_ids:
            key = job_id.lower()
            if not _JOB_ID(key):
                continue
            if key not in self._wanted:
                self._changed.set()
            self._wanted[key] = until
            (self._over.add if job_id in over else self._over.discard)(key)
        if self._loop is None or self._loop.done():
            # Not in the context of the request that happens to come first.
            self._loop = asyncio.create_task(self._poll_while_watched(), context=Context())

    async def begun(self, patience: float) -> None:
        """Wait until there is something to show, but not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._has_begun.wait()

    def job(self, job_id: str) -> SeenJob | None:
        """What is known of a job."""
        seen = self._state.jobs.get(job_id.lower())
        return seen if seen is not None and seen.is_known else None

    def facts(self, job_ids: Collection[str]) -> dict[str, JobFacts]:
        """What is known of jobs, by the ids that were asked for."""
        now = self._clock()
        seen = {job_id: self.job(job_id) for job_id in job_ids}
        return {job_id: job.facts(now, self.configs.get(job.job_id)) for job_id, job in seen.items() if job}

    @property
    def rate(self) -> Rate | None:
        """What rendering costs."""
        return self._found.rate

    def status(self) -> Connection:
        """Whether Renderjuice answers, and how old what it said is."""
        state = self._state
        error = self._found.problem or state.error
        return Connection(
            connection=self.renderjuice_conn_id,
            answers=state.answered is not None and state.answered >= state.asked and not self._found.problem,
            age=None if state.answered is None else round(max(0.0, self._clock() - state.answered), 1),
            error=error or None,
        )

    async def client(self) -> AsyncRenderjuiceClient | None:
        """The client of this connection; None where there can be none."""
        async with self._looking_up:
            is_closed = self._client is None and self._found.arguments is not None
            if is_closed or self._found.expires <= time.monotonic():
                await self._look_up()
            return self._client

    async def read(self, client: AsyncRenderjuiceClient, job_id: str) -> Job:
        """Read one job, and keep what it says: it is as good as a poll.

        Raises:
            RenderjuiceError: when it could not be read.
        """
        found, now = Found(), self._clock()
        job = await client.run(client.operations.once().get_job(job_id))
        seen = found.note(self.job(job_id), job, None, now)
        self._state = self._state.model_copy(update={"jobs": {**self._state.jobs, seen.job_id: seen}})
        self._keep(found)
        return job

    async def close(self) -> None:
        """End, as if nobody watched any more."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])
        await self._close_client()

    # The loop

    async def _poll_while_watched(self) -> None:
        try:
            while time.monotonic() < self._watched_until:
                self._changed.clear()
                try:
                    await self._step()
                except Exception:  # a defect, or the database: the page asks on, and so does this
                    log.exception("The jobs of connection %r could not be polled", self.renderjuice_conn_id)
                    await asyncio.sleep(_AFTER_A_DEFECT)
                self._has_begun.set()
                await self._pause()
        finally:
            await self._close_client()

    async def _step(self) -> None:
        """Poll what is due, unless another API server does."""
        client = await self.client()
        now = self._clock()
        self._state = self._state.believable(now)
        if self._is_read and (client is None or not self._is_due(self._state, now)):
            return
        self._state = await asyncio.to_thread(self._edit, self.renderjuice_conn_id, partial(self._take_turn, now=now))
        self._is_read = True
        if self._state.turn_of != self._server:
            return
        try:
            if client is not None:
                self._state = await self._poll(client, now)
        finally:
            await asyncio.shield(asyncio.to_thread(self._edit, self.renderjuice_conn_id, self._end_turn))

    async def _poll(self, client: AsyncRenderjuiceClient, now: float) -> FarmState:
        found = Found()
        due = self._state.due(self._wanted, self._over, now)
        if due:
            for flow in farm_round(client.operations, due, self._state.jobs, self._over, found):
                await client.run(flow)
        else:
            await client.run(sign_of_life(client.operations, found))
        self._keep(found)
        error = ""
        if not found.answered and found.error is not None:
            error = problem_of(found.error, client.base_url)
            self._found = FoundConnection(rate=self._found.rate)  # its key may have been changed
        elif found.jobs and not any(job.is_known for job in found.jobs.values()):
            error = _ALL_UNKNOWN
        return self._state.polled(found.jobs.values(), now, answered=found.answered, error=error, quiet=found.quiet)

    def _take_turn(self, stored: FarmState, now: float) -> FarmState:
        state = stored.believable(now).merge(self._state)
        can_poll = self._client is not None and self._is_due(state, now)
        return state.take_turn(self._server, now) if can_poll else state

    def _end_turn(self, stored: FarmState) -> FarmState:
        state = stored.merge(self._state)
        return state.end_turn() if state.turn_of == self._server else state

    def _is_due(self, state: FarmState, now: float) -> bool:
        return bool(state.due(self._wanted, self._over, now)) or state.needs_sign_of_life(now)

    async def _pause(self) -> None:
        """Until something is due, or somebody wants to see another job."""
        now = time.monotonic()
        self._wanted = {job_id: until for job_id, until in self._wanted.items() if until > now}
        self._over.intersection_update(self._wanted)
        seconds = self._state.next_poll(self._wanted, self._over) - self._clock()
        if self._client is None:
            seconds = LIFETIME_OF_A_PROBLEM
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max(seconds, _BREATH), WATCHED)):
                await self._changed.wait()

    def _keep(self, found: Found) -> None:
        self.configs |= found.configs
        self.previews |= found.previews
        for kept in (self.configs, self.previews):
            for job_id in kept.keys() - self._wanted.keys() - self._state.jobs.keys():
                del kept[job_id]

    # The connection

    async def _look_up(self) -> None:
        before, self._found = self._found, await asyncio.to_thread(find_connection, self.renderjuice_conn_id)
        if self._found.arguments != before.arguments or self._client is None:
            await self._close_client()
            self._client = self._open(self._found.arguments)

    def _open(self, arguments: Mapping[str, Any] | None) -> AsyncRenderjuiceClient | None:
        if arguments is None:
            return None
        try:
            return AsyncRenderjuiceClient(**arguments)
        except RenderjuiceError as error:
            self._found = FoundConnection(rate=self._found.rate, problem=error.what, expires=self._found.expires)
            return None

    async def _close_client(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()
