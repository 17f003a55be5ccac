"""The emulator's time: real, faster than real, or moved by hand."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

LONGEST_JUMP = 10 * 366 * 86400.0
"""Seconds by which the clock is moved at once: ten years, longer than any test needs, and far from
the last date there is."""


class Clock:
    """Everything in the emulator that takes time takes it from here.

    Args:
        speed: emulated seconds per real second. 1 is real time, 3600 makes an hour a second, and 0
            is a clock that only `advance` moves.

    Emulated time begins at the real time, so that what a client compares with its own clock
    (`expiresAt`) makes sense.

    `advance` works at every speed and is deterministic at speed 0: it wakes sleepers one by one in
    the order of their time, and lets each woken task run until it sleeps again or ends before the
    next is woken. One `advance(3600)` therefore carries a job through as many states as fit into an
    hour.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if speed < 0:
            raise ValueError(f"the speed of a clock is 0 (moved by hand) or more, not {speed}")
        self.speed = speed
        self._origin = time.time()
        self._started = time.monotonic()
        self._advanced = 0.0
        self._order = itertools.count()
        self._sleepers: dict[asyncio.Future[None], tuple[float, int]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._awake = 0
        self._quiet = asyncio.Event()
        self._advancing = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Remember the event loop that the emulator runs in; `advance` needs it."""
        self._loop = loop

    def timestamp(self) -> float:
        """Emulated seconds since 1970."""
        return self._origin + self._real_seconds() * self.speed + self._advanced

    def now(self) -> datetime:
        """The emulated time, aware, in UTC."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def transfer_timestamp(self) -> float:
        """Seconds by which signed URLs expire.

        What `advance` skipped counts, a speed above 1 does not.

        Transfers happen in real time. At 1000 emulated seconds a second, a URL that lives a quarter
        of an hour would be dead before the client could use it.
        """
        return self._origin + self._real_seconds() * min(self.speed, 1.0) + self._advanced

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` of emulated time have passed."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        self._sleepers[woken] = (self.timestamp() + seconds, next(self._order))
        timer = loop.call_later(seconds / self.speed, _wake, woken) if self.speed else None
        try:
            with self.waiting():
                await woken
        finally:
            del self._sleepers[woken]
            if timer:
                timer.cancel()

    async def hang(self) -> None:
        """Wait for ever: no time that passes ends it, only the end of the task."""
        with self.waiting():
            await asyncio.get_running_loop().create_future()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` as a task. `advance` waits for it unless it sleeps or is in `waiting()`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        self._awake += 1
        self._quiet.clear()
        task.add_done_callback(self._ended)
        return task

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The current task waits for more than time, such as a free slot."""
        counted = asyncio.current_task() in self._tasks
        if counted:
            self._fall_asleep()
        try:
            yield
        finally:
            if counted:
                self._awake += 1
                self._quiet.clear()

    async def pass_time(self, seconds: float) -> None:
        """Move the clock on, waking the sleepers that are due on the way.

        For code inside the emulator's event loop.

        Raises:
            ValueError: for a time that is negative, or longer than `LONGEST_JUMP`.
        """
        if not 0 <= seconds <= LONGEST_JUMP:
            raise ValueError(f"a clock is moved by 0 to {LONGEST_JUMP:.0f} seconds, not {seconds}")
        async with self._advancing:
            end = self._advanced + seconds
            await self._settle()
            while self._sleepers:
                sleeper, (due, _) = min(self._sleepers.items(), key=lambda item: item[1])
                skipped = self._advanced + max(0.0, due - self.timestamp())
                if skipped > end:
                    break
                self._advanced = skipped
                _wake(sleeper)
                await self._settle()
            self._advanced = end

    def advance(self, seconds: float) -> None:
        """Move the clock on by `seconds` of emulated time. For any thread but the emulator's own.

        Returns once everything that became due has happened.
        """
        if self._loop is None:
            raise RuntimeError("the emulator is not running")
        asyncio.run_coroutine_threadsafe(self.pass_time(seconds), self._loop).result()

    async def stop(self) -> None:
        """Cancel what still runs, and wait for it to end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _real_seconds(self) -> float:
        return time.monotonic() - self._started

    def _fall_asleep(self) -> None:
        self._awake -= 1
        if not self._awake:
            self._quiet.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._fall_asleep()

    async def _settle(self) -> None:
        # One turn of the loop lets a task that was just woken (by us or by another task) count as
        # awake again.
        await asyncio.sleep(0)
        while self._awake:
            await self._quiet.wait()
            await asyncio.sleep(0)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
