from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from renderjuice_emulator.scenes import read_scene
from renderjuice_emulator.testing import Emulator

COMMAND = [sys.executable, "-W", "error", "-m", "renderjuice_emulator"]


@contextmanager
def serving(ready: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [*COMMAND, "serve", "--port", "0", "--renderer", "fast", "--ready-file", str(ready), *options]
    environment = os.environ | {"STUDIO_SECRET": "whsec-1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            deadline = time.monotonic() + 20
            while not ready.exists():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield process, json.loads(ready.read_text())
        finally:
            process.kill()


def test_it_serves_says_so_and_stops_cleanly(tmp_path: Path) -> None:
    options = ("--speed", "60", "--webhook-url", "http://127.0.0.1:9/x", "--webhook-secret-env", "STUDIO_SECRET")
    with serving(tmp_path / "ready.json", *options) as (process, ready):
        assert ready["pid"] == process.pid
        headers = {"Authorization": "Bearer RJ-emulator"}
        target = httpx.post(
            f"{ready['base_url']}/uploads", json={"fileName": "a.zip", "fileType": "zip"}, headers=headers
        ).json()
        assert httpx.put(target["uploadUrl"], content=b"PK").status_code == 200
        assert httpx.get(f"{ready['control_url']}/health").json()["speed"] == 60
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert ready["base_url"] in out
    assert "RJ-emulator" in out
    assert "not Renderjuice" in out
    lines = err.splitlines()
    assert len(lines) == 2
    assert "POST /api/external/v1/uploads create_upload 200" in lines[0]
    assert "put_upload 200" in lines[1]
    assert "token" not in err
    assert "RJ-emulator" not in err


def test_a_key_of_ones_own_is_not_shown(tmp_path: Path) -> None:
    with serving(tmp_path / "ready.json", "--api-key", "RJ-private", "--manual-clock") as (process, ready):
        assert httpx.get(f"{ready['base_url']}/jobs", headers={"Authorization": "Bearer RJ-private"}).status_code == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "RJ-private" not in out + err
    assert "RJ-private" not in json.dumps(ready)
    assert "moved by hand" in out


def test_mishaps_are_an_option(tmp_path: Path) -> None:
    with serving(tmp_path / "ready.json", "--mishaps", "drop=5% seed=7") as (_, ready):
        switches = httpx.get(f"{ready['control_url']}/switches").json()
    assert switches["mishaps"] == "drop=5% seed=7"


def test_a_taken_port_is_passed_over_and_that_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(tmp_path / "ready.json", "--port", str(port)) as (process, ready):
            assert f":{port}/" not in ready["base_url"]
            process.terminate()
            out, _ = process.communicate(timeout=10)
    assert f"Port {port} was taken" in out


def test_a_scene_is_written_from_the_shell(tmp_path: Path) -> None:
    path = tmp_path / "shot.blend"
    values = ["frame_end=24", "cameras=[]", "engine=BLENDER_EEVEE", "seconds_per_frame=60"]
    subprocess.run([*COMMAND, "scene", str(path), *values, "--size", "4096"], check=True)
    scene = read_scene(path)
    assert (scene.report.frame_end, scene.report.cameras, scene.report.engine) == (24, (), "BLENDER_EEVEE")
    assert (scene.seconds_per_frame, path.stat().st_size) == (60, 4096)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scene", "shot.blend", "frames=3"], "a scene has no frames"),
        (["scene", "shot.blend", "frames"], "is not FIELD=JSON"),
        (
            ["serve", "--renderer", "blender", "--blender", "/nowhere/blender"],
            "there is no Blender at /nowhere/blender",
        ),
        (["serve", "--speed", "-1"], "speed"),
        (["serve", "--mishaps", "drop=many"], "written like 'drop=5% damage=1% fail=3% seed=7'"),
        (["serve", "--webhook-url", "http://studio.example/x"], "https"),
        (["serve", "--webhook-secret-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE"),
    ],
)
def test_mistakes_are_said_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    ended = subprocess.run(
        [*COMMAND, *arguments], check=False, capture_output=True, text=True, cwd=tmp_path, timeout=20
    )
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_starting_and_stopping_is_quick(record_property: Callable[[str, object], None]) -> None:
    started = time.perf_counter()
    with Emulator():
        ready = time.perf_counter()
    stopped = time.perf_counter()
    record_property("start_seconds", round(ready - started, 3))
    record_property("stop_seconds", round(stopped - ready, 3))
    assert stopped - started < 5


def test_the_fixture_is_an_emulator_of_ones_own(renderjuice_emulator: Emulator) -> None:
    headers = {"Authorization": f"Bearer {renderjuice_emulator.api_key}"}
    assert httpx.get(f"{renderjuice_emulator.base_url}/jobs", headers=headers).json()["jobs"] == []


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "psutil"])
def test_without_its_extra_it_says_what_to_install(missing: str) -> None:
    without = f"import sys; sys.modules[{missing!r}] = None; import renderjuice_emulator.__main__ as command; "
    ended = subprocess.run(
        [sys.executable, "-c", f"{without}sys.exit(command.main())"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"{missing} is not installed" in ended.stderr
    assert "pip install 'renderjuice[emulator]'" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("project", ["pyproject.toml", "client/pyproject.toml"])
def test_both_distributions_start_what_can_say_that(project: str) -> None:
    scripts = tomllib.loads((Path(__file__).parents[2] / project).read_text())["project"]["scripts"]
    assert scripts["renderjuice-emulator"] == "renderjuice_emulator.__main__:main"


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    heavy = "{'fastapi', 'uvicorn', 'httpx', 'pydantic'}"
    program = f"import sys, renderjuice_emulator.pytest_plugin; print({heavy} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"


def test_the_emulator_knows_nothing_of_the_provider_or_of_image_libraries() -> None:
    program = "import sys, renderjuice_emulator.cli, renderjuice_emulator.testing; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    packages = {name.partition(".")[0] for name in ended.stdout.split()}
    assert not packages & {"renderjuice_provider", "airflow", "OpenImageIO", "numpy", "bpy"}
