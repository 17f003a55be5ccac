"""Download the outputs of a job: the flow.

No file is ever held in memory, and none appears under its name before it is whole. Signed URLs
expire, and new ones are asked for. They never reach a message, nor the journal.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from renderjuice_provider.api import errors
from renderjuice_provider.api._fetching import Fetching, Target, described, on_disk
from renderjuice_provider.api._flow import Flow, Gather, Pause, RunInThread
from renderjuice_provider.api._folders import Folder, folder
from renderjuice_provider.api._frames_zip import FEWEST, PROBES, fetch_zip, is_worth_it, zip_url
from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._paths import PlannedFile, plan
from renderjuice_provider.api.models import Downloads, Job, JobStatus
from renderjuice_provider.api.report import DownloadedFile, DownloadReport

_RENEWALS = 3
"""Fresh URLs to ask for. When these are refused too, something other than their age is wrong."""
_EMPTY_LISTS = 4
"""Empty lists of a completed job before we believe that it has no outputs: they may be listed a few
seconds late."""
_CHECKED_AT_ONCE = 4
"""Files that are read side by side, to see whether they are whole."""


@dataclass(frozen=True)
class _Offered:
    """What Renderjuice offers for download.

    Attributes:
        files: the outputs in their places, the frames first.
        urls: the signed URL of each place.
        frames: how many of the files are frames.
        zip_url: of all frames in one zip; "" where there is none.
    """

    files: Sequence[PlannedFile]
    urls: dict[str, str] = field(repr=False)
    frames: int
    zip_url: str = field(repr=False)


def download_outputs(
    operations: Operations, job_id: str, destination: str | os.PathLike[str] | Any
) -> Flow[DownloadReport]:
    """Fetch every output of a job that is over, each file whole or not at all.

    What an earlier download of this job has left there whole is not fetched again: a hidden
    journal beside the files (`.renderjuice-download.jsonl`) says which files those are. Each is
    compared with its SHA-256, or in an object store with its size and stamp.

    `destination` is a local path, or an fsspec path such as `ObjectStoragePath`.

    Raises:
        RenderjuiceTransferError: when the job is not over, its outputs were deleted, or a file did
            not arrive.
    """
    return download(operations, check_job_id(job_id), folder(destination))


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
        is_there: whether an output need not be fetched; the report is about the others. None to go
            by the journal of the destination; the report is then about all.

    Raises:
        RenderjuiceTransferError: when the job is not over, its outputs were deleted, or a file did
            not arrive.
    """
    job = yield from operations.get_job(job_id)
    # With 100,000 outputs this takes a second, so it is a step, done in a thread.
    offered = yield from _offered((yield from _outputs(operations, job)))
    wanted = offered.files
    target = yield from RunInThread(partial(on_disk, Target, destination, job_id))
    arrived: dict[int, DownloadedFile] = {}
    if is_there is None:
        arrived = yield from RunInThread(partial(_whole, wanted, target))
        left: Sequence[int] = [number for number in range(len(wanted)) if number not in arrived]
        reported: Sequence[int] = range(len(wanted))
    else:
        left = reported = yield from RunInThread(partial(_not_there, wanted, is_there))
    try:
        yield from _fetch(operations, target, offered, left, arrived)
    except errors.RenderjuiceError:
        yield from RunInThread(target.journal.save)
        raise
    finally:
        target.partial_files.end()
    yield from RunInThread(target.end)
    files = tuple(arrived[number] for number in reported)
    return DownloadReport(job_id, files, already_there=len(files) - len(left))


def _fetch(
    operations: Operations, target: Target, offered: _Offered, left: Sequence[int], arrived: dict[int, DownloadedFile]
) -> Flow[None]:
    """Fetch those that are left, with fresh URLs when the first have expired."""
    renewals = 0
    takes_zip = True
    while left:
        before = len(arrived)
        fetching = Fetching(operations, target, offered.urls)
        if takes_zip and offered.zip_url and left[0] < offered.frames:
            takes_zip = yield from _fetch_zip(fetching, target, offered, left, arrived)
            left = yield from RunInThread(partial(_keep, arrived, left, ()))
        files = yield from Gather((fetching.fetch(offered.files[number]) for number in left), files=True)
        left = yield from RunInThread(partial(_keep, arrived, left, files))
        if left:
            renewals = 1 if len(arrived) > before else renewals + 1
            if renewals > _RENEWALS:
                outputs = f"{len(left)} outputs of job {target.job_id}"
                raise errors.RenderjuiceTransferError(
                    f"{outputs} could not be downloaded: {_RENEWALS} times, fresh URLs were refused",
                    bill=errors.Bill.KEPT,
                    next_step="download again",
                    job_id=target.job_id,
                )
            fresh = yield from _offered((yield from operations.get_downloads(target.job_id)))
            offered = replace(offered, urls=fresh.urls, zip_url=fresh.zip_url)


def _fetch_zip(
    fetching: Fetching, target: Target, offered: _Offered, left: Sequence[int], arrived: dict[int, DownloadedFile]
) -> Flow[bool]:
    """Fetch the frames in one zip, if that is faster. True when it needs a fresh URL."""
    frames = [number for number in left if number < offered.frames]
    if len(frames) < FEWEST:
        return False
    first = frames[:PROBES]
    files = yield from Gather((fetching.fetch(offered.files[number]) for number in first), files=True)
    frames = [*_keep(arrived, first, files), *frames[PROBES:]]
    if fetching.expired or not is_worth_it(len(frames), offered.frames, arrived):
        return fetching.expired
    brought = yield from fetch_zip(fetching, target, offered.zip_url, offered.files[: offered.frames], frames, arrived)
    arrived |= brought or {}
    return brought is None


def _whole(wanted: Sequence[PlannedFile], target: Target) -> dict[int, DownloadedFile]:
    """Those that are there whole, by their number."""
    if target.journal.is_empty:
        return {}

    def there(number: int) -> DownloadedFile | None:
        planned = wanted[number]
        received = target.journal.whole(str(planned.place))
        return described(planned, received) if received else None

    with ThreadPoolExecutor(_CHECKED_AT_ONCE) as pool:
        found = enumerate(pool.map(there, range(len(wanted))))
        return {number: file for number, file in found if file is not None}


def _not_there(wanted: Sequence[PlannedFile], is_there: Callable[[PlannedFile], bool]) -> list[int]:
    return [number for number, planned in enumerate(wanted) if not is_there(planned)]


def _offered(downloads: Downloads) -> Flow[_Offered]:
    def work() -> _Offered:
        files = plan(downloads)
        urls = {str(item.place): item.source.url for item in files}
        return _Offered(files, urls, len(downloads.frame_files), zip_url(downloads.transforms))

    return (yield from RunInThread(work))


def _keep(arrived: dict[int, DownloadedFile], left: Sequence[int], files: Sequence[DownloadedFile | None]) -> list[int]:
    """Note which of those that were left have arrived. Returns the rest."""
    arrived |= {number: file for number, file in zip(left, files, strict=False) if file is not None}
    return [number for number in left if number not in arrived]


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
