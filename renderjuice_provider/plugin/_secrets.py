"""Which connections receive webhooks, and the secrets that sign them; looked up rarely."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.redact import redact
from renderjuice_provider.compat import AirflowNotFoundException
from renderjuice_provider.hooks._connection import webhook_options
from renderjuice_provider.plugin._refusals import RefusedError, named

LIFETIME = 30.0
"""Seconds after which a connection is looked up again: so long a changed secret takes to count."""
SHORT_LIFETIME = 1.0
"""The same after a look-up that failed."""
MOST_UNPROVEN = 100
"""Ids that are kept although nothing genuine has come for them. Beyond them only proven connections
are looked up: anyone can make up ids, and each costs the database some queries. That an id has a
secret proves nothing: Airflow finds a connection of the environment by any letter case."""
UNPROVEN_AT_ONCE = 2
"""Their look-ups at a time: a slow secrets backend must not take all threads, of which the notes of
genuine events need one."""
_ID = re.compile(r"[\w#!()\-.:/\\]{1,250}")
"""What Airflow takes for the id of a connection."""


@dataclass
class _Entry:
    found: asyncio.Task[tuple[str, ...] | RefusedError]
    expires: float

    def is_valid(self, now: float) -> bool:
        """Whether there is no need for another look-up: its own may be under way still."""
        return self.expires > now or not self.found.done()


class Secrets:
    """The webhook secrets of connections.

    Args:
        look_up: blocks, and runs in a thread: the secrets of a connection; raises `RefusedError`.
        clock: monotonic seconds.
    """

    def __init__(
        self, look_up: Callable[[str], tuple[str, ...]] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look_up = look_up or secrets_in_airflow
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._proven: set[str] = set()
        self._turn = asyncio.Semaphore(UNPROVEN_AT_ONCE)

    async def of(self, renderjuice_conn_id: str) -> tuple[str, ...]:
        """The secrets of a connection, at least one.

        Raises:
            RefusedError: `unknown_connection`, `no_secret`, `busy` or `unavailable`.
        """
        if not _ID.fullmatch(renderjuice_conn_id) or {".", ".."} & set(re.split(r"[/\\]", renderjuice_conn_id)):
            # Never to a secrets backend: where it makes a path of an id, this one leads elsewhere.
            raise RefusedError("unknown_connection", "Airflow has no connection of such an id.")
        entry = self._entries.get(renderjuice_conn_id)
        if entry is None or not entry.is_valid(self._clock()):
            entry = self._begin(renderjuice_conn_id)
        # Others may wait for the same look-up.
        found = await asyncio.shield(entry.found)
        if isinstance(found, RefusedError):
            raise RefusedError(found.reason, found.why)
        return found

    def prove(self, renderjuice_conn_id: str) -> None:
        """Something genuine has come for a connection: it is looked up whatever else comes."""
        self._proven.add(renderjuice_conn_id)

    def _begin(self, renderjuice_conn_id: str) -> _Entry:
        now = self._clock()
        self._entries = {key: entry for key, entry in self._entries.items() if entry.is_valid(now)}
        unproven = self._entries.keys() - self._proven
        if renderjuice_conn_id not in self._proven and len(unproven) >= MOST_UNPROVEN:
            raise RefusedError("busy", "Too many requests name connections for which nothing genuine ever came.")
        entry = _Entry(asyncio.create_task(self._found(renderjuice_conn_id)), now + LIFETIME)
        self._entries[renderjuice_conn_id] = entry
        return entry

    async def _found(self, renderjuice_conn_id: str) -> tuple[str, ...] | RefusedError:
        try:
            async with nullcontext() if renderjuice_conn_id in self._proven else self._turn:
                return await asyncio.to_thread(self._look_up, renderjuice_conn_id)
        except RefusedError as refused:
            return refused
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look-up may succeed
            if entry := self._entries.get(renderjuice_conn_id):
                entry.expires = self._clock() + SHORT_LIFETIME
            return RefusedError("unavailable", f"Airflow did not give the connection: {named(error)}.")


def secrets_in_airflow(renderjuice_conn_id: str) -> tuple[str, ...]:
    """The webhook secrets of a connection, as Airflow has it now. Blocks.

    Raises:
        RefusedError: `unknown_connection` or `no_secret`.
    """
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    try:
        connection = Connection.get_connection_from_secrets(renderjuice_conn_id)
    except AirflowNotFoundException:
        # Airflow says so, too, where its database cannot be reached; this says which it is.
        with create_session(scoped=False) as session:
            session.execute(select(Connection.id).limit(1))
        raise RefusedError("unknown_connection", "Airflow has no connection of this id.") from None
    if (connection.conn_type or "").partition("+")[0] != "renderjuice":
        raise RefusedError("no_secret", "The connection is not of the type renderjuice.")
    try:
        secrets = webhook_options(connection).secrets
    except RenderjuiceInputError as error:
        raise RefusedError("no_secret", redact(error.what)) from None
    if not secrets:
        raise RefusedError(
            "no_secret",
            "The connection has no webhook_secret: put Renderjuice's (Profile & Settings, Webhooks) into its extra.",
        )
    return secrets
