"""What a scene may do in the sandbox that `make blender` installs: make pictures."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from renderjuice_emulator.blender import find_blender
from renderjuice_emulator.fence import bubblewrap, fenced, only_ours, trusted_program
from renderjuice_emulator.rendering import RenderFailedError, inside
from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import RawClient

HOSTILE = Path(__file__).parents[1] / "support" / "hostile_scenes.py"
COMMAND = find_blender()
needs_fence = pytest.mark.skipif(not bubblewrap(), reason="no bubblewrap: make blender installs it on Debian, as root")


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scene to read, outputs to write, and what neither may be done to."""
    for name in ("scene", "outputs", "home"):
        (tmp_path / name).mkdir()
    (tmp_path / "home" / "diary").write_text("mine")
    monkeypatch.setenv("STUDIO_SECRET", "sesame")
    return tmp_path


def inside_the_fence(farm: Path, script: str) -> subprocess.CompletedProcess[str]:
    command = fenced([sys.executable, "-c", script], readable=[farm / "scene"], writable=farm / "outputs")
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_fence
def test_inside_the_fence_outputs_and_a_tmp_of_ones_own_can_be_written(farm: Path) -> None:
    done = inside_the_fence(farm, "open('0001.png', 'w').close(); open('/tmp/x', 'w').close(); print('well')")
    assert (done.stdout, done.stderr) == ("well\n", "")
    assert (farm / "outputs" / "0001.png").exists()
    assert not Path("/tmp/x").exists()


@needs_fence
@pytest.mark.parametrize(
    "script",
    [
        "open('{farm}/home/diary').read()",
        "open('{farm}/home/diary', 'w')",
        "open('{farm}/scene/other', 'w')",
        "open('../home/new', 'w')",
        "open('/etc/passwd').read()",
        "open('/usr/new', 'w')",
        "import os; os.environ['STUDIO_SECRET']",
        "import os; os.kill({pid}, 0)",
        "import os; open('/proc/{pid}/environ').read()",
        "import socket; socket.create_connection(('127.0.0.1', {port}), timeout=2)",
        "import os; os.symlink('/', 'x'); open('x{farm}/home/diary').read()",
        "import os; os.chroot('/')",
    ],
)
def test_inside_the_fence_there_is_nothing_else(farm: Path, script: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, subprocess.Popen(["sleep", "60"]) as other:
        script = script.format(farm=farm, pid=other.pid + 1_000_000, port=server.getsockname()[1])
        done = inside_the_fence(farm, script)
        other.kill()
    assert done.returncode == 1
    assert "Error" in done.stderr
    assert [path.name for path in (farm / "home").iterdir()] == ["diary"]
    assert (farm / "home" / "diary").read_text() == "mine"


def test_what_others_could_have_put_there_is_not_ours(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "blender"
    program.parent.mkdir()
    program.touch(0o755)
    assert only_ours(program)
    (tmp_path / "link").symlink_to(program)
    assert only_ours(tmp_path / "link")
    program.parent.chmod(0o777)
    assert not only_ours(program)
    assert not only_ours(tmp_path / "link")
    program.parent.chmod(0o1777)
    assert only_ours(program)  # as in /tmp: others may add, but not replace what is ours
    program.chmod(0o757)
    assert not only_ours(program)
    assert not only_ours(tmp_path / "missing")


def test_no_program_is_taken_from_a_folder_that_others_can_write_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "blender").touch(0o755)
    (tmp_path / "open").chmod(0o777)
    monkeypatch.chdir(tmp_path / "open")
    monkeypatch.setenv("PATH", f":.:{tmp_path / 'open'}")
    assert trusted_program("blender") is None
    monkeypatch.setenv("PATH", f":.:{tmp_path / 'open'}:{tmp_path / 'closed'}")
    assert trusted_program("blender") == str(tmp_path / "closed" / "blender")


def test_outputs_lie_inside_their_folder_also_through_links(tmp_path: Path) -> None:
    outputs, elsewhere = tmp_path / "outputs", tmp_path / "elsewhere"
    outputs.mkdir()
    elsewhere.mkdir()
    (elsewhere / "x.png").touch()
    (outputs / "link").symlink_to(elsewhere)
    (outputs / "x.png").symlink_to(elsewhere / "x.png")
    assert inside(outputs, outputs / "a" / "0001.png")
    for path in (outputs / "link" / "x.png", outputs / "x.png", outputs / "../x.png", Path("/etc/passwd"), tmp_path):
        with pytest.raises(RenderFailedError, match="UNSAFE_OUTPUT"):
            inside(outputs, path)


@pytest.mark.parametrize(
    "description",
    [
        {"compositor_outputs": ["{away}"]},
        {"compositor_outputs": ["../../../../../climbed"]},
        {"views": ["/../../../v"]},
    ],
    ids=str,
)
def test_the_fast_renderer_writes_nowhere_else(tmp_path: Path, description: dict[str, list[str]]) -> None:
    away = tmp_path / "away"
    away.mkdir()
    filled = {key: [value.format(away=away) for value in values] for key, values in description.items()}
    with Emulator(data=tmp_path / "farm") as emulator, RawClient(emulator, tmp_path) as raw_client:
        job_id = raw_client.completed(write_scene(tmp_path / "shot.blend", frame_end=1, **filled))
        assert raw_client.job(job_id)["failedReason"]["type"] == "UNSAFE_OUTPUT"
    outside = {path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(tmp_path / "farm")}
    assert outside == {tmp_path / "shot.blend"}


def test_a_link_that_took_an_outputs_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "diary").write_text("mine")
    with Emulator() as emulator, RawClient(emulator, tmp_path) as raw_client:
        job_id = raw_client.completed(frame_end=1)
        urls = raw_client.downloads(job_id)
        output = emulator.jobs[job_id].outputs[0].path
        output.unlink()
        output.symlink_to(tmp_path / "diary")
        for url in (urls["frames"][0], urls["transforms"]["framesZip"], raw_client.job(job_id)["previewUrl"]):
            answer = raw_client.store.get(url)
            assert answer.status_code == 404
            assert "mine" not in answer.text


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, socket.socket]]:
    """Hostile scenes in a folder, with what they are after, and a port that they try."""
    root = tmp_path_factory.mktemp("hostile")
    (root / "prey").mkdir()
    (root / "prey" / "picture.png").write_text("somebody's picture")
    assert COMMAND
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = str(server.getsockname()[1])
        subprocess.run(
            [COMMAND[0], str(HOSTILE), str(root), str(root / "prey"), port],
            check=True,
            capture_output=True,
            timeout=120,
        )
        yield root, server


