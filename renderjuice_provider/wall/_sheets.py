"""The frames of jobs that are over, by their lists of signed addresses: read once for everybody."""

from __future__ import annotations

import asyncio
import logging
import time
from contextvars import Context
from typing import NamedTuple

from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.wall._contact_sheet import Sheet, finished_sheet
from renderjuice_provider.wall._watch import Watch

log = logging.getLogger(__name__)
_LIFETIME = 300.0
"""Seconds for which a list is used. That its addresses have expired is noticed."""
_FAILED = 15.0
"""Seconds after which a list that could not be read is asked for again."""
_MOST = 50
_Who = tuple[str, str]


class _Read(NamedTuple):
    expires: float
    sheet: Sheet | None


class Sheets:
    """The sheets of jobs that are over. It belongs to one event loop."""

    def __init__(self) -> None:
        self._read: dict[_Who, _Read] = {}
        self._reading: dict[_Who, asyncio.Task[Sheet | None]] = {}

    async def sheet(
        self, watch: Watch, job_id: str, *, is_fresh: bool = False, patience: float | None = None
    ) -> Sheet | None:
        """The sheet of a job; None where it cannot be had.

        Args:
            watch: of its connection.
            job_id: the job, which is over.
            is_fresh: whether its addresses have to be new.
            patience: seconds after which None is returned; it is read all the same.
        """
        who = (watch.renderjuice_conn_id, job_id)
        known = self._read.get(who)
        if known is not None and known.expires > time.monotonic() and not is_fresh:
            return known.sheet
        task = self._reading.get(who)
        if task is None:
            # It goes on when the one that asked first is gone.
            task = self._reading[who] = asyncio.create_task(self._ask(watch, job_id), context=Context())
            task.add_done_callback(lambda _: self._reading.pop(who, None))
        await asyncio.wait([task], timeout=patience)
        return task.result() if task.done() and not task.cancelled() else None

    async def close(self) -> None:
        """Give up what is on its way."""
        for task in self._reading.values():
            task.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)

    async def _ask(self, watch: Watch, job_id: str) -> Sheet | None:
        sheet, lifetime = None, _FAILED
        try:
            sheet = await self._ask_for(watch, job_id)
            lifetime = _LIFETIME
        except RenderjuiceError as error:
            log.info("The frames of job %s could not be listed: %s", job_id, error.what)
        now = time.monotonic()
        kept = sorted(self._read.items(), key=lambda item: -item[1].expires)[: _MOST - 1]
        self._read = {who: read for who, read in kept if read.expires > now}
        self._read[watch.renderjuice_conn_id, job_id] = _Read(now + lifetime, sheet)
        return sheet

    async def _ask_for(self, watch: Watch, job_id: str) -> Sheet | None:
        client = await watch.client()
        if client is None:
            return None
        job = await watch.read(client, job_id)
        downloads = await client.run(client.operations.once().get_downloads(job_id))
        return await asyncio.to_thread(finished_sheet, job, downloads)
