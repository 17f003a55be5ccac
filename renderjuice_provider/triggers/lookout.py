"""One look for all: the triggers of a triggerer that use the same connection are looked after together.

A trigger takes a seat with its wait. Whenever a look is due, one sweep (`renderjuice_provider.waiting.look`) also serves all those
whose look would soon be due, so that hundreds of renders cost a handful of requests per poll interval. What a look means is decided
for each wait by itself, as everywhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context

from renderjuice_provider.api.client import AsyncRenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceConnectionError, RenderjuiceError, RenderjuiceInputError
from renderjuice_provider.compat import AirflowNotFoundException
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.waiting.job_wait import JobWait, Over, Waiting
from renderjuice_provider.waiting.look import look_at_all
from renderjuice_provider.waiting.outcome import Ending, Outcome


class Seat:
    """One wait, when it is to be looked at next, and the verdicts on it that nobody has taken yet."""

    def __init__(self, wait: JobWait, first: Waiting) -> None:
        self.wait = wait
        self.verdicts: asyncio.Queue[Waiting | Over | BaseException] = asyncio.Queue()
        self._plan(first)

    def tell(self, verdict: Waiting | Over | BaseException) -> None:
        """What came of a look."""
        self._plan(verdict)
        self.verdicts.put_nowait(verdict)

    def _plan(self, verdict: Waiting | Over | BaseException) -> None:
        if isinstance(verdict, Waiting):
            self.due = time.time() + verdict.pause
            self.soonest = self.due - verdict.early
        else:
            self.due = self.soonest = float("inf")


class Lookout:
    """Looks at the jobs of everyone who has a seat. It belongs to one event loop, and ends when the last one leaves.

    Attributes:
        is_over: whether it takes no more seats.
    """

    def __init__(self, renderjuice_conn_id: str) -> None:
        self._hook = RenderjuiceHook(renderjuice_conn_id)
        self._client: AsyncRenderjuiceClient | None = None
        self._seats: list[Seat] = []
        self._arrival = asyncio.Event()
        self.is_over = False
        # Not in the context of the trigger that happens to come first: its log is for its own job.
        self._work = asyncio.create_task(self._look_out(), context=Context())

    async def watch(self, wait: JobWait, first: Waiting, say: Callable[[str], None]) -> Outcome:
        """Watch the job until `wait` is over; `say` gets every line that belongs in the task's log."""
        seat = Seat(wait, first)
        self._seats.append(seat)
        self._arrival.set()
        try:
            while True:
                verdict = await seat.verdicts.get()
                if isinstance(verdict, BaseException):
                    raise verdict
                if verdict.news:
                    say(verdict.news)
                if isinstance(verdict, Over):
                    return verdict.outcome
        finally:
            self._seats.remove(seat)
            if not self._seats:
                self.is_over = True
                self._work.cancel()

    async def _look_out(self) -> None:
        try:
            while True:
                await self._look(await self._next())
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it rather than wait for ever
            self.is_over = True
            for seat in self._seats:
                seat.tell(error)
        finally:
            await self._close()

    async def _next(self) -> list[Seat]:
        """Wait until a look is due. All those that it is to serve."""
        while (pause := min((seat.due for seat in self._seats), default=float("inf")) - time.time()) > 0:
            self._arrival.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrival.wait(), pause)
        now = time.time()
        return [seat for seat in self._seats if seat.soonest <= now]

    async def _look(self, seats: list[Seat]) -> None:
        waits = [seat.wait for seat in seats]
        try:
            client = self._client = self._client or await self._open()
        except RenderjuiceError as error:
            verdicts = [wait.on_error(error, time.time()) for wait in waits]
        else:
            verdicts = await client.run(look_at_all(client.protocol, waits))
        for seat, verdict in zip(seats, verdicts, strict=True):
            seat.tell(verdict)
        if any(isinstance(verdict, Over) and verdict.outcome.ending is Ending.REFUSED for verdict in verdicts):
            await self._close()  # perhaps the key was changed: the next look asks Airflow for the connection again

    async def _open(self) -> AsyncRenderjuiceClient:
        try:
            return await self._hook.get_async_client()
        except (RenderjuiceError, AirflowNotFoundException) as error:
            raise RenderjuiceInputError(str(error)) from None
        except Exception as error:
            what = f"Airflow did not tell the connection {self._hook.renderjuice_conn_id!r}: {type(error).__name__}"
            raise RenderjuiceConnectionError(what, sent=False) from error

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client:
            await client.close()


_LOOKOUTS: dict[tuple[asyncio.AbstractEventLoop, str], Lookout] = {}


def lookout(renderjuice_conn_id: str) -> Lookout:
    """The one for this connection on the running event loop."""
    for key in [key for key, found in _LOOKOUTS.items() if found.is_over]:
        del _LOOKOUTS[key]
    key = (asyncio.get_running_loop(), renderjuice_conn_id)
    if key not in _LOOKOUTS:
        _LOOKOUTS[key] = Lookout(renderjuice_conn_id)
    return _LOOKOUTS[key]
