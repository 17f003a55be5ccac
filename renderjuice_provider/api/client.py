"""Renderjuice for Python programs: one client that blocks, one for event loops, the same names and the same results.

    with RenderjuiceClient(api_key) as client:
        job = client.create_job(client.upload("shot.blend").slug)

What each call sends, and what it does with a lost or odd answer, is decided once, in `renderjuice_provider.api._operations`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Self, TypeVar

from renderjuice_provider.api import _transfer as transfer
from renderjuice_provider.api._flow import Flow
from renderjuice_provider.api._folders import folder
from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api._listing import JobListing
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._origin import DEFAULT_BASE_URL, check_base_url
from renderjuice_provider.api._settings import WireSettings
from renderjuice_provider.api._wire import AsyncWire, Wire
from renderjuice_provider.api.config import RenderConfig
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.models import Downloads, Job, UploadTarget
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.api.report import DownloadReport
from renderjuice_provider.api.retry import RetryPolicy

T = TypeVar("T")
_JOBS_IN_A_TURN = 100
"""Of a list: they are read in some milliseconds, and then the event loop is free for others."""
Path = str | os.PathLike[str] | Any
"""A local path, or an fsspec path such as `ObjectStoragePath`."""


class _Settings:
    """The arguments of both clients, checked."""

    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT_BASE_URL,
        timeout: float = 30.0,
        max_attempts: int = RetryPolicy.max_attempts,
        *,
        allow_http: bool = False,
    ) -> None:
        key = api_key.strip() if isinstance(api_key, str) else ""
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise RenderjuiceInputError(
                "The API key is empty or holds characters that no key has. Copy it from the Renderjuice dashboard (RJ-...)."
            )
        if not timeout > 0 or max_attempts < 1:
            raise RenderjuiceInputError("timeout must be above 0 seconds, and max_attempts at least 1.")
        checked = check_base_url(base_url, allow_http=allow_http, secret=key)
        self._wire_settings = WireSettings(key, checked, timeout, allow_http)
        self.operations = Operations(key, RetryPolicy(max_attempts))

    @property
    def base_url(self) -> str:
        """Of the API."""
        return self._wire_settings.base_url

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._wire_settings.base_url!r})"


class RenderjuiceClient(_Settings):
    """Renderjuice, blocking. One instance may serve several threads.

    Args:
        api_key: from the Renderjuice dashboard, `RJ-...`.
        base_url: of the API. Plain http is accepted to this machine only, unless `allow_http`.
        timeout: seconds without a byte after which an attempt counts as lost; 30 is beyond any answer, short of any patience. A
            whole call may take four times as many, whatever drips; a file may take any time as long as its bytes come.
        max_attempts: how often one call is tried; the pauses between them grow from half a second.
        allow_http: permit plain http to another machine, such as an emulator on a closed network.

    Raises:
        RenderjuiceInputError: for an empty key or an unusable address, before anything is sent. Every error of every method
            descends from `RenderjuiceError`; the tree is drawn in `renderjuice_provider.api.errors`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = Wire(self._wire_settings)

    def create_upload(self, file_name: str, file_type: str) -> UploadTarget:
        """A presigned place for one `.blend` or `.zip`."""
        return self._wire.run(self.operations.create_upload(file_name, file_type))

    def upload(self, path: Path, *, one_scene: bool = False) -> UploadTarget:
        """Check the file, ask for a target, and send the bytes; `target.slug` then stands for the scene."""
        return self._wire.run(transfer.upload(self.operations, path, one_scene=one_scene))

    def create_job(self, slug: str) -> Job:
        """A job from an uploaded scene. An answer lost on the way is told, not tried again: that could make two jobs."""
        return self._wire.run(self.operations.create_job(slug))

    def get_job(self, job_id: str) -> Job:
        """The job as it is now."""
        return self._wire.run(self.operations.get_job(job_id))

    def list_jobs(self, status: str | None = None) -> Iterator[Job]:
        """All jobs, or those of one status, over all pages."""
        listing = JobListing(self.operations, status)
        while listing.more:
            yield from self._wire.run(listing.next_page())

    def validate_job(self, job_id: str) -> Job:
        """Start validation; a job that is already past it is returned as it is."""
        return self._wire.run(self.operations.validate_job(job_id))

    def start_render(self, job_id: str, render_config: RenderConfig | Mapping[str, Any]) -> Job:
        """Start rendering: from here on it costs money. Repeating it starts nothing twice."""
        return self._wire.run(self.operations.start_render(job_id, render_config))

    def cancel_job(self, job_id: str) -> Job:
        """Stop the job; one that is over already is returned as it is."""
        return self._wire.run(self.operations.cancel_job(job_id))

    def get_progress(self, job_id: str | None = None) -> tuple[Progress, ...]:
        """Counters of one job, or of all that run. Empty means "no information"."""
        return self._wire.run(self.operations.get_progress(job_id))

    def get_downloads(self, job_id: str) -> Downloads:
        """The signed URLs of a job's outputs. They expire: use them at once, store them nowhere."""
        return self._wire.run(self.operations.get_downloads(job_id))

    def download_outputs(self, job_id: str, destination: Path) -> DownloadReport:
        """Fetch every output to `destination`, each file whole or not at all."""
        return self._wire.run(transfer.download(self.operations, check_job_id(job_id), folder(destination)))

    def run(self, flow: Flow[T]) -> T:
        """Perform a flow that was built from `operations`, such as a wait."""
        return self._wire.run(flow)

    def close(self) -> None:
        """Close the connections. The client opens new ones if it is used again."""
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncRenderjuiceClient(_Settings):
    """Renderjuice for event loops: see `RenderjuiceClient`, whose names, arguments and results these are.

    One instance belongs to one loop. Files are read, checked and written beside the loop, never on it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wire = AsyncWire(self._wire_settings)

    async def create_upload(self, file_name: str, file_type: str) -> UploadTarget:
        """A presigned place for one `.blend` or `.zip`."""
        return await self._wire.run(self.operations.create_upload(file_name, file_type))

    async def upload(self, path: Path, *, one_scene: bool = False) -> UploadTarget:
        """Check the file, ask for a target, and send the bytes; `target.slug` then stands for the scene."""
        return await self._wire.run(transfer.upload(self.operations, path, one_scene=one_scene))

    async def create_job(self, slug: str) -> Job:
        """A job from an uploaded scene. An answer lost on the way is told, not tried again: that could make two jobs."""
        return await self._wire.run(self.operations.create_job(slug))

    async def get_job(self, job_id: str) -> Job:
        """The job as it is now."""
        return await self._wire.run(self.operations.get_job(job_id))

    async def list_jobs(self, status: str | None = None) -> AsyncIterator[Job]:
        """All jobs, or those of one status, over all pages."""
        listing = JobListing(self.operations, status)
        while listing.more:
            for place, job in enumerate(await self._wire.run(listing.next_page())):
                if place % _JOBS_IN_A_TURN == 0:
                    await asyncio.sleep(0)
                yield job

    async def validate_job(self, job_id: str) -> Job:
        """Start validation; a job that is already past it is returned as it is."""
        return await self._wire.run(self.operations.validate_job(job_id))

    async def start_render(self, job_id: str, render_config: RenderConfig | Mapping[str, Any]) -> Job:
        """Start rendering: from here on it costs money. Repeating it starts nothing twice."""
        return await self._wire.run(self.operations.start_render(job_id, render_config))

    async def cancel_job(self, job_id: str) -> Job:
        """Stop the job; one that is over already is returned as it is."""
        return await self._wire.run(self.operations.cancel_job(job_id))

    async def get_progress(self, job_id: str | None = None) -> tuple[Progress, ...]:
        """Counters of one job, or of all that run. Empty means "no information"."""
        return await self._wire.run(self.operations.get_progress(job_id))

    async def get_downloads(self, job_id: str) -> Downloads:
        """The signed URLs of a job's outputs. They expire: use them at once, store them nowhere."""
        return await self._wire.run(self.operations.get_downloads(job_id))

    async def download_outputs(self, job_id: str, destination: Path) -> DownloadReport:
        """Fetch every output to `destination`, each file whole or not at all."""
        return await self._wire.run(transfer.download(self.operations, check_job_id(job_id), folder(destination)))

    async def run(self, flow: Flow[T]) -> T:
        """Perform a flow that was built from `operations`, such as a wait."""
        return await self._wire.run(flow)

    async def close(self) -> None:
        """Close the connections. The client opens new ones if it is used again."""
        await self._wire.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
