"""Scenes out, outputs in: two flows in which no file is ever held in memory, and none appears under its name before it is whole.

Presigned URLs are transport: they expire, they are asked for anew, and what they sign never reaches a message.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar

from renderjuice_provider.api import errors
from renderjuice_provider.api._flow import FetchFile, Flow, Gather, Pause, PutFile, Received, Response, RunInThread
from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._paths import PlannedFile, plan
from renderjuice_provider.api._redirects import OF_A_GET, OF_A_PUT, Way
from renderjuice_provider.api.models import Downloads, Job, JobStatus, UploadTarget
from renderjuice_provider.api.redact import redact
from renderjuice_provider.api.report import DownloadedFile, DownloadReport
from renderjuice_provider.api.retry import Repeat
from renderjuice_provider.api.scene_file import SceneFile

T = TypeVar("T")
_RENEWALS = 3
"""Fresh URLs to ask for before something other than time must be wrong."""
_EMPTY_LOOKS = 4
"""Looks at an empty list of a completed job: outputs may be listed a few seconds late, and a job may truly have none."""
_EXPIRED = frozenset({401, 403, 410})
_STORE = "The store"


def upload(
    operations: Operations, path: str | os.PathLike[str] | Any, *, one_scene: bool = False
) -> Flow[UploadTarget]:
    """Check the scene, ask for a target, PUT the bytes; the target's slug then stands for the scene.

    Raises:
        RenderjuiceInputError: before anything is sent.
        RenderjuiceTransferError: when the bytes did not arrive, or the file changed under the upload.
    """
    scene = yield from RunInThread(partial(SceneFile.check, path, one_scene=one_scene))
    for _ in range(_RENEWALS):
        target = yield from operations.create_upload(scene.name, scene.type)
        if (yield from _put(operations, scene, target)):
            yield from RunInThread(scene.check_unchanged)
            return target
    raise errors.RenderjuiceTransferError(
        f"{scene.name} could not be stored: {_RENEWALS} upload URLs in a row were refused or expired before the upload ended."
    )


def download_outputs(
    operations: Operations, job_id: str, destination: str | os.PathLike[str] | Any
) -> Flow[DownloadReport]:
    """Fetch every output of a job that is over, each file whole or not at all.

    `destination` is a local path, or an fsspec path such as `ObjectStoragePath`.

    Raises:
        RenderjuiceTransferError: when the job is not over, its outputs were deleted, or a file did not
            arrive.
    """
    return download(operations, check_job_id(job_id), folder(destination))


def _put(operations: Operations, scene: SceneFile, target: UploadTarget) -> Flow[bool]:
    """True once stored; False when the URL is of no use any more."""
    way = Way(target.upload_url, OF_A_PUT)
    attempt = 0
    while True:
        outcome = yield from PutFile(way.url, scene)
        if way.leads_on(outcome):
            continue
        attempt += 1
        failure = operations.read.failure(outcome, _STORE)
        if failure is None:
            return True
        if isinstance(outcome, Response) and outcome.status in _EXPIRED:
            return False
        pause = operations.policy.pause(failure, attempt, Repeat.SAFELY)
        if pause is None:
            raise errors.RenderjuiceTransferError(f"{scene.name} could not be stored. {failure}. Nothing was spent.")
        yield from Pause(pause)
        # Asked only before repeating: a target that was given a moment ago is good whatever our clock says.
        if _has_expired(target, operations.now()):
            return False


def _has_expired(target: UploadTarget, now: datetime) -> bool:
    expires = target.expires_at
    if expires is None:
        return False
    return (expires if expires.tzinfo else expires.replace(tzinfo=UTC)) <= now


class Folder(Protocol):
    """Where outputs go. Files are first written to `part(place)`, then kept at `place`."""

    def part(self, place: PurePosixPath) -> Path:
        """A local path to write to, its folder made."""
        ...

    def keep(self, part: Path, place: PurePosixPath) -> None:
        """Make the finished `part` appear under its name."""
        ...


class LocalFolder:
    """A folder on this machine; parts lie beside their places, so that keeping one is an atomic rename."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def part(self, place: PurePosixPath) -> Path:
        """See `Folder`."""
        target = self.root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        # The name is never used twice: a second download to the same place, by a retry perhaps, must not write into this one.
        return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")

    def keep(self, part: Path, place: PurePosixPath) -> None:
        """See `Folder`."""
        part.replace(self.root / place)


