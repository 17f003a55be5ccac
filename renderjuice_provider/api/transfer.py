"""Scenes out, outputs in: two flows in which no file is ever held in memory, and none appears under its name before it is whole.

Presigned URLs are transport: they expire, they are asked for anew, and what they sign never reaches a message.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from typing import Protocol as Interface

from renderjuice_provider.api import errors
from renderjuice_provider.api.models import Downloads, Job, JobStatus, UploadTarget
from renderjuice_provider.api.paths import PlannedFile, plan
from renderjuice_provider.api.protocol import Answer, Do, FetchFile, Flow, Pause, Protocol, PutFile, Together
from renderjuice_provider.api.retry import Repeat
from renderjuice_provider.api.scene_file import SceneFile

_RENEWALS = 3
"""Fresh URLs to ask for before something other than time must be wrong."""
_EMPTY_LOOKS = 4
"""Looks at an empty list of a completed job: outputs may be listed a few seconds late, and a job may truly have none."""
_EXPIRED = frozenset({401, 403, 410})


def upload(protocol: Protocol, path: str | os.PathLike[str] | Any) -> Flow[UploadTarget]:
    """Check the scene, ask for a target, PUT the bytes; the target's slug then stands for the scene.

    Raises:
        RenderjuiceInputError: before anything is sent.
        RenderjuiceTransferError: when the bytes did not arrive, or the file changed under the upload.
    """
    scene: SceneFile = yield Do(partial(SceneFile.check, path))
    for _ in range(_RENEWALS):
        target = yield from protocol.create_upload(scene.name, scene.type)
        if (yield from _put(protocol, scene, target)):
            yield Do(scene.check_unchanged)
            return target
    raise errors.RenderjuiceTransferError(
        f"{scene.name} could not be stored: {_RENEWALS} upload URLs in a row were refused or expired before the upload ended."
    )


def _put(protocol: Protocol, scene: SceneFile, target: UploadTarget) -> Flow[bool]:
    """True once stored; False when the URL is of no use any more."""
    attempt = 0
    while True:
        attempt += 1
        outcome = yield PutFile(target.upload_url, scene)
        failure = protocol.failure(outcome)
        if failure is None:
            return True
        if isinstance(outcome, Answer) and outcome.status in _EXPIRED:
            return False
        pause = protocol.policy.pause(failure, attempt, Repeat.SAFELY)
        if pause is None:
            raise errors.RenderjuiceTransferError(f"{scene.name} could not be stored. {failure}. Nothing was spent.")
        yield Pause(pause)
        # Asked only before repeating: a target that was given a moment ago is good whatever our clock says.
        if target.expires_at is not None and target.expires_at <= protocol.now().astimezone(target.expires_at.tzinfo):
            return False


class Folder(Interface):
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
        return target.with_name(f".{target.name}.part")

    def keep(self, part: Path, place: PurePosixPath) -> None:
        """See `Folder`."""
        part.replace(self.root / place)


class RemoteFolder:
    """Any fsspec path (`ObjectStoragePath`, `UPath`): an object appears when all of it was sent."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self._parts = TemporaryDirectory(prefix="renderjuice-")

    def part(self, place: PurePosixPath) -> Path:
        """See `Folder`."""
        part = Path(self._parts.name, place)
        part.parent.mkdir(parents=True, exist_ok=True)
        return part

    def keep(self, part: Path, place: PurePosixPath) -> None:
        """See `Folder`."""
        target = self.root.joinpath(*place.parts)
        target.fs.makedirs(target.parent.path, exist_ok=True)
        target.fs.put_file(str(part), target.path)
        part.unlink()


def folder(destination: str | os.PathLike[str] | Any) -> Folder:
    """The destination as a folder: a local path, `file://` included, or any fsspec path."""
    if hasattr(destination, "fs") and getattr(destination, "protocol", "file") not in {"", "file", "local"}:
        return RemoteFolder(destination)
    return LocalFolder(getattr(destination, "path", destination))


@dataclass(frozen=True)
class DownloadedFile:
    """One output that is whole and in its place."""

    place: str
    """Below the destination, with forward slashes."""
    kind: str
    size: int
    sha256: str
    view: str | None = None
    node: str | None = None


