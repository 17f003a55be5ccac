"""A folder of frames, here or in any object store: what is there, and whether it is whole."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from renderjuice_provider._frame_names import in_sequences
from renderjuice_provider.api._folders import LocalFolder, StoredFile, folder, whole_file
from renderjuice_provider.api._paths import PlannedFile
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.report import DownloadedFile, DownloadReport
from renderjuice_provider.frames import FrameCount, count_outputs, read_numbers
from renderjuice_provider.lifecycle.frame_folder import OrderedJob, Suspect
from renderjuice_provider.operators._manifest import MANIFEST, remove_manifest, write_manifest

CheckFrames = Callable[[list[Path]], Mapping[Path, str]]
JOBS = PurePosixPath("jobs.json")
SUSPICIOUS = PurePosixPath("suspicious.json")
ASIDE = "suspicious"
"""The folder of what was set aside."""
_AT_ONCE = 4
"""Files that are checked side by side."""
_KINDS = {"frames": "frame", "composites": "composite"}


class FilesOfFrames:
    """See `renderjuice_provider.lifecycle.frame_folder.FrameFolder`.

    Args:
        destination: a local path, or an `ObjectStoragePath`.
        is_whole: whether the file of a frame, at a local path, can be used; None for any that is
            not empty.
        check_frames: what looks wrong among the frames of one output, at local paths, in order;
            None for nothing.
    """

    def __init__(
        self, destination: Any, is_whole: Callable[[Path], bool] | None, check_frames: CheckFrames | None = None
    ) -> None:
        self.where = str(destination).rstrip("/")
        self.target = folder(destination)
        self._is_whole = is_whole
        self._check_frames = check_frames
        self._labels: dict[str, tuple[str | None, str | None]] = {}
        """View and node by place, as Renderjuice says."""
        self._hashes: dict[str, tuple[int, str]] = {}
        """Size and SHA-256 by place, of what was downloaded."""
        self._checked: dict[StoredFile, bool] = {}
        self._read_manifest()

    def jobs(self) -> list[OrderedJob]:
        """See `FrameFolder`.

        Raises:
            RenderjuiceInputError: when they cannot be read: one of them may render, and cost money.
        """
        text = self._text(JOBS)
        if text is None:
            return []
        try:
            return [
                OrderedJob(**{name: each.get(name) for name in OrderedJob.__annotations__}) for each in json.loads(text)
            ]
        except (ValueError, TypeError, AttributeError) as error:
            raise RenderjuiceInputError(
                f"{self.where}/{JOBS} cannot be read ({error}), and says which jobs may render: if none does, remove it."
            ) from error

    def note(self, job: OrderedJob) -> bool:
        """See `FrameFolder`."""
        noted = self.jobs()
        if job.job_id in {each.job_id for each in noted}:
            return False
        self._write_jobs([*noted, job])
        return True

    def forget(self, job_ids: Collection[str]) -> None:
        """See `FrameFolder`."""
        self._write_jobs([job for job in self.jobs() if job.job_id not in job_ids])

    def is_there(self, planned: PlannedFile) -> bool:
        """See `FrameFolder`."""
        place = str(planned.place)
        self._labels[place] = (planned.view, planned.node)
        file = self._files().get(place)
        if file is not None and not self._whole(file):
            self._hashes.pop(place, None)
            remove_manifest(self.target)
        return file is not None and self._whole(file)

    def add(self, report: DownloadReport) -> None:
        """See `FrameFolder`."""
        for file in report.files:
            self._labels[file.place] = (file.view, file.node)
            self._hashes[file.place] = (file.size, file.sha256)
        # Not every store gives the new file another stamp.
        added = {file.place for file in report.files}
        self._checked = {file: whole for file, whole in self._checked.items() if file.place not in added}
        self._listed = None

    def count(self, orders: Iterable[Any], analysis: Any) -> FrameCount:
        """See `FrameFolder`."""
        there = [self._described(file, "") for file in self._whole_files()]
        return count_outputs(orders, there, analysis=analysis)

    def has_frames(self) -> bool:
        """See `FrameFolder`."""
        return any(_kind(file) == "frame" for file in self._whole_files())

    def has_numbers(self) -> bool:
        """See `FrameFolder`."""
        names = [PurePosixPath(file.place).name for file in self._whole_files() if _kind(file) == "frame"]
        return bool(read_numbers(names))

    def places(self) -> Collection[str]:
        """See `FrameFolder`."""
        return self._files().keys()

    def look(self, requested: frozenset[int]) -> dict[str, Suspect]:
        """See `FrameFolder`."""
        if self._check_frames is None:
            return {}
        outputs: dict[Any, list[str]] = defaultdict(list)
        for file in self._whole_files():
            described = self._described(file, "")
            outputs[described.kind, described.view, described.node].append(file.place)
        found = {}
        for (_, view, _), places in outputs.items():
            for sequence in in_sequences(places, requested, view=view):
                with self._all_local(sequence.items()) as frames:
                    for path, reason in self._check_frames(list(frames)).items():
                        frame = frames[Path(path)]
                        found[sequence[frame]] = Suspect(sequence[frame], frame, str(reason))
        return found

    def suspects(self) -> dict[str, Suspect]:
        """See `FrameFolder`.

        Raises:
            RenderjuiceInputError: when they cannot be read: a frame could be paid a third time.
        """
        try:
            return {
                place: Suspect(**each | {"place": place, "jobs": tuple(each["jobs"])})
                for place, each in json.loads(self._text(SUSPICIOUS) or "{}").items()
            }
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise RenderjuiceInputError(
                f"{self.where}/{SUSPICIOUS} cannot be read ({error}), and says which frames were rendered again: "
                "remove it to have them looked at, and rendered, once more."
            ) from error

    def write_suspects(self, suspects: Mapping[str, Suspect]) -> None:
        """See `FrameFolder`."""
        content = {place: asdict(each) for place, each in suspects.items()}
        with whole_file(self.target, SUSPICIOUS) as path:
            path.write_text(json.dumps(content, indent=2) + "\n")

    def set_aside(self, place: str) -> None:
        """See `FrameFolder`."""
        if place in self._files():
            remove_manifest(self.target)
            self._move(place, f"{ASIDE}/{place}")

    def put_back(self, place: str) -> None:
        """See `FrameFolder`."""
        root: Any = self.target.root
        if place not in self._files() and (root / f"{ASIDE}/{place}").exists():
            self._move(f"{ASIDE}/{place}", place)

    def write_manifest(self, job_id: str | None, count: FrameCount, odd: Mapping[str, Any]) -> str:
        """See `FrameFolder`."""
        files = sorted(self._files().values(), key=lambda file: file.place)
        report = DownloadReport(job_id or "", tuple(self._described(file, self._sha256(file)) for file in files))
        damaged = [file.place for file in files if not self._whole(file)]
        found = {
            "missing_frames": list(count.missing),
            "missing": [gap.to_json() for gap in count.gaps],
            "empty": damaged,
            **odd,
            "complete": count.complete,
        }
        return write_manifest(self.target, self.where, report, count, found)

    # Files

    def _write_jobs(self, jobs: Iterable[OrderedJob]) -> None:
        content = [{name: value for name, value in asdict(job).items() if value is not None} for job in jobs]
        with whole_file(self.target, JOBS) as path:
            path.write_text(json.dumps(content, indent=2) + "\n")

    _listed: dict[str, StoredFile] | None = None

    def _files(self) -> dict[str, StoredFile]:
        """By place; listed once, until something is added."""
        if self._listed is None:
            self._listed = {
                file.place: file
                for file in self.target.files(*_KINDS)
                if not PurePosixPath(file.place).name.startswith(".")
            }
        return self._listed

    def _store(self) -> tuple[Any, str]:
        """The fsspec file system of a remote folder, and its path there."""
        remote: Any = self.target
        return remote.root.fs, str(remote.root.fs._strip_protocol(remote.root.path)).rstrip("/")  # noqa: SLF001

    def _whole_files(self) -> list[StoredFile]:
        """Side by side, since each may have to be read, or even fetched."""
        files = list(self._files().values())
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [file for file, whole in zip(files, pool.map(self._whole, files), strict=True) if whole]

    def _whole(self, file: StoredFile) -> bool:
        """Frames are asked about; of anything else it is enough that it is not empty."""
        if self._is_whole is None or _kind(file) != "frame" or not file.size:
            return bool(file.size)
        if file not in self._checked:
            with self._local(file) as path:
                self._checked[file] = bool(self._is_whole(path))
        return self._checked[file]

    @contextmanager
    def _all_local(self, places: Iterable[tuple[int, str]]) -> Iterator[dict[Path, int]]:
        """All of an output at once, since a frame is judged beside its neighbours."""
        with ExitStack() as stack:
            files = self._files()
            yield {stack.enter_context(self._local(files[place])): frame for frame, place in places}

    def _move(self, place: str, to: str) -> None:
        """Within the folder. In a store a death may leave both, and the move is repeated."""
        root: Any = self.target.root
        if isinstance(self.target, LocalFolder):
            (root / to).parent.mkdir(parents=True, exist_ok=True)
            (root / place).replace(root / to)
        else:
            store, base = self._store()
            store.makedirs(f"{base}/{to}".rpartition("/")[0], exist_ok=True)
            store.copy(f"{base}/{place}", f"{base}/{to}")
            store.rm_file(f"{base}/{place}")
        self._hashes.pop(place, None)
        self._listed = None

    @contextmanager
    def _local(self, file: StoredFile) -> Iterator[Path]:
        if isinstance(self.target, LocalFolder):
            yield self.target.root / file.place
            return
        store, root = self._store()
        with TemporaryDirectory(prefix="renderjuice-") as here:
            copy = Path(here, file.place)
            copy.parent.mkdir(parents=True, exist_ok=True)
            store.get_file(f"{root}/{file.place}", str(copy))
            yield copy

    def _described(self, file: StoredFile, sha256: str) -> DownloadedFile:
        view, node = self._labels.get(file.place) or _labels_in(file.place)
        return DownloadedFile(file.place, _kind(file), file.size, sha256, view, node)

    def _sha256(self, file: StoredFile) -> str:
        size, sha256 = self._hashes.get(file.place, (None, ""))
        if size == file.size:
            return sha256
        with self._local(file) as path, path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()

    def _text(self, name: PurePosixPath) -> str | None:
        root: Any = self.target.root
        try:
            return str((root / str(name)).read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _read_manifest(self) -> None:
        """What an earlier process knew of the files. A manifest that is not ours says nothing."""
        with suppress(ValueError, TypeError, KeyError, AttributeError):
            for file in json.loads(self._text(MANIFEST) or "{}").get("files", ()):
                self._labels[file["place"]] = (file.get("view"), file.get("node"))
                self._hashes[file["place"]] = (file["size"], file["sha256"])


def _kind(file: StoredFile) -> str:
    return _KINDS[file.place.partition("/")[0]]


def _labels_in(place: str) -> tuple[str | None, str | None]:
    """View and node in a place that nobody described: see `renderjuice_provider.api._paths`."""
    kind, *folders, _ = place.split("/")
    label = next((part for part in folders if not part.startswith("copy-")), None)
    return (label, None) if kind == "frames" else (None, label)
