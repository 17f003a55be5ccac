"""A folder that frames are rendered into, as the rounds see it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from renderjuice_provider.api._folders import Folder
from renderjuice_provider.api._paths import PlannedFile
from renderjuice_provider.api.report import DownloadReport
from renderjuice_provider.frames import FrameCount


@dataclass(frozen=True)
class OrderedJob:
    """A job that was ordered for the folder, as its `jobs.json` names it.

    Attributes:
        job_id: the job.
        run_id: of the DAG run that ordered it.
        render_config: as it was ordered.
        ordered_at: the time, in ISO 8601.
        scene: SHA-256 of the scene's file; None where it lay in an object store.
    """

    job_id: str
    run_id: str
    render_config: dict[str, Any]
    ordered_at: str
    scene: str | None = None


@dataclass(frozen=True)
class Suspect:
    """A file that looks wrong, as the folder's `suspicious.json` names it.

    Attributes:
        place: the file.
        frame: its number.
        reason: what is odd about it.
        jobs: those of the folder when it was set aside. None of them may bring it back.
        state: `aside` until it is back, `again` when it was rendered again, `kept` when it was not.
        why: it was not.
    """

    place: str
    frame: int
    reason: str
    jobs: tuple[str, ...] = ()
    state: Literal["aside", "again", "kept"] = "aside"
    why: str = ""


class FrameFolder(Protocol):
    """All of this may block: a flow does it in a thread.

    Attributes:
        where: the folder, for messages.
    """

    where: str

    @property
    def target(self) -> Folder:
        """The same folder, to put files into."""
        ...

    def jobs(self) -> list[OrderedJob]:
        """What was ordered for this folder, oldest first."""
        ...

    def note(self, job: OrderedJob) -> bool:
        """Add a job. False when it was there already."""
        ...

    def forget(self, job_ids: Collection[str]) -> None:
        """Remove jobs that have brought nothing into this folder, and never will."""
        ...

    def is_there(self, planned: PlannedFile) -> bool:
        """Whether an output is there and whole."""
        ...

    def add(self, report: DownloadReport) -> None:
        """These files were downloaded."""
        ...

    def count(self, orders: Iterable[Any], analysis: Any) -> FrameCount:
        """What is there and whole, and what is missing."""
        ...

    def has_frames(self) -> bool:
        """Whether any frame is there and whole."""
        ...

    def has_numbers(self) -> bool:
        """Whether the names of the frames that are there say which ones they are."""
        ...

    def places(self) -> Collection[str]:
        """Of all files that are there."""
        ...

    def look(self, requested: frozenset[int]) -> dict[str, Suspect]:
        """What looks wrong among the frames that were requested, by place."""
        ...

    def suspects(self) -> dict[str, Suspect]:
        """What has looked wrong before, by place."""
        ...

    def write_suspects(self, suspects: Mapping[str, Suspect]) -> None:
        """Write down what looks wrong."""
        ...

    def set_aside(self, place: str) -> None:
        """Move a file out of the way. Nothing happens where it is not there."""
        ...

    def put_back(self, place: str) -> None:
        """Move it back. Nothing happens where it is not aside, or another one is in its place."""
        ...

    def write_manifest(self, job_id: str | None, count: FrameCount, odd: Mapping[str, Any]) -> str:
        """Describe the whole folder. Returns the path of the manifest."""
        ...