@dataclass(frozen=True)
class DownloadReport:
    """What a download brought: counts, bytes, where; never a URL."""

    job_id: str
    files: tuple[DownloadedFile, ...]

    @property
    def frames(self) -> tuple[DownloadedFile, ...]:
        """The rendered frames."""
        return tuple(file for file in self.files if file.kind == "frame")

    @property
    def composites(self) -> tuple[DownloadedFile, ...]:
        """The compositor's outputs."""
        return tuple(file for file in self.files if file.kind == "composite")

    @property
    def size(self) -> int:
        """Bytes, all files together."""
        return sum(file.size for file in self.files)

    def to_json(self) -> dict[str, Any]:
        """For a manifest file: every file with its SHA-256."""
        return {"job_id": self.job_id, "bytes": self.size, "files": [asdict(file) for file in self.files]}


def download(protocol: Protocol, job_id: str, destination: Folder) -> Flow[DownloadReport]:
    """Every output of a job that is over, each in a place of its own below `destination`.

    Raises:
        RenderjuiceTransferError: when the job is not over, its outputs were deleted, or a file did not arrive.
    """
    downloads = yield from _outputs(protocol, job_id)
    fetching = _Fetching(protocol, job_id, destination, plan(downloads))
    files: Sequence[DownloadedFile] = yield Together([fetching.fetch(planned) for planned in plan(downloads)])
    return DownloadReport(job_id, tuple(files))


def _outputs(protocol: Protocol, job_id: str) -> Flow[Downloads]:
    for look in range(1, _EMPTY_LOOKS + 1):
        downloads = yield from protocol.get_downloads(job_id)
        if downloads.frame_files or downloads.composite_files:
            return downloads
        if look == 1:
            job = yield from protocol.get_job(job_id)
            _check_ready(job)
            if job.status != JobStatus.COMPLETED:
                return downloads
        if look < _EMPTY_LOOKS:
            yield Pause(protocol.policy.backoff(look))
    return downloads


def _check_ready(job: Job) -> None:
    if not job.is_over:
        raise errors.RenderjuiceTransferError(
            f"Job {job.id} is {job.status}: there is nothing to download before it is over."
        )
    if job.output is not None and job.output.is_deleted_for_client:
        raise errors.RenderjuiceTransferError(
            f"The outputs of job {job.id} were deleted at Renderjuice. Render it again."
        )


class _Fetching:
    """The URLs of one download, renewed for all files when one of them has expired."""

    def __init__(self, protocol: Protocol, job_id: str, destination: Folder, planned: Sequence[PlannedFile]) -> None:
        self._protocol = protocol
        self._job_id = job_id
        self._destination = destination
        self._remember(planned)
        self._edition = 0

    def _remember(self, planned: Sequence[PlannedFile]) -> None:
        self._urls = {item.place: item.source.url for item in planned}

    def fetch(self, planned: PlannedFile) -> Flow[DownloadedFile]:
        """One file, with fresh URLs and further attempts as needed."""
        part: Path = yield Do(partial(self._destination.part, planned.place))
        attempt = renewals = 0
        while True:
            attempt += 1
            edition = self._edition
            outcome = yield FetchFile(self._url(planned.place), part)
            failure = self._protocol.failure(outcome)
            if failure is None:
                yield Do(partial(self._destination.keep, part, planned.place))
                source, received = planned.source, outcome.received
                node, place = source.composite_node_name, str(planned.place)
                return DownloadedFile(place, planned.kind, received.size, received.sha256, source.view, node)
            if isinstance(outcome, Answer) and outcome.status in _EXPIRED and renewals < _RENEWALS:
                renewals += 1
                yield from self._renew(edition)
                continue
            pause = self._protocol.policy.pause(failure, attempt, Repeat.SAFELY)
            if pause is None:
                raise errors.RenderjuiceTransferError(
                    f"{planned.place} could not be downloaded. {failure}. The render is paid and kept: download again."
                )
            yield Pause(pause)

    def _url(self, place: PurePosixPath) -> str:
        if place not in self._urls:
            raise errors.RenderjuiceTransferError(f"{place} is no longer among the outputs of job {self._job_id}.")
        return self._urls[place]

    def _renew(self, edition: int) -> Flow[None]:
        if edition == self._edition:
            self._remember(plan((yield from self._protocol.get_downloads(self._job_id))))
            self._edition += 1
