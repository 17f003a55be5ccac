"""Work that blocks, beside an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")


async def beside_the_loop(
    work: Callable[[], T], threads: Executor | None = None, break_off: Callable[[], bool] = lambda: True
) -> T:
    """The result of `work`, done in a thread.

    A caller that is cancelled, even twice, still waits for it, so that a file is never closed while
    it is being written.

    Args:
        work: may block.
        threads: those of the event loop by default.
        break_off: called when the caller is cancelled. Returns whether to wait for the end of
            `work` nevertheless.
    """
    return await until_done(asyncio.get_running_loop().run_in_executor(threads, work), break_off)


async def until_done(done: asyncio.Future[T], break_off: Callable[[], bool]) -> T:
    """The result of `done`, awaited as by `beside_the_loop`."""
    cancelled: asyncio.CancelledError | None = None
    waits = True
    while waits and not done.done():
        try:
            await asyncio.wait([done])
        except asyncio.CancelledError as error:
            cancelled = error
            waits = break_off()
    if cancelled is not None:
        done.add_done_callback(_forget)
        raise cancelled
    return done.result()


def _forget(done: asyncio.Future[T]) -> None:
    if not done.cancelled():
        done.exception()  # marks it as retrieved, else asyncio warns