@pytest.mark.blender
@needs_fence
@pytest.mark.skipif(not COMMAND or "python" not in COMMAND[0], reason="no bpy to make the scenes with")
def test_hostile_scenes_reach_nothing(hostile: tuple[Path, socket.socket], tmp_path: Path) -> None:
    root, server = hostile
    scenes = sorted(root.glob("*.blend"))
    assert len(scenes) >= 12
    data, before = tmp_path / "farm", everything_in(root / "prey")
    with Emulator(renderer="blender", data=data) as emulator, RawClient(emulator, tmp_path) as raw_client:
        jobs = {scene.stem: raw_client.create(scene) for scene in scenes}
        for job_id in jobs.values():
            raw_client.http.post(f"/jobs/{job_id}/validate").raise_for_status()
            wait_until(raw_client, job_id, "validated", "failed")
            raw_client.render(job_id)
            wait_until(raw_client, job_id, "completed", "failed")
        ends = {name: raw_client.status(job_id) for name, job_id in jobs.items()}
    assert everything_in(root / "prey") == before
    assert [*root.rglob("ran-*"), *data.rglob("ran-*"), *Path("/tmp").glob("ran-*")] == []
    with pytest.raises(BlockingIOError):
        server.accept()
    assert ends["honest"] == "completed"


def everything_in(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def wait_until(raw_client: RawClient, job_id: str, *statuses: str) -> None:
    deadline = time.monotonic() + 60
    while raw_client.status(job_id) not in statuses:
        assert time.monotonic() < deadline, raw_client.job(job_id)
        time.sleep(0.05)


def test_memory_files_and_processes_are_limited() -> None:
    script = "from renderjuice_emulator.fence import limits; import resource as r; limits(); "
    script += "print([r.getrlimit(what)[1] for what in (r.RLIMIT_DATA, r.RLIMIT_FSIZE, r.RLIMIT_NPROC, r.RLIMIT_CORE)])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    memory, longest, processes, core = json.loads(done.stdout)
    assert 0 < memory <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < longest < 1 << 40
    assert 0 < processes < 10_000
    assert core == 0
