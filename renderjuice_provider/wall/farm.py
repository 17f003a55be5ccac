"""Renderjuice, as the wall sees it: asked once for everybody who watches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping

from renderjuice_provider.wall._picture_folder import PictureFolder
from renderjuice_provider.wall._pictures import Pictures
from renderjuice_provider.wall._watch import Watch
from renderjuice_provider.wall.facts import Look, Picture
from renderjuice_provider.wall.models import Frame

__all__ = [
    "RenderjuiceFarm",
]

_PATIENCE = 0.5
"""Seconds that a page waits where nothing is known at all yet."""
_MOST_CONNECTIONS = 50
"""Connections that are watched at once."""
_KEPT = 600.0
"""Seconds after which a connection that nobody has asked for is forgotten."""


class RenderjuiceFarm:
    """What Renderjuice says, for one process of the API server: see `facts.Farm`.

    It belongs to the event loop that first uses it. Nobody watches, nobody asks: what nobody has
    asked for in the last seconds is not polled.

    Args:
        folder: where pictures are kept; by default one that all processes of this machine share.
    """

    def __init__(self, folder: PictureFolder | None = None) -> None:
        self._folder = folder
        self._pictures: Pictures | None = None
        self._watches: dict[str, Watch] = {}
        self._used: dict[str, float] = {}

    async def look(self, jobs: Mapping[str, Collection[str]], over: Collection[str] = ()) -> Look:
        """What is known of jobs. Answers at once with what there is, and has it made newer.

        Args:
            jobs: by connection, those of the rows that are shown; a connection may have none yet.
            over: of these, jobs whose tasks are over.
        """
        over = frozenset(over)
        watches = {conn_id: self._watch(conn_id) for conn_id in list(jobs)[:_MOST_CONNECTIONS]}
        for conn_id, watch in watches.items():
            watch.want(jobs[conn_id], over)
        await self._forget()
        await asyncio.gather(*(watch.begun(_PATIENCE) for watch in watches.values()))
        return Look(
            jobs={
                job_id: job for conn_id, watch in watches.items() for job_id, job in watch.facts(jobs[conn_id]).items()
            },
            connections=tuple(watch.status() for watch in watches.values()),
            rates={conn_id: watch.rate for conn_id, watch in watches.items() if watch.rate is not None},
        )

    async def frames(self, conn_id: str, job_ids: Collection[str]) -> list[Frame]:
        """The frames of a row's jobs, for its contact sheet; the newest job is the last."""
        return await self._all_pictures().frames(self._watch(conn_id), job_ids)

    async def picture(self, conn_id: str, key: str, size: int) -> Picture | None:
        """A picture, at most `size` pixels wide and high; None when there is none."""
        return await self._all_pictures().picture(self._watch(conn_id), key, size)

    async def close(self) -> None:
        """Close all connections, and end what was started."""
        await asyncio.gather(*(watch.close() for watch in self._watches.values()))
        self._watches.clear()
        self._used.clear()
        if self._pictures is not None:
            await self._pictures.close()
            self._pictures = None

    def _all_pictures(self) -> Pictures:
        if self._pictures is None:
            self._pictures = Pictures(self._folder)
        return self._pictures

    async def _forget(self) -> None:
        before = time.monotonic() - _KEPT
        for conn_id in [conn_id for conn_id, used in self._used.items() if used < before]:
            del self._used[conn_id]
            await self._watches.pop(conn_id).close()

    def _watch(self, conn_id: str) -> Watch:
        self._used[conn_id] = time.monotonic()
        if conn_id not in self._watches:
            self._watches[conn_id] = Watch(conn_id)
        return self._watches[conn_id]
