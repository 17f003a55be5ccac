"""The whole way over HTTP, with a real Blender behind it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from renderjuice_emulator.blender import find_blender
from renderjuice_emulator.testing import Emulator
from tests.support.blenders import blenders
from tests.support.raw_client import DEFAULT, RawClient

COMMAND = find_blender()
PYTHON = COMMAND[0] if COMMAND and Path(COMMAND[0]).name.startswith("python") else None
BUILD_SCENE = Path(__file__).parents[2] / "dags" / "scenes" / "build_scene.py"
ENDLESS = DEFAULT | {"frameRanges": ["1-100000"]}

pytestmark = [
    pytest.mark.blender,
    pytest.mark.skipif(not PYTHON, reason="no bpy: install it into .venv-blender, or let RENDERJUICE_BLENDER name one"),
]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "shot.blend"
    options = ("--frames", "2", "--resolution", "64x36", "--samples", "1")
    subprocess.run([str(PYTHON), str(BUILD_SCENE), str(path), *options], check=True, capture_output=True)
    return path


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(renderer="blender") as emulator:
        yield emulator


@pytest.fixture
def raw_client(emulator: Emulator, tmp_path: Path) -> Iterator[RawClient]:
    with RawClient(emulator, tmp_path) as raw_client:
        yield raw_client


def wait_for_a_frame(raw_client: RawClient, job_id: str) -> None:
    deadline = time.monotonic() + 30
    while not raw_client.emulator.jobs[job_id].outputs:
        assert time.monotonic() < deadline, raw_client.job(job_id)
        time.sleep(0.02)


def test_a_real_scene_goes_from_upload_to_frames(raw_client: RawClient, scene: Path) -> None:
    job_id = raw_client.completed(scene, DEFAULT)
    job = raw_client.job(job_id)
    assert (job["status"], job["analysis"]["resolution"]) == ("completed", [64, 36])
    frames = raw_client.downloads(job_id)["frameOutputs"]
    assert [item["fileName"] for item in frames] == ["0001.png", "0002.png"]
    assert raw_client.store.get(frames[0]["url"]).content.startswith(b"\x89PNG")


def test_a_cancel_has_killed_blender_when_it_is_answered(raw_client: RawClient, scene: Path) -> None:
    job_id = raw_client.started(scene, ENDLESS)
    wait_for_a_frame(raw_client, job_id)
    assert len(blenders()) == 1
    assert raw_client.cancel(job_id).json()["status"] == "canceled"
    assert blenders() == []
    assert raw_client.downloads(job_id)["frames"]


def test_a_second_render_waits_for_the_first(raw_client: RawClient, scene: Path) -> None:
    first, second = (raw_client.validated(scene) for _ in range(2))
    raw_client.render(first, ENDLESS)
    raw_client.render(second)
    wait_for_a_frame(raw_client, first)
    assert [raw_client.status(job_id) for job_id in (first, second)] == ["rendering", "booting"]
    raw_client.cancel(first)
    raw_client.until(second, "completed")


def test_stopping_the_emulator_stops_blender(scene: Path, tmp_path: Path) -> None:
    with Emulator(renderer="blender") as emulator, RawClient(emulator, tmp_path) as raw_client:
        wait_for_a_frame(raw_client, raw_client.started(scene, ENDLESS))
        assert len(blenders()) == 1
    assert blenders() == []
