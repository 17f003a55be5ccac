"""A job from Blender without Airflow: paid once, whatever dies."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blender_extension import direct
from blender_extension.packing import Needs
from blender_extension.records import Record
from blender_extension.work import OwnJob, State, Work
from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.errors import RenderjuiceError

CONFIG: dict[str, Any] = {"colorManagementPreset": "default", "frameRanges": ["1-3"]}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "POLL_INTERVAL", 0.02)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(tmp_path / "renders", str(tmp_path / "shot.blend"))


@pytest.fixture
def start(emulator: Emulator, record: Record, scene: Path, tmp_path: Path) -> Callable[..., Work]:
    """Starts a render as Blender does, and gives it back at once."""

    def begin(config: dict[str, Any] = CONFIG, key: str = emulator.api_key) -> Work:
        job = OwnJob(direct.account(key, emulator.base_url), config)
        work = Work(job.render(Needs(scene), [], record, tmp_path / "packed", tmp_path / "frames"))
        work.start()
        return work

    return begin


@pytest.fixture
def held(emulator: Emulator) -> Iterator[Emulator]:
    """An emulator in which a render lasts until it is stopped."""
    with Emulator(manual_clock=True) as emulator:
        yield emulator


def ended(work: Work) -> State:
    assert work.wait(30)
    return work.state


def advance_until(emulator: Emulator, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        emulator.clock.advance(1)
        time.sleep(0.01)


def test_the_frames_come_back(start: Callable[..., Work], emulator: Emulator, record: Record) -> None:
    state = ended(start())

    assert state.error == ""
    assert [path.name for path in state.frames] == ["0001.png", "0002.png", "0003.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in state.frames)
    assert emulator.ledger.renders_started() == 1
    assert not record.read()["is_running"]


def test_what_is_started_again_without_a_change_is_paid_once(start: Callable[..., Work], emulator: Emulator) -> None:
    first, second = ended(start()), ended(start())

    assert first.frames == second.frames
    assert emulator.ledger.renders_started() == 1


def test_a_render_is_taken_up_after_blender_has_died(
    start: Callable[..., Work], emulator: Emulator, record: Record, tmp_path: Path
) -> None:
    def die(stage: str, *_: object) -> None:
        if stage == "completed":
            raise KeyboardInterrupt

    job = OwnJob(direct.account(emulator.api_key, emulator.base_url), CONFIG)
    scene = tmp_path / "shot.blend"
    with pytest.raises(KeyboardInterrupt):
        job.render(Needs(scene), [], record, tmp_path / "packed", tmp_path / "frames")(die, threading.Event())
    assert record.read()["is_running"]
    scene.unlink()  # what was packed is what is rendered

    after = Work(OwnJob(direct.account(emulator.api_key, emulator.base_url), {}).follow(record, tmp_path / "frames"))
    after.start()

    assert len(ended(after).frames) == 3
    assert emulator.ledger.renders_started() == 1


def test_other_settings_are_another_job(start: Callable[..., Work], emulator: Emulator) -> None:
    ended(start())
    state = ended(start(CONFIG | {"frameRanges": ["1-2"]}))

    assert len(state.frames) == 2
    assert emulator.ledger.renders_started() == 2


def test_stop_cancels_the_job_and_says_what_is_billed(held: Emulator, record: Record, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "shot.blend", frame_end=3)
    job = OwnJob(direct.account(held.api_key, held.base_url), CONFIG)
    work = Work(job.render(Needs(scene), [], record, tmp_path / "packed", tmp_path / "frames"))
    work.start()
    advance_until(held, lambda: work.state.stage == "rendering")

    with direct.client_for(direct.account(held.api_key, held.base_url)) as client:
        assert direct.stop(client, record) == "canceled"
    state = ended(work)

    assert "is canceled" in state.error
    assert "billed" in state.error
    assert "clear" not in state.error  # which is Airflow's word
    assert not record.read()["is_running"]
    assert held.ledger.jobs_left_running() == []


def test_what_is_stopped_before_there_is_a_job_costs_nothing(
    emulator: Emulator, record: Record, scene: Path, tmp_path: Path
) -> None:
    job = OwnJob(direct.account(emulator.api_key, emulator.base_url), CONFIG)
    work = Work(job.render(Needs(scene), [], record, tmp_path / "packed", tmp_path / "frames"))
    work.stop()
    work.start()

    assert "Nothing was spent" in ended(work).error
    assert emulator.ledger.renders_started() == 0
    assert not record.read()["is_running"]


def test_a_wrong_key_is_said_and_nothing_is_running(start: Callable[..., Work], record: Record) -> None:
    state = ended(start(key="RJ-wrong"))

    assert "401" in state.error or "key" in state.error
    assert not record.read()["is_running"]


def test_an_outage_in_the_middle_is_waited_out(start: Callable[..., Work], emulator: Emulator) -> None:
    emulator.faults.add("get_job", "503")

    assert len(ended(start()).frames) == 3
    assert emulator.ledger.renders_started() == 1


def test_the_record_holds_no_key(start: Callable[..., Work], emulator: Emulator, tmp_path: Path) -> None:
    ended(start())

    (written,) = (tmp_path / "renders").iterdir()
    assert emulator.api_key not in written.read_text()
    assert "token" not in written.read_text()


def test_a_record_that_was_cut_short_is_none(record: Record, tmp_path: Path) -> None:
    record.note(way="job", is_running=True)
    (written,) = (tmp_path / "renders").iterdir()
    written.write_text(written.read_text()[:-5])

    assert record.read() == {}
    record.note(way="job")
    assert json.loads(written.read_text())["way"] == "job"


def test_the_stages_are_shown_as_they_come(emulator: Emulator, record: Record, scene: Path, tmp_path: Path) -> None:
    seen = []
    job = OwnJob(direct.account(emulator.api_key, emulator.base_url), CONFIG)
    job.render(Needs(scene), [], record, tmp_path / "packed", tmp_path / "frames")(
        lambda stage, *_: seen.append(stage), threading.Event()
    )

    order = ["packing", "uploading", "created", "completed", "fetching frames"]
    assert [stage for stage in dict.fromkeys(seen) if stage in order] == order


def test_a_job_of_a_scene_that_cannot_be_opened_says_why(emulator: Emulator, record: Record, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "broken.blend", fail_validation=("the scene cannot be opened", "SCENE_UNREADABLE"))
    job = OwnJob(direct.account(emulator.api_key, emulator.base_url), CONFIG)
    with pytest.raises(RenderjuiceError, match="cannot be opened"):
        job.render(Needs(scene), [], record, tmp_path / "packed", tmp_path / "frames")(
            lambda *_: None, threading.Event()
        )
    assert emulator.ledger.renders_started() == 0


def test_the_key_is_found_where_the_command_line_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RENDERJUICE_API_KEY", "RENDERJUICE_API_KEY_FILE", "RENDERJUICE_CONN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(direct.KeyMissing, match="Sign in") as caught:
        direct.account("", "")
    assert "--key" not in str(caught.value)  # which is the command line's word

    (tmp_path / "renderjuice").mkdir()
    (tmp_path / "renderjuice" / "key").touch(0o600)
    (tmp_path / "renderjuice" / "key").write_text("RJ-of-a-file\n")
    assert direct.account("", "")["api_key"] == "RJ-of-a-file"
    assert direct.account("RJ-typed", "")["api_key"] == "RJ-typed"
    assert "RJ-typed" not in repr(OwnJob(direct.account("RJ-typed", ""), CONFIG))
