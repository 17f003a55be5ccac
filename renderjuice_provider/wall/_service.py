"""What the routes answer with: rows from Airflow and from the farm, for one user."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from airflow.utils.session import create_session

from renderjuice_provider.wall import _history
from renderjuice_provider.wall._database import Rows, Window
from renderjuice_provider.wall._grouping import RowKey
from renderjuice_provider.wall._rights import changeable, readable
from renderjuice_provider.wall._shared import Shared
from renderjuice_provider.wall.facts import Farm, Look, Picture, RowFacts
from renderjuice_provider.wall.models import Detail, Frame, Row
from renderjuice_provider.wall.rows import layers_of, make_night, make_row, over_jobs, picture_key

_KNOWN = 60.0
"""Seconds for which a row's pictures are found without reading the row again."""
T = TypeVar("T")


class NotFoundError(Exception):
    """There is nothing of this id, or nothing that the user may see: what to do, in a sentence."""


class Wall:
    """Reads rows for users.

    Args:
        farm: what Renderjuice says.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._rows = Rows()
        self._read = Shared[Window, tuple[list[RowFacts], bool]]()
        self._nights = Shared[tuple[Window, frozenset[str], frozenset[str]], bytes]()
        self._known: dict[str, tuple[float, RowFacts]] = {}

    async def night(self, user: Any, hours: float, window: Window) -> bytes:
        """The rows of a night, or of a run, that the user may see: a `Night` as JSON.

        Args:
            user: of Airflow.
            hours: how far back, where no run is named.
            window: which rows; its `since` is set here.
        """
        now = datetime.now(UTC)
        if window.run_id is None:
            # The same for all who watch within a minute: they share what is read.
            since = now - timedelta(hours=hours)
            window = replace(window, since=since.replace(second=0, microsecond=0))
        rows, _ = await self._rows_of(window)
        dag_ids = {row.dag_id for row in rows}
        allowed, mine = await asyncio.to_thread(lambda: (readable(user, dag_ids), changeable(user, dag_ids)))
        return await self._nights.get(
            (window, frozenset(allowed), frozenset(mine)), lambda: self._night(window, allowed, mine)
        )

    async def _night(self, window: Window, allowed: set[str], mine: set[str]) -> bytes:
        rows, more = await self._rows_of(window)
        rows = [row for row in rows if row.dag_id in allowed]
        look = await self.look(rows)

        def make() -> bytes:
            night = make_night(rows, look, datetime.now(UTC), more=more)
            offered = [_offered(row, mine) for row in night.rows]
            return night.model_copy(update={"rows": offered}).model_dump_json().encode()

        return await asyncio.to_thread(make)

    async def detail(self, user: Any, row_id: str) -> Detail:
        """One row with its frames, its history and its configuration.

        Raises:
            NotFoundError: when there is none, or the user may not see it.
        """
        row = await self.row(user, row_id)
        look = await self.look([row])
        frames, (history, config) = await asyncio.gather(
            self._frames(row), _in_session(lambda session: _history.read(session, self._rows, row))
        )
        mine = await asyncio.to_thread(changeable, user, {row.dag_id})
        shown = _offered(make_row(row, look, datetime.now(UTC)), mine)
        return Detail(row=shown, frames=frames, history=history, config=config)

    async def row(self, user: Any, row_id: str) -> RowFacts:
        """One row as it is now.

        Raises:
            NotFoundError: as above.
        """
        key = RowKey.parse(row_id)
        if key is None or not await asyncio.to_thread(readable, user, {key.dag_id}):
            raise NotFoundError("There is no such row, or you may not see it: go back to the list.")
        row = await _in_session(lambda session: self._rows.read_one(session, key))
        if row is None:
            raise NotFoundError("Its run was deleted, or has no such task any more: go back to the list.")
        return row

    async def rows(self, user: Any, row_ids: Sequence[str]) -> list[RowFacts]:
        """Of these rows, those that there are and that the user may see, as they are now."""
        keys = [key for key in map(RowKey.parse, dict.fromkeys(row_ids)) if key]
        allowed = await asyncio.to_thread(readable, user, {key.dag_id for key in keys})
        runs = {(key.dag_id, key.run_id) for key in keys if key.dag_id in allowed}
        wanted = {key.text for key in keys}
        found = await _in_session(lambda session: self._rows.read_those(session, runs))
        return [row for row in found if row.id in wanted]

    async def picture(self, user: Any, key: str, size: int) -> Picture:
        """A picture of a row.

        Raises:
            NotFoundError: when there is none, or the user may not see its row.
        """
        row_id, _, farm_key = key.partition("~")
        row = await self._known_row(user, row_id)
        conn_id = next((conn for job, conn in row.jobs.items() if farm_key.startswith(f"{job.lower()}.")), None)
        found = await self._farm.picture(conn_id, farm_key, size) if conn_id else None
        if found is None:
            raise NotFoundError("There is no such picture any more.")
        return found

    async def look(self, rows: Sequence[RowFacts]) -> Look:
        """What is known of the jobs of rows."""
        jobs: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            for conn_id in {task.conn_id for task in row.tasks if task.conn_id}:
                jobs[conn_id] += [job for job, conn in row.jobs.items() if conn == conn_id]
        return await self._farm.look(jobs, over_jobs(rows)) if jobs else Look()

    async def _frames(self, row: RowFacts) -> list[Frame]:
        """Of all its layers; where there are several, each frame is named by its layer, too."""
        layers = [(name, conn_id, jobs) for name, conn_id, jobs in layers_of(row) if jobs]
        sheets = await asyncio.gather(*(self._farm.frames(conn_id, jobs) for _, conn_id, jobs in layers))
        return [
            frame.model_copy(
                update={
                    "name": f"{name} {frame.name}" if len(layers) > 1 else frame.name,
                    "picture": picture_key(row.id, frame.picture) if frame.picture else None,
                }
            )
            for (name, _, _), sheet in zip(layers, sheets, strict=True)
            for frame in sheet
        ]

    async def _known_row(self, user: Any, row_id: str) -> RowFacts:
        """A row that may be a little old: a contact sheet asks for it two hundred times."""
        key = RowKey.parse(row_id)
        if key is None or not await asyncio.to_thread(readable, user, {key.dag_id}):
            raise NotFoundError("There is no such row, or you may not see it.")
        now = time.monotonic()
        if row_id not in self._known or self._known[row_id][0] < now:
            await self._rows_of(Window(dag_id=key.dag_id, run_id=key.run_id))
        until, row = self._known.get(row_id, (0.0, None))
        if row is None or until < now:
            raise NotFoundError("Its run was deleted, or has no such task any more.")
        return row

    async def _rows_of(self, window: Window) -> tuple[list[RowFacts], bool]:
        """Rows that everybody shares who asks for the same within seconds."""
        rows, more = await self._read.get(window, lambda: _in_session(lambda session: self._rows.read(session, window)))
        now = time.monotonic()
        self._known = {row_id: known for row_id, known in self._known.items() if known[0] > now}
        self._known |= {row.id: (now + _KNOWN, row) for row in rows}
        return rows, more


def _offered(row: Row, mine: Collection[str]) -> Row:
    """The row as it is for somebody who may change these DAGs alone."""
    return row if row.dag_id in mine or not row.can else row.model_copy(update={"can": []})


async def _in_session(work: Callable[[Any], T]) -> T:
    """Do what blocks, in a thread, with a session of its own."""

    def run() -> T:
        with create_session(scoped=False) as session:
            return work(session)

    return await asyncio.to_thread(run)
