"""One output after another: fetched, kept, noted.

An output appears under its name when it is whole. A large one that breaks off goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from renderjuice_provider.api import errors
from renderjuice_provider.api._flow import Flow, NoResponse, Pause, Received, Response, RunInThread
from renderjuice_provider.api._folders import Folder
from renderjuice_provider.api._journal import Journal
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api._paths import PlannedFile
from renderjuice_provider.api._redirects import OF_A_GET, Way
from renderjuice_provider.api._resuming import PartialFile, PartialFiles
from renderjuice_provider.api.report import DownloadedFile
from renderjuice_provider.api.retry import Repeat

T = TypeVar("T")
EXPIRED = frozenset({401, 403, 410})
"""What a store answers for a URL that can no longer be used."""
STORE = "The store"
_NOT_THE_REST = frozenset({412, 416})


class Target:
    """Where the outputs of one job go, and what is there of them.

    Args:
        folder: the destination.
        job_id: the job.

    Attributes:
        journal: what earlier downloads have left there.
        partial_files: what is on its way.
    """

    def __init__(self, folder: Folder, job_id: str) -> None:
        self.folder = folder
        self.job_id = job_id
        self.journal = Journal.of(folder, job_id)
        self.partial_files = PartialFiles(folder, self.journal)

    def end(self) -> None:
        """All is there: nothing is left to go on with."""
        self.partial_files.clean()
        self.journal.save()

    def keep(self, partial_file: Path, planned: PlannedFile, received: Received) -> DownloadedFile:
        """Put the file in its place, and note it."""
        self.folder.keep(partial_file, planned.place)
        return self.note(planned, received)

    def note(self, planned: PlannedFile, received: Received) -> DownloadedFile:
        """Note that a file is in its place."""
        self.journal.note(str(planned.place), received)
        return described(planned, received)


class Fetching:
    """Fetches outputs by one list of signed URLs.

    Once one of them has expired, the rest waits for the next list.

    Attributes:
        expired: whether one has.
    """

    def __init__(self, operations: Operations, target: Target, urls: Mapping[str, str]) -> None:
        self._operations = operations
        self._target = target
        self._urls = urls
        self.expired = False

    def fetch(self, planned: PlannedFile) -> Flow[DownloadedFile | None]:
        """Fetch one file to its place; None when it needs a fresh URL."""
        if self.expired:
            return None
        place = planned.place
        if str(place) not in self._urls:
            raise errors.RenderjuiceTransferError(
                f"{place} is no longer among the outputs of the job", bill=errors.Bill.KEPT
            )
        partial_file = yield from RunInThread(partial(on_disk, self._target.partial_files.take, place))
        try:
            received = yield from self.receive(place, self._urls[str(place)], partial_file)
            if received is None:
                self._target.partial_files.wait(place, partial_file)
                return None
            keep = partial(on_disk, self._target.keep, partial_file.path, planned, received)
            kept = yield from RunInThread(keep)
        except BaseException as error:
            # What this disk has refused is removed: it may be full.
            partial_file.end(keep=not isinstance(error.__cause__, OSError))
            raise
        partial_file.let_go()
        return kept

    def receive(self, place: PurePosixPath, url: str, partial_file: PartialFile) -> Flow[Received | None]:
        """Fetch one file to its partial file; None when the URL has expired.

        Raises:
            RenderjuiceTransferError: when it did not arrive.
        """
        way = Way(url, OF_A_GET)
        attempt = 0
        while True:
            outcome = yield from partial_file.fetch(way.url)
            if way.leads_on(outcome):
                continue
            attempt = 1 if partial_file.has_got_on() else attempt + 1
            failure: errors.RenderjuiceError
            if isinstance(outcome, Response) and outcome.ok:
                if outcome.received is not None and not _is_html(outcome):
                    return outcome.received
                failure = _no_file(outcome)
            else:
                failure = self._operations.read.error(outcome, STORE)
            if isinstance(outcome, Response) and outcome.status in EXPIRED:
                self.expired = True
                return None
            pause = self._operations.policy.pause(failure, attempt, Repeat.SAFELY)
            if _is_not_the_rest(outcome) and partial_file.there.size:
                partial_file.begin_again()  # only another break could bring us here again
                pause = pause or 0.0
            if pause is None:
                raise errors.RenderjuiceTransferError(
                    f"{place} could not be downloaded. {failure.what}",
                    bill=errors.Bill.KEPT,
                    next_step="download again",
                )
            yield from Pause(pause)


def described(planned: PlannedFile, received: Received) -> DownloadedFile:
    """An output that is whole, for the report."""
    place = str(planned.place)
    return DownloadedFile(place, planned.kind, received.size, received.sha256, planned.view, planned.node)


def _is_not_the_rest(outcome: Response | NoResponse) -> bool:
    """Whether a store, asked for the rest of a file, has sent something else."""
    return isinstance(outcome, Response) and (outcome.ok or outcome.status in _NOT_THE_REST)


def _no_file(response: Response) -> errors.RenderjuiceResponseError:
    """The error for a success without a file: nothing at all, a piece of one, or a proxy's page."""
    if response.received is None:
        return errors.RenderjuiceResponseError(f"{STORE} answered {response.status} without the file")
    return errors.RenderjuiceResponseError(f"{STORE} answered with a page of HTML instead of the file")


def _is_html(response: Response) -> bool:
    return response.headers.get("content-type", "").startswith("text/html")


def on_disk(work: Callable[..., T], *arguments: Any, **more: Any) -> T:
    """The result of `work`.

    Raises:
        RenderjuiceTransferError: when the destination cannot be written.
    """
    try:
        return work(*arguments, **more)
    except (OSError, ValueError, ImportError) as error:
        # ValueError, ImportError: a store that fsspec or Airflow does not know.
        reason = getattr(error, "strerror", None) or error
        raise errors.RenderjuiceTransferError(
            f"Cannot write below the destination: {reason}", bill=errors.Bill.KEPT
        ) from error
