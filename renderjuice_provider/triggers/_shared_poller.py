"""One poll loop per connection, shared by all triggers in this triggerer.

A trigger subscribes with its job poller. Whenever a poll is due, one round
(`renderjuice_provider.lifecycle.polling`) also serves all those whose poll would soon be due, so
that hundreds of renders cost a handful of requests per poll interval. What a poll means is decided
for each job by itself, as everywhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context

from renderjuice_provider.api.client import AsyncRenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceConnectionError, RenderjuiceError, RenderjuiceInputError
from renderjuice_provider.api.redact import redact
from renderjuice_provider.compat import AirflowNotFoundException
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle.job_poller import Done, JobPoller, PollAgain
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.polling import poll_all

_NOT_FOUND = 3
"""Times in a row that Airflow has to say that a connection does not exist: it says the same when its database cannot be reached."""


class Subscription:
    """One wait, when it is to be looked at next, and the decisions on it that nobody has taken yet."""

    def __init__(self, wait: JobPoller, first: PollAgain) -> None:
        self.wait = wait
        self.decisions: asyncio.Queue[PollAgain | Done | BaseException] = asyncio.Queue()
        self.plan(first)

    def plan(self, decision: PollAgain) -> None:
        """When to look again."""
        now = time.monotonic()
        self._deadline = now + self.wait.deadline - time.time()
        self._due = now + decision.pause
        self._soonest = self._due - decision.early

    def due(self, quiet_until: float) -> float:
        """When a look is due: not in times of quiet, but at the deadline in any case."""
        return self._allowed(self._due, quiet_until)

    def soonest(self, quiet_until: float) -> float:
        """When a look may come if others are looked at anyway."""
        return self._allowed(self._soonest, quiet_until)

    def _allowed(self, moment: float, quiet_until: float) -> float:
        return min(max(moment, quiet_until), self._deadline)


class SharedPoller:
    """Looks at the jobs of everyone who has a seat. It belongs to one event loop, and ends when the last one leaves.

    Attributes:
        is_over: whether it takes no more seats.
    """

    def __init__(self, renderjuice_conn_id: str) -> None:
        self._hook = RenderjuiceHook(renderjuice_conn_id)
        self._client: AsyncRenderjuiceClient | None = None
        self._doubtful = False
        self._not_found = 0
        self._seats: set[Subscription] = set()
        self._quiet_until = float("-inf")
        self._arrival = asyncio.Event()
        self.is_over = False
        # Not in the context of the trigger that happens to come first: its log is for its own job.
        self._work = asyncio.create_task(self._look_out(), context=Context())

    async def watch(self, wait: JobPoller, first: PollAgain, say: Callable[[str], None]) -> Outcome:
        """Watch the job until `wait` is over; `say` gets every line that belongs in the task's log."""
        seat = Subscription(wait, first)
        self._seats.add(seat)
        self._arrival.set()
        try:
            while True:
                decision = await seat.decisions.get()
                if isinstance(decision, BaseException):
                    raise decision
                if decision.news:
                    say(decision.news)
                if isinstance(decision, Done):
                    return decision.outcome
        finally:
            self._seats.discard(seat)
            if not self._seats:
                self.is_over = True
                self._work.cancel()
                await asyncio.wait([self._work])

    async def _look_out(self) -> None:
        try:
            while True:
                await self._look(await self._next())
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it rather than wait for ever
            self.is_over = True
            for seat in list(self._seats):
                self._tell(seat, error)
        finally:
            await self._close()

    async def _next(self) -> list[Subscription]:
        """Wait until a look is due. All those that it is to serve."""
        while (due := self._first_due()) > time.monotonic():
            self._arrival.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(due - time.monotonic()):
                    await self._arrival.wait()
        now = time.monotonic()
        return [seat for seat in self._seats if seat.soonest(self._quiet_until) <= now]

    def _first_due(self) -> float:
        return min((seat.due(self._quiet_until) for seat in self._seats), default=float("inf"))

    async def _look(self, seats: Sequence[Subscription]) -> None:
        by_wait = {seat.wait: seat for seat in seats}
        try:
            client = self._client = self._client or await self._open()
            await client.run(
                poll_all(client.operations, list(by_wait), lambda wait, decision: self._tell(by_wait[wait], decision))
            )
        except RenderjuiceError as error:  # there is no client
            for seat in seats:
                self._tell(seat, seat.wait.on_error(error, time.time()))
        except Exception as error:  # noqa: BLE001 - whoever it is about is to fail alone
            if len(seats) == 1:
                self._tell(seats[0], error)
                return
            for seat in self._seats.intersection(seats):
                await self._look([seat])
        if self._doubtful:
            await self._close()

    def _tell(self, seat: Subscription, decision: PollAgain | Done | BaseException) -> None:
        seat.decisions.put_nowait(decision)
        if isinstance(decision, PollAgain):
            seat.plan(decision)
            self._quiet_until = max(self._quiet_until, time.monotonic() + decision.quiet)
            return
        self._seats.discard(seat)
        if isinstance(decision, Done) and decision.outcome.ending is Ending.REFUSED:
            self._doubtful = True

    async def _open(self) -> AsyncRenderjuiceClient:
        try:
            client = await self._hook.get_async_client()
        except RenderjuiceError:
            raise
        except Exception as error:
            self._not_found += isinstance(error, AirflowNotFoundException)
            if self._not_found >= _NOT_FOUND:
                raise RenderjuiceInputError(str(error)) from None
            what = f"Airflow did not tell the connection {self._hook.renderjuice_conn_id!r}: {type(error).__name__}"
            raise RenderjuiceConnectionError(redact(f"{what}: {error}"), sent=False) from error
        self._not_found = 0
        return client

    async def _close(self) -> None:
        """The next look asks Airflow for the connection again: perhaps the key was changed."""
        client, self._client, self._doubtful = self._client, None, False
        if client:
            await client.close()


_SHARED_POLLERS: dict[tuple[asyncio.AbstractEventLoop, str], SharedPoller] = {}


def shared_poller(renderjuice_conn_id: str) -> SharedPoller:
    """The one for this connection on the running event loop."""
    for key in [key for key, found in _SHARED_POLLERS.items() if found.is_over or key[0].is_closed()]:
        _SHARED_POLLERS.pop(key, None)
    key = (asyncio.get_running_loop(), renderjuice_conn_id)
    if key not in _SHARED_POLLERS:
        _SHARED_POLLERS[key] = SharedPoller(renderjuice_conn_id)
    return _SHARED_POLLERS[key]
