"""Putting the outputs of a job into a folder of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from renderjuice_provider.api._download import download
from renderjuice_provider.api._flow import Flow, RunInThread
from renderjuice_provider.api._folders import LocalFolder
from renderjuice_provider.api._journal import JOURNAL
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.errors import RenderjuiceIncompleteError
from renderjuice_provider.api.models import Job
from renderjuice_provider.api.redact import redact
from renderjuice_provider.api.report import DownloadReport
from renderjuice_provider.frames import count_outputs

if TYPE_CHECKING:
    from renderjuice.walks import Seen


@dataclass
class Fetching:
    """Where the outputs of one job go, and what came of it.

    Attributes:
        root: the folder that was named; the outputs go into one below it.
        name: of that folder.
        folder: which it was; None until then.
        report: what arrived, or was there already; None until then.
        files: how many have arrived.
        size: their bytes.
        only_completed: whether outputs of a job that failed are left where they are.
    """

    root: Path
    name: str
    folder: Path | None = None
    report: DownloadReport | None = None
    files: int = 0
    size: int = 0
    only_completed: bool = True

    def fetch(self, operations: Operations, job: Job, seen: Seen) -> Flow[None]:
        """Download what is not there and whole, and count the frames.

        Raises:
            RenderjuiceIncompleteError: naming the frames that are missing.
        """
        seen.doing = "downloading"
        self.folder = yield from RunInThread(lambda: folder_of(self.root, self.name, job.id))
        report = self.report = yield from download(operations, job.id, _Counting(self.folder, self))
        there = [file for file in report.files if file.size]
        count = count_outputs((job.requested_config, job.final_config), there, analysis=job.analysis)
        if count.complete is False:
            raise RenderjuiceIncompleteError(
                f"{seen.name} is incomplete: {count}. What there is lies in {self.folder}",
                next_step="order the missing frames: renderjuice submit SCENE --frames ...",
                job_id=job.id,
                normalized_seconds=job.normalized_seconds,
            )


class _Counting(LocalFolder):
    def __init__(self, root: Path, fetching: Fetching) -> None:
        super().__init__(root)
        self._fetching = fetching

    def keep(self, partial_file: Path, place: PurePosixPath) -> None:
        size = partial_file.stat().st_size
        super().keep(partial_file, place)
        if place != JOURNAL:
            self._fetching.files += 1
            self._fetching.size += size


def folder_of(root: Path, name: str, job_id: str) -> Path:
    """The folder for a job's outputs: frames of two jobs are never mixed.

    Its name is that of the scene, and where another job's outputs lie there, with the job's id.
    """
    folder = root / name
    others = _jobs_in(folder) - {job_id}
    return root / f"{name}-{job_id[:8]}" if others else folder


def safe_name(name: str) -> str:
    """A name from outside as that of one folder."""
    plain = redact(name, longest=100).replace("/", "_").replace("\\", "_").strip(" .")
    return plain or "render"


def _jobs_in(folder: Path) -> set[str]:
    """The jobs that downloads have brought outputs of, by the journal of the folder."""
    try:
        lines = (folder / JOURNAL).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    return {job for line in lines if (job := _job_of(line))}


def _job_of(line: str) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    job = entry.get("job") if isinstance(entry, dict) else None
    return job if isinstance(job, str) else None
