"""Upload a scene, download the outputs: two flows.

No file is ever held in memory, and none appears under its name before it is whole. Presigned URLs
expire, and new ones are asked for. They never reach a message.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from renderjuice_provider.api import errors
from renderjuice_provider.api._flow import FetchFile, Flow, Gather, Pause, PutFile, Received, Response, RunInThread
from renderjuice_provider.api._folders import Folder, folder
from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._paths import PlannedFile, plan
from renderjuice_provider.api._redirects import OF_A_GET, OF_A_PUT, Way
from renderjuice_provider.api.models import Downloads, Job, JobStatus, UploadTarget
from renderjuice_provider.api.report import DownloadedFile, DownloadReport
from renderjuice_provider.api.retry import Repeat
from renderjuice_provider.api.scene_file import SceneFile

T = TypeVar("T")
_RENEWALS = 3
"""Fresh URLs to ask for. When these are refused too, something other than their age is wrong."""
_EMPTY_LISTS = 4
"""Empty lists of a completed job before we believe that it has no outputs: they may be listed a few
seconds late."""
_EXPIRED = frozenset({401, 403, 410})
_STORE = "The store"


def upload(
    operations: Operations, path: str | os.PathLike[str] | Any, *, one_scene: bool = False
) -> Flow[UploadTarget]:
    """Check the scene, ask for a target, and PUT the bytes.

    Returns:
        The target. Its slug then stands for the scene.

    Raises:
        RenderjuiceInputError: for a scene that cannot be rendered, before anything is sent.
        RenderjuiceTransferError: when the bytes did not arrive, or the file changed under the
            upload.
    """
    scene = yield from RunInThread(partial(SceneFile.check, path, one_scene=one_scene))
    for _ in range(_RENEWALS):
        target = yield from operations.create_upload(scene.name, scene.type)
        if (yield from _put(operations, scene, target)):
            yield from RunInThread(scene.check_unchanged)
            return target
    raise errors.RenderjuiceTransferError(
        f"{scene.name} could not be stored: {_RENEWALS} upload URLs in a row were refused or expired before the upload ended.",
        bill=errors.Bill.NOTHING_SPENT,
    )


def download_outputs(
    operations: Operations, job_id: str, destination: str | os.PathLike[str] | Any
) -> Flow[DownloadReport]:
    """Fetch every output of a job that is over, each file whole or not at all.

    `destination` is a local path, or an fsspec path such as `ObjectStoragePath`.

    Raises:
        RenderjuiceTransferError: when the job is not over, its outputs were deleted, or a file did
            not arrive.
    """
    return download(operations, check_job_id(job_id), folder(destination))


def _put(operations: Operations, scene: SceneFile, target: UploadTarget) -> Flow[bool]:
    """True once the scene is stored; False when the URL can no longer be used."""
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
            raise errors.RenderjuiceTransferError(
                f"{scene.name} could not be stored. {failure.what}", bill=errors.Bill.NOTHING_SPENT
            )
        yield from Pause(pause)
        # Checked only before a retry: a target that was just given is good, whatever our clock
        # says.
        if _has_expired(target, operations.now()):
            return False


def _has_expired(target: UploadTarget, now: datetime) -> bool:
    expires = target.expires_at
    if expires is None:
        return False
    return (expires if expires.tzinfo else expires.replace(tzinfo=UTC)) <= now


def download(
    operations: Operations,
    job_id: str,
    destination: Folder,
    *,
    is_there: Callable[[PlannedFile], bool] | None = None,
) -> Flow[DownloadReport]:
    """Fetch the outputs of a job that is over, each to its own place below `destination`.

    Args:
        operations: of the client that performs this.
        job_id: the job.
        destination: where its files go.
        is_there: whether an output need not be fetched; None to fetch all. The report is about what
            was fetched.

    Raises:
        RenderjuiceTransferError: when the job is not over, its outputs were deleted, or a file did
            not arrive.
    """
    job = yield from operations.get_job(job_id)
    # With 100,000 outputs this takes a second, so it is a step, done in a thread.
    wanted, urls = yield from _planned((yield from _outputs(operations, job)))
    left: Sequence[int] = range(len(wanted))
    if is_there is not None:
        left = yield from RunInThread(partial(_not_there, wanted, is_there))
    fetched = left
    renewals = 0
    arrived: dict[int, DownloadedFile] = {}
    while left:
        fetching = _Fetching(operations, destination, urls)
        files = yield from Gather((fetching.fetch(wanted[number]) for number in left), files=True)
        missing = yield from RunInThread(partial(_keep, arrived, left, files))
        if missing:
            renewals = 1 if len(missing) < len(left) else renewals + 1
            if renewals > _RENEWALS:
                raise errors.RenderjuiceTransferError(
                    f"{len(missing)} outputs of job {job_id} could not be downloaded: {_RENEWALS} times, fresh URLs were refused",
                    bill=errors.Bill.KEPT,
                    next_step="download again",
                    job_id=job_id,
                )
            _, urls = yield from _planned((yield from operations.get_downloads(job_id)))
        left = missing
    return (yield from RunInThread(lambda: DownloadReport(job_id, tuple(arrived[number] for number in fetched))))


def _not_there(wanted: Sequence[PlannedFile], is_there: Callable[[PlannedFile], bool]) -> list[int]:
    return [number for number, planned in enumerate(wanted) if not is_there(planned)]


def _planned(downloads: Downloads) -> Flow[tuple[Sequence[PlannedFile], dict[str, str]]]:
    """The outputs in their places, and the URL of each place."""

    def work() -> tuple[Sequence[PlannedFile], dict[str, str]]:
        files = plan(downloads)
        return files, {str(item.place): item.source.url for item in files}

    return (yield from RunInThread(work))


def _keep(arrived: dict[int, DownloadedFile], left: Sequence[int], files: Sequence[DownloadedFile | None]) -> list[int]:
    """Note which of those that were left have arrived. Returns the rest."""
    arrived |= {number: file for number, file in zip(left, files, strict=True) if file is not None}
    return [number for number, file in zip(left, files, strict=True) if file is None]


def _outputs(operations: Operations, job: Job) -> Flow[Downloads]:
    if not job.is_over:
        raise errors.RenderjuiceTransferError(
            f"The job is {job.status}: there is nothing to download before it is over",
            bill=errors.Bill.LEFT_ALONE,
            retry=errors.RetryEffect.READS_AGAIN,
            job_id=job.id,
        )
    for attempt in range(1, _EMPTY_LISTS + 1):
        downloads = yield from operations.get_downloads(job.id)
        if downloads.frame_files or downloads.composite_files:
            break
        if job.output is not None and job.output.is_deleted_for_client:
            raise errors.RenderjuiceTransferError(
                "The outputs were deleted at Renderjuice",
                bill=errors.Bill.BILLED,
                retry=errors.RetryEffect.CANNOT_HELP,
                next_step="render again, which costs again",
                normalized_seconds=job.normalized_seconds,
                job_id=job.id,
            )
        if job.status != JobStatus.COMPLETED:
            break
        if attempt < _EMPTY_LISTS:
            yield from Pause(operations.policy.backoff(attempt))
    return downloads


class _Fetching:
    """One round of downloads.

    Once a URL has expired, the rest waits for the next round, which has fresh URLs.
    """

    def __init__(self, operations: Operations, destination: Folder, urls: Mapping[str, str]) -> None:
        self._operations = operations
        self._destination = destination
        self._urls = urls
        self._expired = False

    def fetch(self, planned: PlannedFile) -> Flow[DownloadedFile | None]:
        """Fetch one file to its place; None when it needs a fresh URL."""
        if self._expired:
            return None
        if str(planned.place) not in self._urls:
            raise errors.RenderjuiceTransferError(
                f"{planned.place} is no longer among the outputs of the job", bill=errors.Bill.KEPT
            )
        partial_file = yield from RunInThread(partial(_on_disk, self._destination.partial_file, planned.place))
        try:
            received = yield from self._receive(planned, partial_file)
            if received is None:
                return None
            yield from RunInThread(partial(_on_disk, self._destination.keep, partial_file, planned.place))
        except BaseException:
            partial_file.unlink(missing_ok=True)
            raise
        place, source = str(planned.place), planned.source
        node = source.composite_node_name
        return DownloadedFile(place, planned.kind, received.size, received.sha256, source.view, node)

    def _receive(self, planned: PlannedFile, partial_file: Path) -> Flow[Received | None]:
        way = Way(self._urls[str(planned.place)], OF_A_GET)
        attempt = 0
        while True:
            outcome = yield from FetchFile(way.url, partial_file)
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
                    f"{planned.place} could not be downloaded. {failure.what}",
                    bill=errors.Bill.KEPT,
                    next_step="download again",
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
        # ValueError, ImportError: a store that fsspec or Airflow does not know.
        reason = getattr(error, "strerror", None) or error
        raise errors.RenderjuiceTransferError(
            f"Cannot write below the destination: {reason}", bill=errors.Bill.KEPT
        ) from error
