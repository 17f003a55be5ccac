"""Wait for a record: a value in the newest of a folder's numbered JSON files.

All that wait for records of one folder share one look at it per interval: a list of its names, and
one file where a new one is there.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextvars import Context
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from renderjuice_provider._task_state import is_in_process
from renderjuice_provider.api.errors import reason

_LOOK = "look"
"""Of an event, in place of the value: nothing has changed for long, and somebody has to see why."""
_NUMBERED = re.compile(r"(\d{6,})\.json", re.ASCII)


class RenderjuiceRecordTrigger(BaseTrigger):
    """Fires when a value in the newest record of a folder is another than those waited out.

    A record is a file such as `000012.json`. What cannot be read is read again at the next look.
    Its event is a dict of `value`: the new one; or `_LOOK` when no record has come for `look_after`
    seconds. Then one of all that wait is fired, so that it may do what moves the others on.

    Args:
        folder: of the records: a local path, or any `ObjectStoragePath` URL.
        path: of the value in a record: the keys that lead to it.
        while_in: the values that are waited out.
        poll_interval: seconds between two looks.
        look_after: seconds.
    """

    def __init__(
        self,
        *,
        folder: str,
        path: Sequence[str],
        while_in: Collection[str],
        poll_interval: float = 30.0,
        look_after: float = 300.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.folder = folder
        self.path = [*path]
        self.while_in = sorted(while_in)
        self.poll_interval = poll_interval
        self.look_after = look_after

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path, and the arguments as they were given."""
        names = ("folder", "path", "while_in", "poll_interval", "look_after")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, together with all others of this folder."""
        yield TriggerEvent({"value": await _shared_look(self.folder).until(self)})

    def found(self, record: Any) -> str | None:
        """The value that this trigger fires with; None to wait on."""
        for key in self.path:
            record = record.get(key) if isinstance(record, dict) else None
        return None if record is None or record in self.while_in else str(record)


class _SharedLook:
    """One look per interval for all triggers of a folder; it ends with the last of them."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._waiting: dict[RenderjuiceRecordTrigger, asyncio.Future[str]] = {}
        self._number = 0
        self._record: Any = None
        self._changed = time.monotonic()
        # Not in the context of the trigger that happens to come first: its log is for its own task.
        self._loop = None if is_in_process() else asyncio.create_task(self._look_for_ever(), context=Context())

    @property
    def is_over(self) -> bool:
        return self._loop is not None and self._loop.done()

    async def until(self, trigger: RenderjuiceRecordTrigger) -> str:
        """The value that ends the wait of a trigger."""
        self._waiting[trigger] = future = asyncio.get_running_loop().create_future()
        try:
            while not future.done() and self._loop is None:  # there, only one thread at a time may ask Airflow
                await self._look()
                await asyncio.sleep(0 if future.done() else trigger.poll_interval)
            value: str = await future
            return value
        finally:
            del self._waiting[trigger]
            if not self._waiting and self._loop is not None:
                self._loop.cancel()

    async def _look_for_ever(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(min((trigger.poll_interval for trigger in self._waiting), default=1.0))

    async def _look(self) -> None:
        try:
            number = await asyncio.shield(sync_to_async(_newest, thread_sensitive=False)(self._folder))
            if number != self._number:
                read = sync_to_async(_read, thread_sensitive=False)
                self._record = await asyncio.shield(read(self._folder, number))
                self._number, self._changed = number, time.monotonic()
        except Exception as error:  # noqa: BLE001 - a store that is away comes back
            for trigger in self._waiting:
                trigger.log.warning("Cannot read the records in %s, and looks again: %s", self._folder, reason(error))
                break
        self._answer()

    def _answer(self) -> None:
        waiting = [(trigger, future) for trigger, future in self._waiting.items() if not future.done()]
        for trigger, future in waiting:
            if (value := trigger.found(self._record)) is not None:
                future.set_result(value)
        waiting = [(trigger, future) for trigger, future in waiting if not future.done()]
        if waiting and time.monotonic() - self._changed >= min(trigger.look_after for trigger, _ in waiting):
            self._changed = time.monotonic()
            waiting[0][1].set_result(_LOOK)


def _newest(folder: str) -> int:
    where = _storage(folder)
    where.fs.invalidate_cache()
    return max((int(found[1]) for path in where.iterdir() if (found := _NUMBERED.fullmatch(path.name))), default=0)


def _read(folder: str, number: int) -> Any:
    return json.loads((_storage(folder) / f"{number:06d}.json").read_text(encoding="utf-8"))


def _storage(folder: str) -> Any:
    from airflow.sdk import ObjectStoragePath

    return ObjectStoragePath(folder)


_SHARED: dict[tuple[asyncio.AbstractEventLoop, str], _SharedLook] = {}


def _shared_look(folder: str) -> _SharedLook:
    """The shared look at a folder on the running event loop."""
    for key in [key for key, found in _SHARED.items() if found.is_over or key[0].is_closed()]:
        _SHARED.pop(key, None)
    key = (asyncio.get_running_loop(), folder)
    if key not in _SHARED:
        _SHARED[key] = _SharedLook(folder)
    return _SHARED[key]