class RemoteFolder:
    """Any fsspec path (`ObjectStoragePath`, `UPath`): an object appears when all of it was sent."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self._parts = tempfile.mkdtemp(prefix="renderjuice-")
        weakref.finalize(self, shutil.rmtree, self._parts, ignore_errors=True)

    def part(self, place: PurePosixPath) -> Path:
        """See `Folder`."""
        part = Path(self._parts, place)
        part.parent.mkdir(parents=True, exist_ok=True)
        return part

    def keep(self, part: Path, place: PurePosixPath) -> None:
        """See `Folder`."""
        target = self.root.joinpath(*place.parts)
        target.fs.makedirs(target.parent.path, exist_ok=True)
        target.fs.put_file(str(part), target.path)
        part.unlink()


def folder(destination: str | os.PathLike[str] | Any) -> Folder:
    """The destination as a folder: a local path, or any fsspec path, of which `file://` ones are local too.

    Raises:
        RenderjuiceInputError: for a URL that is mere text, which would become a folder called `s3:`.
    """
    if isinstance(destination, str) and "://" in destination:
        raise errors.RenderjuiceInputError(
            f"The destination {redact(destination)!r} is a URL: pass it as ObjectStoragePath(...) or UPath(...)."
        )
    if getattr(destination, "protocol", "") not in {"", "file", "local"}:
        return RemoteFolder(destination)
    return LocalFolder(getattr(destination, "path", destination))


def download(operations: Operations, job_id: str, destination: Folder) -> Flow[DownloadReport]:
    """Every output of a job that is over, each in a place of its own below `destination`.

    Raises:
        RenderjuiceTransferError: when the job is not over, its outputs were deleted, or a file did not arrive.
    """
    job = yield from operations.get_job(job_id)
    # Of a hundred thousand outputs each of these takes its time, so they are steps, which are done beside an event loop.
    wanted, urls = yield from _planned((yield from _outputs(operations, job)))
    left, renewals = wanted, 0
    arrived: dict[PurePosixPath, DownloadedFile] = {}
    while left:
        fetching = _Fetching(operations, destination, urls)
        files = yield from Gather(map(fetching.fetch, left))
        missing = yield from RunInThread(partial(_keep, arrived, left, files))
        if missing:
            renewals = 1 if len(missing) < len(left) else renewals + 1
            if renewals > _RENEWALS:
                raise errors.RenderjuiceTransferError(
                    f"{len(missing)} outputs of job {job_id} could not be downloaded: {_RENEWALS} times, fresh URLs were refused. "
                    "The render is paid and kept: download again."
                )
            _, urls = yield from _planned((yield from operations.get_downloads(job_id)))
        left = missing
    return (yield from RunInThread(lambda: DownloadReport(job_id, tuple(arrived[item.place] for item in wanted))))


def _planned(downloads: Downloads) -> Flow[tuple[Sequence[PlannedFile], dict[PurePosixPath, str]]]:
    """The outputs in their places, and the URL of each place."""

    def work() -> tuple[Sequence[PlannedFile], dict[PurePosixPath, str]]:
        files = plan(downloads)
        return files, {item.place: item.source.url for item in files}

    return (yield from RunInThread(work))


def _keep(
    arrived: dict[PurePosixPath, DownloadedFile], left: Sequence[PlannedFile], files: Sequence[DownloadedFile | None]
) -> list[PlannedFile]:
    """Note what has arrived of what was left. The rest."""
    arrived |= {item.place: file for item, file in zip(left, files, strict=True) if file is not None}
    return [item for item, file in zip(left, files, strict=True) if file is None]


def _outputs(operations: Operations, job: Job) -> Flow[Downloads]:
    if not job.is_over:
        raise errors.RenderjuiceTransferError(
            f"Job {job.id} is {job.status}: there is nothing to download before it is over."
        )
    for look in range(1, _EMPTY_LOOKS + 1):
        downloads = yield from operations.get_downloads(job.id)
        if downloads.frame_files or downloads.composite_files:
            break
        if job.output is not None and job.output.is_deleted_for_client:
            raise errors.RenderjuiceTransferError(
                f"The outputs of job {job.id} were deleted at Renderjuice. Render it again."
            )
        if job.status != JobStatus.COMPLETED:
            break
        if look < _EMPTY_LOOKS:
            yield from Pause(operations.policy.backoff(look))
    return downloads


class _Fetching:
    """One round over the files that are wanted. Once a URL has expired, the rest waits for the next round, with fresh ones."""

    def __init__(self, operations: Operations, destination: Folder, urls: Mapping[PurePosixPath, str]) -> None:
        self._operations = operations
        self._destination = destination
        self._urls = urls
        self._expired = False

    def fetch(self, planned: PlannedFile) -> Flow[DownloadedFile | None]:
        """One file in its place; None when that takes a fresh URL."""
        if self._expired:
            return None
        if planned.place not in self._urls:
            raise errors.RenderjuiceTransferError(f"{planned.place} is no longer among the outputs of the job.")
        part = yield from RunInThread(partial(_on_disk, self._destination.part, planned.place))
        try:
            received = yield from self._receive(planned, part)
            if received is None:
                return None
            yield from RunInThread(partial(_on_disk, self._destination.keep, part, planned.place))
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        place, source = str(planned.place), planned.source
        node = source.composite_node_name
        return DownloadedFile(place, planned.kind, received.size, received.sha256, source.view, node)

    def _receive(self, planned: PlannedFile, part: Path) -> Flow[Received | None]:
        way = Way(self._urls[planned.place], OF_A_GET)
        attempt = 0
        while True:
            outcome = yield from FetchFile(way.url, part)
            if way.leads_on(outcome):
                continue
            attempt += 1
            failure: errors.RenderjuiceError
            if isinstance(outcome, Response) and outcome.ok:
                if outcome.received is not None and not _is_html(outcome):
                    return outcome.received
                failure = _no_file(outcome)
            else:
                failure = self._operations.read.error(outcome, _STORE)
            if isinstance(outcome, Response) and outcome.status in _EXPIRED:
                self._expired = True
                return None
            pause = self._operations.policy.pause(failure, attempt, Repeat.SAFELY)
            if pause is None:
                raise errors.RenderjuiceTransferError(
                    f"{planned.place} could not be downloaded. {failure}. The render is paid and kept: download again."
                )
            yield from Pause(pause)


def _no_file(response: Response) -> errors.RenderjuiceResponseError:
    """The error for a success without a file: nothing at all, a piece of one, or a proxy's page."""
    if response.received is None:
        return errors.RenderjuiceResponseError(f"{_STORE} answered {response.status} without the file")
    return errors.RenderjuiceResponseError(f"{_STORE} answered with a page of HTML instead of the file")


def _is_html(response: Response) -> bool:
    return response.headers.get("content-type", "").startswith("text/html")


def _on_disk(work: Callable[..., T], *arguments: Any) -> T:
    try:
        return work(*arguments)
    except (OSError, ValueError, ImportError) as error:
        # The last two: a store that fsspec or Airflow does not know.
        reason = getattr(error, "strerror", None) or error
        raise errors.RenderjuiceTransferError(f"Cannot write below the destination: {reason}.") from error
