"""Jobs that are there: listed, watched, waited for, downloaded, cancelled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from tests.cli.conftest import Run

EVERY = ("--every", "0.02")
DEFAULT = ("--preset", "default", *EVERY)
UNKNOWN = "3c90c3cc-0d44-4b50-8888-000000000000"


@pytest.fixture
def rendered(run: Run, shots: Path) -> list[str]:
    """The ids of three completed jobs."""
    return sorted(line[0] for line in run("submit", shots, "--wait", *DEFAULT).lines)


@pytest.fixture
def long_job(run: Run, tmp_path: Path) -> str:
    """A job that renders for hours."""
    scene = write_scene(tmp_path / "long.blend", seconds_per_frame=100_000)
    return run("submit", scene, *DEFAULT).lines[0][0]


def test_list_shows_the_jobs_of_the_account(run: Run, rendered: list[str]) -> None:
    done = run("list", "--json")
    assert sorted(each["job_id"] for each in done.objects) == rendered
    assert {each["name"] for each in done.objects} == {"sh010", "sh020", "sh030"}
    assert len(run("list", "--limit", 2).out.splitlines()) == 2
    assert run("list", "--status", "failed").out == ""


def test_status_is_found_by_id_by_scene_by_folder_and_by_list(run: Run, rendered: list[str], shots: Path) -> None:
    for arguments in (rendered, [shots], ["-"], [rendered[0].upper(), *rendered]):
        done = run("status", *arguments, "--json", stdin="\n".join(f"{job}\tcompleted\tx" for job in rendered))
        assert sorted(each["job_id"] for each in done.objects) == rendered
    assert run("status", shots / "sh010.blend", "--json").objects[0]["name"] == "sh010"
    lines = "\n".join(json.dumps({"job_id": job}) for job in rendered)
    assert len(run("status", "-", "--json", stdin=lines).objects) == 3


def test_many_jobs_are_read_with_few_requests(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(12):
        write_scene(folder / f"sh{number}.blend", samples=number + 1, frame_end=1)
    run("submit", folder, "--wait", *DEFAULT)
    before = len(emulator.ledger.entries)
    assert len(run("status", folder).out.splitlines()) == 12
    assert len(emulator.ledger.entries) - before == 1


@pytest.mark.parametrize("command", ["status", "watch", "wait", "download", "cancel"])
def test_a_job_that_does_not_exist_is_a_sentence_and_code_2(run: Run, command: str) -> None:
    done = run(command, UNKNOWN)
    assert done.code == 2
    assert "404" in done.err


@pytest.mark.parametrize(
    ("argument", "words"),
    [("no-id", "A job id is a UUID"), (".", "Nothing was submitted of"), ("-", "No job was named")],
)
def test_what_names_no_job_is_refused(run: Run, argument: str, words: str) -> None:
    done = run("status", argument)
    assert (done.code, words in done.err) == (2, True)


@pytest.mark.parametrize("command", ["watch", "wait"])
def test_the_code_says_how_jobs_ended(run: Run, emulator: Emulator, tmp_path: Path, command: str) -> None:
    bad = write_scene(tmp_path / "bad.blend", fail_at_frame=2)
    good = write_scene(tmp_path / "good.blend", frame_end=2)
    jobs = [run("submit", scene, *DEFAULT).lines[0][0] for scene in (bad, good)]
    done = run(command, *jobs, *EVERY)
    assert done.code == 1
    assert sorted(line[1] for line in done.lines) == ["completed", "failed"]
    assert "bad failed" in done.err
    assert run(command, jobs[1], *EVERY).code == 0


def test_watch_says_how_far_a_render_is_and_wait_does_not(run: Run, long_job: str) -> None:
    assert "of 10 frames" in run("watch", long_job, "--timeout", "1", *EVERY).err
    assert "frames" not in run("wait", long_job, "--timeout", "1", *EVERY).err


def test_waiting_ends_in_time_and_the_job_goes_on(run: Run, emulator: Emulator, long_job: str) -> None:
    done = run("wait", long_job, "--timeout", "0.1", *EVERY)
    assert done.code == 4
    assert emulator.ledger.jobs_left_running() == [long_job]


def test_a_failed_poll_is_no_failed_job(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    job_id = run("submit", write_scene(tmp_path / "sh.blend", frame_end=50), *DEFAULT).lines[0][0]
    emulator.faults.add("get_job", "503", "reset-before")
    assert run("wait", job_id, *EVERY).code == 0


def test_cancel_stops_a_job_once(run: Run, emulator: Emulator, long_job: str) -> None:
    done = run("cancel", long_job)
    assert (done.code, done.lines[0][:2]) == (0, [long_job, "canceled"])
    assert emulator.ledger.accounts[long_job].canceled
    assert run("status", long_job).code == 5
    assert run("wait", long_job, *EVERY).code == 5


def test_cancel_says_that_a_job_was_completed_already(run: Run, rendered: list[str]) -> None:
    done = run("cancel", rendered[0])
    assert done.code == 0
    assert "had completed already" in done.err


def test_several_are_not_cancelled_without_being_asked(run: Run, emulator: Emulator, rendered: list[str]) -> None:
    done = run("cancel", *rendered)
    assert done.code == 2
    assert "add --yes" in done.err
    assert emulator.ledger.count("cancel_job") == 0
    assert run("cancel", "--yes", *rendered).code == 0


def test_a_download_is_not_repeated(run: Run, emulator: Emulator, rendered: list[str], home: Path) -> None:
    first = run("download", *rendered, "--into", home / "out", "--json")
    assert first.code == 0
    assert sum(each["files"] for each in first.objects) == 6
    fetched = emulator.ledger.count("download_file")
    second = run("download", *rendered, "--into", home / "out", "--json")
    assert sum(each["already_there"] for each in second.objects) == 6
    assert emulator.ledger.count("download_file") == fetched


def test_frames_of_two_jobs_are_never_mixed(run: Run, scene: Path, home: Path) -> None:
    first = run("submit", scene, "--download", home / "out", *DEFAULT).lines[0]
    second = run("submit", scene, "--again", "--download", home / "out", *DEFAULT).lines[0]
    assert first[3].endswith("out/sh010")
    assert second[3].endswith(f"out/sh010-{second[0][:8]}")
    assert run("download", second[0], "--into", home / "out").lines[0][3] == second[3]


def test_what_still_renders_cannot_be_downloaded(run: Run, long_job: str) -> None:
    done = run("download", long_job)
    assert done.code == 2
    assert f"renderjuice wait {long_job}" in done.err


def test_a_job_of_another_machine_is_named_by_its_scene(
    run: Run, rendered: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "other"))
    folders = sorted(line[3] for line in run("download", *rendered, "--into", home / "out").lines)
    assert [Path(folder).name for folder in folders] == ["sh010", "sh020", "sh030"]


def test_a_name_that_would_lead_out_of_the_folder_does_not(run: Run, home: Path, tmp_path: Path) -> None:
    from renderjuice.fetching import safe_name

    assert safe_name("../../etc/passwd") == "_.._etc_passwd"
    assert safe_name("..") == "render"
    assert "\x1b" not in safe_name("a\x1b[31m")
