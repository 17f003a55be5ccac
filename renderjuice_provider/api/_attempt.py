"""One clock around a whole attempt: the connection, the order, the answer's head and its body.

A time-out of a socket counts the seconds between two bytes. Header lines, hints (103), extensions of chunks, trailers and
compressed blocks that hold nothing can drip for ever, one byte at a time. So an attempt has an end; where a file of any size is
on its way, only the file's own bytes move that end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

PATIENCE = 4.0
"""Times the time-out: seconds that a whole call to the API may take, and the head and the body of any short answer."""
ENOUGH = 1 << 20
"""Bytes of a file in one time-out of the store: who brings fewer (3.5 KB/s at the default) is as good as silent."""


class Attempt:
    """The time that an attempt has left.

    Args:
        seconds: until its end.
        clock: in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._moved = 0
        self.allow(seconds)

    def allow(self, seconds: float) -> None:
        """It ends so many seconds from now."""
        self._seconds = seconds
        self._end = self._clock() + seconds

    def moved(self, size: int) -> None:
        """So many bytes of the file were moved: for enough of them, the time begins anew."""
        self._moved += size
        if self._moved >= ENOUGH:
            self._moved = 0
            self.allow(self._seconds)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The clock stands still: this machine's disk is at work, and nobody's connection is slow."""
        left = self.left
        try:
            yield
        finally:
            self._end = self._clock() + left

    @property
    def left(self) -> float:
        """Seconds; negative when it is over."""
        return self._end - self._clock()

    def over(self) -> httpx.TimeoutException:
        """The error for who finds that it is over."""
        import httpx

        return httpx.ReadTimeout(f"the answer did not end within {self._seconds:g} s")

    def check(self) -> None:
        """Raise `over()` if it is over: bytes may arrive faster than they are looked at."""
        if self.left < 0:
            raise self.over()


CURRENT: ContextVar[Attempt | None] = ContextVar("renderjuice_attempt", default=None)
"""Of this thread: see `renderjuice_provider.api._timed`."""


@contextmanager
def attempt(seconds: float) -> Iterator[Attempt]:
    """An attempt of the calling thread, which bounds what `renderjuice_provider.api._timed` reads and writes in it.

    Raises:
        httpx.TimeoutException: when it is over.
    """
    import httpx

    current = Attempt(seconds)
    token = CURRENT.set(current)
    try:
        yield current
    except httpx.TimeoutException:
        if current.left > 0:
            raise
        raise current.over() from None
    finally:
        CURRENT.reset(token)


class _LoopAttempt(Attempt):
    """One that an event loop breaks off."""

    def __init__(self, seconds: float, timeout: asyncio.Timeout) -> None:
        self._timeout = timeout
        super().__init__(seconds, asyncio.get_running_loop().time)

    def allow(self, seconds: float) -> None:
        super().allow(seconds)
        self._timeout.reschedule(self._end)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self._timeout.reschedule(None)
        with super().stopped():
            yield
        self._timeout.reschedule(self._end)


@asynccontextmanager
async def loop_attempt(seconds: float) -> AsyncIterator[Attempt]:
    """An attempt of the running task.

    Raises:
        httpx.TimeoutException: when it is over.
    """
    current: Attempt | None = None
    try:
        async with asyncio.timeout(None) as timeout:  # the attempt says when
            current = _LoopAttempt(seconds, timeout)
            yield current
    except TimeoutError:
        if current is None:
            raise
        raise current.over() from None
