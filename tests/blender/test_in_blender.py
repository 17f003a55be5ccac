"""The extension in each Blender at hand: installed from its zip, and used to the end."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path
from typing import Any

from renderjuice_emulator.testing import Emulator
from tests.support.in_blender import NEEDS_BLENDER, Begin, Use

pytestmark = NEEDS_BLENDER


def own_job(emulator: Emulator) -> dict[str, Any]:
    return {"key": emulator.api_key, "preferences": {"way": "JOB", "base_url": emulator.base_url}}


def test_open_submit_and_have_the_frames_back(use: Use, farm: Emulator) -> None:
    done = use("job", **own_job(farm))

    assert (done["found"], done["error"]) == ("", "")
    assert [Path(frame).name for frame in done["frames"]] == ["0001.png", "0002.png", "0003.png"]
    assert all(Path(frame).parts[:2] == ("renderjuice", "sh010") for frame in done["frames"])
    # A relative path, an absolute one, and one inside of a library: the farm found all three.
    assert done["colours"] == ["red", "green", "blue"]
    assert done["sequence"] == "SEQUENCE"
    assert done["kept"], "the open scene has other paths than before"
    assert done["again"] == ""
    assert farm.ledger.renders_started() == 1  # the second time, nothing had changed


def test_a_render_is_taken_up_by_the_next_session(begin: Begin, use: Use, tmp_path: Path) -> None:
    with Emulator(manual_clock=True) as emulator:
        blender = begin("begin", **own_job(emulator))
        deadline = time.monotonic() + 120
        while not emulator.ledger.renders_started():
            assert blender.poll() is None, blender.communicate()[0][-4000:]
            assert time.monotonic() < deadline
            emulator.clock.advance(1)
            time.sleep(0.1)
        blender.kill()
        blender.communicate()
        emulator.clock.advance(3600)

        done = use("take_up", **own_job(emulator))

    assert "take it up" in done["second"]
    assert (done["error"], done["frames"]) == ("", 3)
    assert emulator.ledger.renders_started() == 1


def test_what_speaks_against_a_render_is_said_before_anything_is_sent(use: Use, emulator: Emulator) -> None:
    said = use("findings", preferences={"way": "JOB", "base_url": emulator.base_url})

    assert "never been saved" in said["never saved"]
    assert "not saved" in said["unsaved"]
    assert "no active camera" in said["camera"]
    assert "red.png: missing" in said["missing"]
    assert said["may miss"] == []
    assert "blue.png: named by a linked library by an absolute path" in said["library"]
    assert "offline" in said["offline"]
    assert emulator.ledger.entries == []


def test_every_file_of_a_scene_is_found(use: Use) -> None:
    found = use("needs")

    assert found["stops"] == []
    assert found["files"] == sorted(
        ["blue.png", "chair.blend", "green.png", "motion.pc2", "red.png", "tile.1001.png", "tile.1002.png"]
        + [f"walk_{number:04d}.png" for number in (1, 2, 3)]
    )
    assert found["caches"] == ["cloth_000001_00.bphys"]


def test_a_key_that_was_typed_is_saved_nowhere(use: Use, emulator: Emulator, tmp_path: Path) -> None:
    key = "RJ-typed-into-blender"
    done = use("secrets", key=key, preferences={"way": "JOB", "base_url": emulator.base_url})

    assert done["kept"] == key
    assert done["last"] == ""
    saved = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix in {".blend", ".json", ".txt"}]
    assert {"userpref.blend", "sh010.blend"} <= {path.name for path in saved}
    assert [path for path in saved if path.name != "secrets.json" and key.encode() in path.read_bytes()] == []


def test_the_panel_shows_what_happens(use: Use) -> None:
    shown = use("panel")

    assert {"frames", "quality", "renderjuice.render", "renderjuice.take_up", "renderjuice.stop"} <= set(shown["idle"])
    assert "0.25 rendering: 6 of 24 frames" in shown["rendering"]
    assert "No camera" in shown["failed"]
    assert {"airflow_url", "folder", "base_url"} <= set(shown["preferences"])
    assert "Frames 1-3. Renderjuice bills what it renders" in shown["question"]


def test_it_can_be_switched_off_and_on_again(use: Use) -> None:
    assert use("switched_off") == {"gone": True, "back": True}


def test_the_zip_holds_no_airflow(extension: Path) -> None:
    with zipfile.ZipFile(extension) as archive:
        names = archive.namelist()
    assert {"__init__.py", "blender_manifest.toml", "repacked_scene.py"} < set(names)
    assert [name for name in names if "airflow" in name.lower()] == ["airflow.py"]
    wheels = {Path(name).name.partition("-")[0] for name in names if name.endswith(".whl")}
    assert {"renderjuice", "httpx", "pydantic", "pydantic_core", "urllib3"} <= wheels
    assert not {"typer", "rich", "fastapi"} & wheels
