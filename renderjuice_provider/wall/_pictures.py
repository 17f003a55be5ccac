"""Pictures of renders: fetched once, made small, kept on this disk.

A browser never gets an address of Renderjuice's or of its store: these are signed, and secrets.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from contextvars import Context
from pathlib import Path

from renderjuice_provider.api._flow import FetchFile, Flow, NoResponse, Response
from renderjuice_provider.api._redirects import OF_A_GET, Way
from renderjuice_provider.api.client import AsyncRenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.wall._contact_sheet import growing_sheet, one_sheet
from renderjuice_provider.wall._picture_folder import MEDIA_TYPES, SIZES, PictureFolder, PictureKey
from renderjuice_provider.wall._picture_size import pixels_of
from renderjuice_provider.wall._sheets import Sheets
from renderjuice_provider.wall._sizing import (
    LARGEST_AS_IT_IS,
    MOST_PIXELS_AS_IT_IS,
    NoPictureError,
    Sizer,
    can_size,
    ending_of,
)
from renderjuice_provider.wall._watch import Watch
from renderjuice_provider.wall.facts import Picture
from renderjuice_provider.wall.models import Frame

log = logging.getLogger(__name__)
LARGEST = 64 << 20
"""Bytes of a picture as it comes."""
_AT_ONCE = 3
"""Pictures that are fetched at a time: the store, and this machine, have other things to do."""
_SECONDS = 30.0
"""For fetching one."""
_PATIENCE = 45.0
"""For one to come, with all that are before it."""
_FAILED = 60.0
"""Seconds in which a picture that could not be had is not tried again."""
_PATIENCE_FOR_A_SHEET = 3.0
"""Seconds that a page waits for the list of a job's frames."""
_EXPIRED = frozenset({401, 403, 404, 410})


