"""Many events, few transactions: those that wait at the same time are noted together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from renderjuice_provider._metrics import ON_SERVERS, WEBHOOKS_NOTED
from renderjuice_provider.plugin._refusals import RefusedError, named

log = logging.getLogger(__name__)

GATHER = 0.02
"""Seconds for which the first event of a group waits for others. What comes during a transaction
shares the next one anyway; a longer wait only makes for larger groups, and while the answers of one
are sent, the API server does nothing else."""
MOST_WAITING = 5_000
"""Events that may wait in one process: ten seconds of 500 each."""
Events = Sequence[tuple[str, str]]


class GroupCommit:
    """Notes events one transaction at a time.

    What arrives at nearly the same time, or while one is under way, shares the next. So the
    database sees a few transactions a second, however many events arrive, and the row of an inbox
    is never fought over in a process.

    Args:
        write: blocks, and runs in a thread: notes events of a connection, and returns how many of
            them were new; a `RefusedError` is what all of them are refused with.
        gather: seconds for which the first event of a group waits for others.
    """

    def __init__(self, write: Callable[[str, Events], int], gather: float = GATHER) -> None:
        self._write = write
        self._gather = gather
        self._waiting: dict[str, list[tuple[tuple[str, str], asyncio.Future[None]]]] = {}
        self._writer: asyncio.Task[None] | None = None

    async def note(self, renderjuice_conn_id: str, job_id: str, event: str) -> None:
        """Return once the event is durably noted.

        Raises:
            RefusedError: `busy`, or `unavailable` where Airflow's database did not take it.
        """
        if sum(map(len, self._waiting.values())) >= MOST_WAITING:
            raise RefusedError("busy", f"{MOST_WAITING:,} events wait for Airflow's database.")
        noted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(renderjuice_conn_id, []).append(((job_id, event), noted))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        await noted

    async def _write_all(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._gather)
            renderjuice_conn_id = next(iter(self._waiting))
            group = self._waiting.pop(renderjuice_conn_id)
            refused = await self._write_group(renderjuice_conn_id, [event for event, _ in group])
            for _, noted in group:
                if noted.done():  # its request has ended
                    continue
                if refused:
                    noted.set_exception(RefusedError(refused.reason, refused.why))
                else:
                    noted.set_result(None)

    async def _write_group(self, renderjuice_conn_id: str, events: Events) -> RefusedError | None:
        """Why none of them was taken; None in the good case."""
        try:
            new = await asyncio.to_thread(self._write, renderjuice_conn_id, events)
        except RefusedError as refused:
            return refused
        except Exception as error:  # noqa: BLE001 - whatever it is, the next group may be taken
            return RefusedError("unavailable", f"Airflow's database did not take the event: {named(error)}.")
        if new:
            log.info("Noted events of the connection %r: %d", renderjuice_conn_id, new)
            ON_SERVERS.count(WEBHOOKS_NOTED, by=new)
        return None
