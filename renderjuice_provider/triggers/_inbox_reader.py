"""Reading a connection's inbox in the triggerer: which of the jobs that are waited for to poll now.

The receiver, in Airflow's API servers, notes events in an Airflow Variable. Here it is read once a
second, in a thread, because Airflow reads Variables in no other way. What goes wrong costs nothing
but the advantage: without events, polling goes on as it would without webhooks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow.sdk import Variable
from asgiref.sync import sync_to_async

from renderjuice_provider._task_state import is_in_process
from renderjuice_provider.api.redact import redact
from renderjuice_provider.compat import is_masked
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle.events import Arrivals
from renderjuice_provider.lifecycle.inbox import Inbox, variable_of

log = logging.getLogger(__name__)
READ_EVERY = 1.0
"""Seconds between two reads. An event is to resume its task within seconds."""
_SLOWEST = 10.0
"""Seconds between two reads while there is no inbox, or it cannot be read."""
_SHARE = 0.05
"""Of the time that may be spent on reading: a secrets backend that holds Variables may be slow."""
_LOOK_UP_EVERY = 300.0
"""Seconds after which the connection is looked up again: its secret may have been set meanwhile."""


@dataclass(frozen=True)
class WebhookSettings:
    secrets: tuple[str, ...] = ()
    poll_interval: float = 300.0


def webhook_settings(connection: Any) -> WebhookSettings:
    extra = connection.extra_dejson
    secret = extra.get("webhook_secret")
    return WebhookSettings((secret,) if secret else (), min(300.0, float(extra.get("webhook_poll_interval") or 300.0)))


class InboxReader:
    """Reads the inbox of one connection for as long as its jobs are polled.

    Args:
        renderjuice_conn_id: the connection.
        on_read: called after each read with the jobs, in lower case, to poll now; with None when
            any job may be meant.

    Attributes:
        arrivals: whether events have proven to arrive.
    """

    def __init__(self, renderjuice_conn_id: str, on_read: Callable[[frozenset[str] | None], None]) -> None:
        self.arrivals = Arrivals()
        self._hook = RenderjuiceHook(renderjuice_conn_id)
        self._key = variable_of(renderjuice_conn_id)
        self._on_read = on_read
        self._settings = WebhookSettings()
        self._text: str | None = None
        self._pause = READ_EVERY

    def poll_interval(self) -> float:
        """Seconds between two polls of a job whose event will come; 0 while that is not certain."""
        return self._settings.poll_interval if self.arrivals.are_proven(time.time()) else 0.0

    async def read_for_ever(self) -> None:
        """Read the inbox while the connection has a webhook secret; errors are waited out."""
        if is_in_process():
            return  # there, one thread alone may ask Airflow; and the task ends with the process
        while True:
            await self._look_up()
            end = time.monotonic() + _LOOK_UP_EVERY
            while self._settings.secrets and time.monotonic() < end:
                await self._read()
                await asyncio.sleep(self._pause)
            await asyncio.sleep(end - time.monotonic())

    async def _look_up(self) -> None:
        conn_id = self._hook.renderjuice_conn_id
        try:
            settings = webhook_settings(await self._hook.aget_connection(conn_id))
        except Exception as error:  # noqa: BLE001 - polls report what is wrong with a connection
            log.debug("The webhook secret of connection %r is not known: %s", conn_id, redact(str(error)))
            return
        if settings.secrets and is_masked(self._key):
            log.warning(
                "Connection %r has a word in its id for which Airflow masks values, so its events are not read. "
                "Give the connection another id to have renders found sooner.",
                conn_id,
            )
            settings = WebhookSettings()
        self._settings = settings

    async def _read(self) -> None:
        began = time.monotonic()
        try:
            # Not thread-sensitive: the one thread for what is may be kept busy by other triggers.
            text = await sync_to_async(Variable.get, thread_sensitive=False)(self._key, default=None)
        except Exception as error:  # noqa: BLE001 - as with no inbox
            log.debug("Could not read the Variable %r: %s", self._key, redact(str(error)))
            text = None
        if text is None:  # Airflow says the same when its database cannot be reached
            self._pause = min(2 * self._pause, _SLOWEST)
            self._on_read(frozenset())
            return
        self._pause = max(READ_EVERY, (time.monotonic() - began) / _SHARE)
        self._on_read(self.arrivals.on_inbox(Inbox.parse(text), time.time()))
