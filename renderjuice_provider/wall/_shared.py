"""What many ask for at the same time is made once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Generic, TypeVar

LIFETIME = 2.0
"""Seconds for which what was made is good enough for everybody: pages ask every five."""
K = TypeVar("K")
T = TypeVar("T")


class Shared(Generic[K, T]):
    """Makes what is asked for, by key, and keeps it for a short while. It keeps no error."""

    def __init__(self) -> None:
        self._kept: dict[K, tuple[float, asyncio.Task[T]]] = {}

    async def get(self, key: K, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What was made for this key, or is being made, or is made now."""
        now = time.monotonic()
        self._kept = {each: kept for each, kept in self._kept.items() if kept[0] > now or not kept[1].done()}
        if key not in self._kept:
            # Not in the context of the request that happens to come first: it may be given up.
            self._kept[key] = (now + LIFETIME, asyncio.create_task(make(), context=Context()))
        making = self._kept[key][1]
        try:
            return await asyncio.shield(making)
        except Exception:
            self._kept.pop(key, None)
            raise
