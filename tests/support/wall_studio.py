"""A studio for the tests of the render wall: a farm, a real Airflow, and people who use it."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from renderjuice_emulator.blender import BlenderRenderer, find_blender
from renderjuice_emulator.clock import Clock
from renderjuice_emulator.fast import FastRenderer
from renderjuice_emulator.rendering import RenderedFile, RenderOrder, SceneReport
from renderjuice_emulator.testing import Emulator, write_scene
from tools.local_airflow import LocalAirflow
from tools.processes import free_port
from tools.tracker import LocalTracker

ROOT = Path(__file__).parents[2]
SHOT, ANY, WRONG_KEY = "renderjuice_shot", "any_renders", "wrong_key"
CURRENCY, RATE = "EUR", 3.6
"""What a normalized hour costs; so a normalized second is a thousandth."""
FOR_EVER = 1e6
"""Seconds a frame of a render that is to go on until somebody stops it."""
_MARK = b"RENDERJUICE-FAST-SCENE"
_BLENDERS_AT_ONCE = 2


class EitherRenderer:
    """Blender for real scenes, and the fast renderer for the scenes that are made for it."""

    name = "either"

    def __init__(self, clock: Clock) -> None:
        self._fast = FastRenderer(clock)
        command = find_blender()
        self._blender = BlenderRenderer(command) if command else None
        self._turns = asyncio.Semaphore(_BLENDERS_AT_ONCE)

    async def analyze(self, scene: Path) -> SceneReport:
        if not _is_real(scene) or self._blender is None:
            return await self._fast.analyze(scene)
        async with self._turns:
            return await self._blender.analyze(scene)

    async def render(self, order: RenderOrder) -> AsyncIterator[RenderedFile]:
        if not _is_real(order.scene) or self._blender is None:
            async for file in self._fast.render(order):
                yield file
            return
        async with self._turns:
            async for file in self._blender.render(order):
                yield file


def _is_real(scene: Path) -> bool:
    with scene.open("rb") as file:
        return _MARK not in file.read(200)


class Studio:
    """A farm, an Airflow, and a folder for scenes and deliveries.

    Attributes:
        farm: the emulator; its time goes ten times as fast as a clock.
        airflow: a real one, with our example DAGs and those of `tests.support.wall_dags`.
        folder: for scenes, lists and deliveries.
    """

    def __init__(self, folder: Path, farm: Emulator) -> None:
        self.folder, self.farm = folder, farm
        (folder / "scenes").mkdir(parents=True)
        shutil.copytree(ROOT / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(Path(__file__).with_name("wall_dags.py"), folder / "dags")
        self.tracker = LocalTracker(folder)
        self.airflow = LocalAirflow(folder / "airflow", folder / "dags", self._settings())

    def _settings(self) -> dict[str, str]:
        return {
            "RENDERJUICE_DELIVERIES": str(self.folder / "deliveries"),
            "RENDERJUICE_WORK": str(self.folder / "work"),
            "RENDERJUICE_SHOT_LIST": str(self.folder / "scenes" / "shots.yaml"),
            "RENDERJUICE_POLL_INTERVAL": "1",
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        }

    def start(self) -> None:
        """Start Airflow, and make its connections as a user would."""
        self.airflow.start()
        farm = {"conn_type": "renderjuice", "host": self.farm.base_url, "password": self.farm.api_key}
        extra = json.dumps({"rate": RATE, "currency": CURRENCY})
        self.airflow.make("/connections", farm | {"connection_id": "renderjuice_default", "extra": extra})
        self.airflow.make("/connections", farm | {"connection_id": "wrong_key", "password": "RJ-no-key"})
        tracker = {"connection_id": "production_tracker", "conn_type": "http", "host": self.tracker.url}
        self.airflow.make("/connections", tracker)

    def password(self, user: str) -> str:
        """Of a user; Airflow has made it up."""
        passwords: dict[str, str] = json.loads((self.airflow.home / "passwords.json").read_text())
        return passwords[user]

    def scene(self, name: str, **description: Any) -> str:
        """The path of a new scene for the fast renderer; see `write_scene`."""
        return str(write_scene(self.folder / "scenes" / f"{name}.blend", **description))

    def render(self, *scenes: str, dag: str = ANY) -> str:
        """Start renders by a DAG that is not one of ours, and return the run's id."""
        return self.airflow.trigger(dag, {"scenes": list(scenes)})

    def job_of(self, file_name: str) -> str:
        """The newest job that was made of a file."""
        return [job for job, account in self.farm.ledger.accounts.items() if account.file_name == file_name][-1]

    @contextmanager
    def below(self, path: str) -> Iterator[str]:
        """The URL of one more API server, all of whose pages are below a path."""
        port = free_port()
        url = f"http://localhost:{port}/{path}"
        variables = {"AIRFLOW__API__PORT": str(port), "AIRFLOW__API__BASE_URL": url}
        program = self.airflow.start_component("api-server", path, **variables)
        try:
            self.airflow.until_answers(url)
            yield url
        finally:
            program.stop()


@contextmanager
def studio(folder: Path) -> Iterator[Studio]:
    """A studio that works, until it is closed."""
    with ExitStack() as stack:
        farm = stack.enter_context(Emulator(speed=10, renderer=EitherRenderer))
        found = Studio(folder, farm)
        stack.callback(found.tracker.program.stop)
        stack.callback(found.airflow.stop)
        found.start()
        yield found


FRAMES = 6
TWELVE = (
    ("juice", ("--shot", "juice"), 5),
    ("ice", ("--shot", "ice", "--fails"), 1),
    ("citrus", ("--shot", "citrus", "--no-camera"), 1),
    ("cube", ("--shot", "cube"), 5),
)
"""What the scenes of twelve shots are made of, and how many shots each of them has."""


def twelve_shots(studio: Studio) -> list[str]:
    """Build scenes with Blender, and start a shot with each: their names, the first twelve rows."""
    shots = [(name, number) for name, _, count in TWELVE for number in range(count)]
    names = [f"cit_{10 * (place + 1):03}_{name}" for place, (name, _) in enumerate(shots)]
    for name, options, _ in TWELVE:
        _build(studio.folder / "scenes" / f"{name}.blend", options)
    lines = [f"  - {{name: {shot}, file: {name}.blend}}" for shot, (name, _) in zip(names, shots, strict=True)]
    head = "show: citrus\ndefaults: {render: {colorManagementPreset: default}}\nshots:\n"
    (studio.folder / "scenes" / "shots.yaml").write_text(head + "\n".join(lines) + "\n")
    for shot in names:
        studio.airflow.trigger(SHOT, {"shot": shot})
    return names


def _build(path: Path, options: Sequence[str]) -> None:
    found = find_blender()
    assert found, "Blender is needed to build a scene"
    script = str(ROOT / "dags" / "scenes" / "build_scene.py")
    is_python = Path(found[0]).name.startswith("python")
    command = (
        [found[0], script] if is_python else [found[0], "--background", "--factory-startup", "--python", script, "--"]
    )
    subprocess.run([*command, str(path), "--frames", str(FRAMES), *options], check=True, capture_output=True)