class Pictures:
    """All pictures of this process. It belongs to one event loop.

    Args:
        folder: where they are kept.
    """

    def __init__(self, folder: PictureFolder | None = None) -> None:
        self._folder = folder if folder is not None else PictureFolder()
        self._sizer = Sizer()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._fetching: dict[tuple[str, PictureKey], asyncio.Task[None]] = {}
        self._failed: dict[tuple[str, PictureKey], float] = {}
        self._sheets = Sheets()

    async def picture(self, watch: Watch, text: str, size: int) -> Picture | None:
        """A picture by its key; None when there is none, or none yet.

        Args:
            watch: of the connection that its job belongs to.
            text: the key, as a browser has sent it.
            size: one of `SIZES`.
        """
        key = PictureKey.parse(text)
        if key is None or size not in SIZES:
            return None
        conn_id = watch.renderjuice_conn_id
        newest = _newest(watch, key)
        for known in dict.fromkeys((key, newest)):
            if found := await asyncio.to_thread(self._folder.get, conn_id, known, size):
                return found
        await self._fetched(watch, newest)
        return await asyncio.to_thread(self._folder.get, conn_id, newest, size)

    async def frames(self, watch: Watch, job_ids: Collection[str]) -> list[Frame]:
        """The contact sheet of jobs, of which the newest is the last."""
        sheets: list[list[Frame]] = []
        for job_id in job_ids:
            seen = watch.job(job_id)
            if seen is None:
                continue
            if seen.is_over:
                sheet = await self._sheets.sheet(watch, seen.job_id, patience=_PATIENCE_FOR_A_SHEET)
                sheets.append(list(sheet.frames) if sheet else [])
            else:
                there = await asyncio.to_thread(self._folder.previews, watch.renderjuice_conn_id, seen.job_id)
                sheets.append(growing_sheet(seen, there))
        return one_sheet(sheets)

    async def close(self) -> None:
        """Give up what is on its way."""
        for task in self._fetching.values():
            task.cancel()
        await asyncio.gather(*self._fetching.values(), return_exceptions=True)
        await self._sheets.close()
        await self._sizer.close()

    # Fetching

    async def _fetched(self, watch: Watch, key: PictureKey) -> None:
        """Have a picture fetched, once for all who ask for it, and wait for it."""
        who = (watch.renderjuice_conn_id, key)
        if self._failed.get(who, float("-inf")) > time.monotonic():
            return
        if who not in self._fetching:
            # It goes on when the browser that asked first is gone.
            task = self._fetching[who] = asyncio.create_task(self._fetch(watch, key), context=Context())
            task.add_done_callback(lambda _: self._fetching.pop(who, None))
        await asyncio.wait([self._fetching[who]], timeout=_PATIENCE)

    async def _fetch(self, watch: Watch, key: PictureKey) -> None:
        try:
            async with self._slots:
                client = await watch.client()
                if client is not None:
                    await self._fetch_with(client, watch, key)
                    return
        except NoPictureError as error:
            log.info("No picture %s of job %s: %s", key.name, key.job_id, error)
        except RenderjuiceError as error:
            log.info("No picture %s of job %s: %s", key.name, key.job_id, error.what)
        except Exception:
            log.exception("The picture %s of job %s could not be made", key.name, key.job_id)
        now = time.monotonic()
        self._failed = {who: until for who, until in self._failed.items() if until > now}
        self._failed[watch.renderjuice_conn_id, key] = now + _FAILED

    async def _fetch_with(self, client: AsyncRenderjuiceClient, watch: Watch, key: PictureKey) -> None:
        with self._folder.work_folder() as work:
            received = Path(work, "received")
            for is_fresh in (False, True):
                url = await self._url(client, watch, key, is_fresh=is_fresh)
                if url is None:
                    raise NoPictureError("Renderjuice has none")
                outcome = await _bounded(client, url, received)
                if isinstance(outcome, Response) and outcome.ok:
                    break
                if isinstance(outcome, NoResponse) or outcome.status not in _EXPIRED or is_fresh:
                    raise NoPictureError("its store does not give it")
            await self._keep(watch.renderjuice_conn_id, key, received)

    async def _url(
        self, client: AsyncRenderjuiceClient, watch: Watch, key: PictureKey, *, is_fresh: bool
    ) -> str | None:
        """Where the picture is now."""
        if not key.name.startswith("f"):
            url = None if is_fresh else watch.previews.get(key.job_id)
            if url is None:
                url = (await watch.read(client, key.job_id)).preview_url
            if url is not None or key.name != "last":
                return url
        sheet = await self._sheets.sheet(watch, key.job_id, is_fresh=is_fresh)
        name = sheet.last if sheet and key.name == "last" else key.name
        return sheet.urls.get(name or "") if sheet else None

    async def _keep(self, conn_id: str, key: PictureKey, received: Path) -> None:
        """Make a picture small, and put it where it is found; as it is where that cannot be done.

        Raises:
            NoPictureError: when it is none.
        """
        source = await asyncio.to_thread(self._source, conn_id, key, received)
        if source is not None:
            made = {size: received.with_name(f"{size}.jpg") for size in SIZES}
            await self._sizer.size(source, made)
            await asyncio.to_thread(self._put, conn_id, key, made)

    def _source(self, conn_id: str, key: PictureKey, received: Path) -> Path | None:
        """What is to be made small; None for a picture that was put in its place as it is.

        Raises:
            NoPictureError: when it is none.
        """
        ending = ending_of(received)
        if not ending:
            raise NoPictureError("it is no picture")
        if can_size():
            return received.rename(received.with_suffix(ending))
        if ending not in MEDIA_TYPES or received.stat().st_size > LARGEST_AS_IT_IS:
            raise NoPictureError("to show it, this server needs OpenImageIO (the extra media)")
        if not 0 < pixels_of(received.read_bytes()) <= MOST_PIXELS_AS_IT_IS:
            raise NoPictureError("it has too many pixels, or does not say how many")
        received.replace(self._folder.place(conn_id, key, ending))
        return None

    def _put(self, conn_id: str, key: PictureKey, made: Mapping[int, Path]) -> None:
        for size, path in made.items():
            path.replace(self._folder.place(conn_id, key, f"-{size}.jpg"))


def _newest(watch: Watch, key: PictureKey) -> PictureKey:
    """The picture that can still be had for one that was not fetched in time.

    A preview is of now, whichever a browser asks for.
    """
    seen = watch.job(key.job_id)
    if seen is None or key.name.startswith("f"):
        return key
    return PictureKey(key.job_id, seen.picture or key.name)


async def _bounded(client: AsyncRenderjuiceClient, url: str, target: Path) -> Response | NoResponse:
    """Fetch a file, but not for ever, and not any size."""
    task = asyncio.ensure_future(client.run(_fetch_file(url, target)))
    end = time.monotonic() + _SECONDS
    try:
        while True:
            done, _ = await asyncio.wait([task], timeout=0.1)
            if _size(target) > LARGEST:
                raise NoPictureError("it is too large")
            if done:
                return task.result()
            if time.monotonic() > end:
                raise NoPictureError("its store takes too long")
    finally:
        task.cancel()
        await asyncio.wait([task])


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fetch_file(url: str, target: Path) -> Flow[Response | NoResponse]:
    way = Way(url, OF_A_GET)
    while True:
        outcome = yield from FetchFile(way.url, target)
        if not way.leads_on(outcome):
            return outcome
