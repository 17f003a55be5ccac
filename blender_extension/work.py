"""A render in a thread of its own: Blender goes on, and reads the state when it likes."""

from __future__ import annotations

import getpass
import hashlib
import logging
import platform
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from . import direct
from .airflow import Airflow, AirflowError, Run
from .direct import Show, Stopped
from .packing import Needs, pack
from .records import Record

PAUSE = 5.0
"""Seconds between two polls of a run."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """How far it is.

    Attributes:
        stage: what happens now.
        done, total: frames, where that is known.
        is_over: whether nothing happens any more.
        error: why it failed; empty where it did not.
        frames: that came back.
    """

    stage: str = "starting"
    done: int | None = None
    total: int | None = None
    is_over: bool = False
    error: str = ""
    frames: tuple[Path, ...] = ()


class Work:
    """One render, from a checked scene to frames that are back.

    Args:
        render: does it all. It gets what shows a stage, and what says whether to stop.
    """

    def __init__(self, render: Callable[[Show, threading.Event], list[Path]]) -> None:
        self.state = State()
        self._render = render
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="renderjuice", daemon=True)

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def stop(self) -> None:
        """Nobody wants it any more. What was ordered is stopped by who ordered it."""
        self._stopped.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end; whether it came."""
        self._thread.join(seconds)
        return self.state.is_over

    def _show(self, stage: str, done: int | None = None, total: int | None = None) -> None:
        self.state = State(stage, done, total)

    def _run(self) -> None:
        try:
            frames = self._render(self._show, self._stopped)
            self.state = replace(self.state, stage="done", is_over=True, frames=tuple(frames))
        except Stopped:
            self.state = State("stopped", is_over=True, error="Stopped before a render was ordered. Nothing was spent")
        except Exception as error:  # noqa: BLE001 - it is shown, whatever it is
            _log.debug("The render failed", exc_info=True)
            self.state = replace(self.state, stage="failed", is_over=True, error=str(error))


@dataclass(frozen=True)
class Pipeline:
    """The studio's pipeline, and the folder that this computer shares with its workers.

    Attributes:
        airflow: where it runs.
        folder: the shared folder, on this computer.
        folder_there: the same folder as workers see it.
        conf: further params of the run.
    """

    airflow: Airflow
    folder: Path
    folder_there: str
    conf: Mapping[str, Any]

    def render(
        self, needs: Needs, blender: list[str], record: Record, run_id: str, frames_folder: Path
    ) -> Callable[[Show, threading.Event], list[Path]]:
        """What packs the scene into the shared folder, starts a run, and fetches what it made."""

        def work(show: Show, stopped: threading.Event) -> list[Path]:
            show("packing", None, None)
            file = pack(needs, self.folder / place_of(needs.scene), blender)
            if stopped.is_set():
                raise Stopped
            conf = {**self.conf, "file": there(file, self.folder, self.folder_there)}
            started = {"run_id": run_id, "conf": conf, "folder": str(frames_folder)}
            record.write({"way": "airflow", "is_running": True, **started})
            return self.follow(record, frames_folder)(show, stopped)

        return work

    def follow(self, record: Record, frames_folder: Path) -> Callable[[Show, threading.Event], list[Path]]:
        """What starts the run on record if it was not, waits for it, and fetches its frames."""

        def work(show: Show, stopped: threading.Event) -> list[Path]:
            run_id, run = record.read()["run_id"], None
            while run is None or not run.is_over:
                try:
                    run = self._poll(record, run_id)
                    show(run.stage, run.done, run.total)
                except AirflowError as error:
                    if not error.is_transient:
                        raise
                    show(f"{error}; what was started goes on", None, None)
                if stopped.wait(0 if run and run.is_over else PAUSE):
                    self.airflow.stop(run_id)
                    record.note(is_running=False)
                    raise AirflowError("Stopped: Airflow ends the run, and its tasks cancel what renders")
            manifest = str(self.airflow.delivery(run_id).get("manifest") or "") if run.is_delivered else ""
            if not manifest:
                record.note(is_running=False)
                raise AirflowError(f"The pipeline delivered nothing: {run.reason or self.airflow.page(run_id)}")
            show("fetching frames", None, None)
            frames = self._fetch(manifest, frames_folder)
            record.note(is_running=False)
            return frames

        return work

    def _poll(self, record: Record, run_id: str) -> Run:
        """The run as it is now. It is started first, unless it is known that it was.

        An answer to the start that got lost is no harm: a run of the same name is started once.
        """
        started = record.read()
        if not started.get("is_started"):
            try:
                self.airflow.start(run_id, started["conf"])
            except AirflowError as error:
                record.note(is_running=error.is_transient)
                raise
            record.note(is_started=True)
        return self.airflow.read(run_id)

    def _fetch(self, manifest: str, frames_folder: Path) -> list[Path]:
        delivery = here(manifest, self.folder, self.folder_there).parent
        frames = sorted((delivery / "frames").glob("*"))
        if not frames:
            raise AirflowError(f"It is delivered to {manifest.rpartition('/')[0]}, which this computer cannot read")
        target = frames_folder / delivery.name
        target.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copy2(frame, target / frame.name)) for frame in frames]


@dataclass(frozen=True)
class OwnJob:
    """A job of Renderjuice's own, without Airflow.

    Attributes:
        account: that pays: see `direct.account`.
        config: the render configuration.
    """

    account: Mapping[str, Any] = field(repr=False)
    config: Mapping[str, Any]

    def render(
        self, needs: Needs, blender: list[str], record: Record, packed: Path, frames_folder: Path
    ) -> Callable[[Show, threading.Event], list[Path]]:
        """What packs the scene, renders it as one job, and fetches the frames."""

        def work(show: Show, stopped: threading.Event) -> list[Path]:
            show("packing", None, None)
            order = direct.order_of(pack(needs, packed / place_of(needs.scene), blender), self.config)
            record.note(way="job", order=order, folder=str(frames_folder), is_running=True)
            return self.follow(record, frames_folder)(show, stopped)

        return work

    def follow(self, record: Record, frames_folder: Path) -> Callable[[Show, threading.Event], list[Path]]:
        """What takes up the job on record, and fetches its frames."""

        def work(show: Show, stopped: threading.Event) -> list[Path]:
            with direct.client_for(self.account) as client:
                job = direct.render(client, record, show, stopped.is_set)
                show("fetching frames", None, None)
                return direct.fetch(client, job, frames_folder / job.id)

        return work


def place_of(scene: Path) -> str:
    """A folder for what is packed of a scene: its own, and that of this computer and user.

    The packed file keeps the scene's name, which is the shot's. It always goes to the same place,
    by which the pipeline knows it.
    """
    place = f"{platform.node()} {getpass.getuser()} {scene}"
    return f"{scene.stem}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"


def there(path: Path, folder: Path, folder_there: str) -> str:
    """A path in the shared folder, as workers see it: they may run another system."""
    inside = path.relative_to(folder).as_posix()
    return f"{folder_there.rstrip('/')}/{inside}" if folder_there else str(path)


def here(path: str, folder: Path, folder_there: str) -> Path:
    """A worker's path, as this computer sees it; as it is where it is not in the shared folder."""
    kind = PureWindowsPath if "\\" in folder_there else PurePosixPath
    if folder_there and kind(path).is_relative_to(folder_there):
        return folder.joinpath(*kind(path).relative_to(folder_there).parts)
    return Path(path)
