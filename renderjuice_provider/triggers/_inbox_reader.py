"""Reading a connection's inbox in the triggerer: which of the jobs that are waited for to poll now.

The receiver, in Airflow's API servers, notes events in an Airflow Variable, and the newest of them
in a small one. Here the small one is read once a second, and the whole inbox only at first and
where more events came than the small one holds. Each is read in a thread, because Airflow reads
Variables in no other way. What goes wrong costs nothing but the advantage: without events, polling
goes on as it would without webhooks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from airflow.sdk import Variable
from asgiref.sync import sync_to_async

from renderjuice_provider._task_state import is_in_process
from renderjuice_provider.api.redact import redact
from renderjuice_provider.compat import is_masked
from renderjuice_provider.hooks._connection import WebhookOptions, webhook_options
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle.events import Arrivals
from renderjuice_provider.lifecycle.inbox import Inbox, newest_variable_of, variable_of

log = logging.getLogger(__name__)
_Response = TypeVar("_Response")

READ_EVERY = 1.0
"""Seconds between two reads. An event is to resume its task within seconds."""
_SLOWEST = 5.0
"""The same, at most: while there is no inbox, or it cannot be read; and else four times as long as
the last read took. The first event ever is to be noticed soon, too. A secrets backend may be slow,
and so is the first read of a triggerer."""
_LOOK_UP_EVERY = 300.0
"""Seconds after which the connection is looked up again: its secret may have been set meanwhile."""
_LOOK_UP_AGAIN = 30.0
"""The same where Airflow did not give the connection."""


class InboxReader:
    """Reads the inbox of one connection for as long as its jobs are polled.

    Args:
        renderjuice_conn_id: the connection.
        on_news: called with the jobs, in lower case, that have new events; with None when any job
            may be meant; and with no job when the poll interval has changed.

    Attributes:
        arrivals: whether events have proven to arrive.
    """

    def __init__(self, renderjuice_conn_id: str, on_news: Callable[[frozenset[str] | None], None]) -> None:
        self.arrivals = Arrivals()
        self._hook = RenderjuiceHook(renderjuice_conn_id)
        self._key = variable_of(renderjuice_conn_id)
        self._newest_key = newest_variable_of(renderjuice_conn_id)
        self._on_news = on_news
        self._options = WebhookOptions()
        self._text = ""
        self._inbox: Inbox | None = None
        self._pause = READ_EVERY
        self._last_interval = 0.0

    def poll_interval(self) -> float:
        """Seconds between two polls of a job whose event will come; 0 while that is not certain."""
        return self._options.poll_interval if self.arrivals.are_proven(time.time()) else 0.0

    async def read_for_ever(self) -> None:
        """Read the inbox while the connection has a webhook secret; errors are waited out."""
        if is_in_process():
            return  # there, only one thread at a time may ask Airflow
        while True:
            end = time.monotonic() + (_LOOK_UP_EVERY if await self._look_up() else _LOOK_UP_AGAIN)
            while self._options.secrets and time.monotonic() < end:
                self._report(await self._read())
                await asyncio.sleep(self._pause)
            await asyncio.sleep(end - time.monotonic())

    async def _look_up(self) -> bool:
        """Whether Airflow gave the connection."""
        conn_id = self._hook.renderjuice_conn_id
        try:
            options = webhook_options(await _to_its_end(self._hook.aget_connection(conn_id)))
        except Exception as error:  # noqa: BLE001 - polls report what is wrong with a connection
            log.debug("The webhook secret of connection %r is not known: %s", conn_id, redact(str(error)))
            return False
        if options.secrets and is_masked(self._key):
            log.warning(
                "Connection %r has a word in its id for which Airflow masks values, so its events are not read. "
                "Give the connection another id to have renders found sooner.",
                conn_id,
            )
            options = WebhookOptions()
        self._options = options
        return True

    async def _read(self) -> frozenset[str] | None:
        """The jobs that have new events; None when any may have."""
        began = time.monotonic()
        try:
            inbox = await self._read_inbox()
        except Exception as error:  # noqa: BLE001 - as without an inbox
            log.debug(
                "Could not read the Variables of connection %r: %s", self._hook.renderjuice_conn_id, redact(str(error))
            )
            inbox = None
        if inbox is None:  # Airflow says so, too, when its database cannot be reached
            self._pause = min(2 * self._pause, _SLOWEST)
            return frozenset()
        self._pause = max(READ_EVERY, min(4 * (time.monotonic() - began), _SLOWEST))
        return self.arrivals.on_inbox(inbox, time.time())

    async def _read_inbox(self) -> Inbox | None:
        """The inbox as far as it is known; None where Airflow does not give it."""
        text = await _variable(self._newest_key)
        if text is None or text == self._text:
            return None if text is None else self._inbox
        inbox = self._inbox.followed_by(Inbox.parse(text)) if self._inbox else None
        if inbox is None:
            whole = await _variable(self._key)
            if whole is None:
                return None
            inbox = Inbox.parse(whole)
        self._text, self._inbox = text, inbox
        return inbox

    def _report(self, job_ids: frozenset[str] | None) -> None:
        interval, before = self.poll_interval(), self._last_interval
        self._last_interval = interval
        if job_ids is None or job_ids or interval != before:
            self._on_news(job_ids)


async def _variable(key: str) -> str | None:
    """The text of a Variable; None where Airflow has none, or cannot say."""
    # Not in the one thread for what is thread-sensitive: other triggers may keep it busy.
    get = sync_to_async(Variable.get, thread_sensitive=False)
    text: str | None = await _to_its_end(get(key, default=None))
    return text


async def _to_its_end(request: Coroutine[Any, Any, _Response]) -> _Response:
    """The response, without a cancellation on the way.

    Before Airflow 3.3, a request to Airflow that is cancelled leaves its response to the next one,
    and the triggerer has mixed up its messages from then on.
    """
    return await asyncio.shield(request)
