"""A folder of scenes, and what comes between: Ctrl-C, SIGTERM, a process that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from tests.cli.conftest import Done, Run, Start
from tests.support.until import until

DEFAULT = ("--preset", "default", "--every", "0.1")
SCENES = 200


def ended(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=300)
    return Done(process.returncode, out, err)


def has_jobs(emulator: Emulator, count: int) -> bool:
    return len(emulator.jobs) >= count


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of 200 scenes, no two alike."""
    folder = tmp_path / "night"
    folder.mkdir()
    for number in range(SCENES):
        write_scene(folder / f"sh{number:03d}.blend", frame_end=2, samples=number + 1)
    return folder


@pytest.mark.slow
def test_200_scenes_are_interrupted_taken_up_and_downloaded_and_nothing_is_done_twice(
    start: Start, run: Run, emulator: Emulator, folder: Path, home: Path
) -> None:
    for stop in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM):
        before = len(emulator.jobs)
        process = start("submit", folder, "--download", home / "out", *DEFAULT)
        until(partial(has_jobs, emulator, before + 20), what="submitting")
        process.send_signal(stop)
        done = ended(process)
        if stop != signal.SIGKILL:
            assert done.code == 130
            assert "Interrupted" in done.err
            assert "The same command goes on" in done.err

    done = ended(start("submit", folder, "--download", home / "out", "--json", *DEFAULT))

    assert done.code == 0
    assert len(done.objects) == SCENES
    assert {each["status"] for each in done.objects} == {"completed"}
    started = [account.renders_started for account in emulator.ledger.accounts.values()]
    assert sum(started) == SCENES
    assert max(started) == 1
    assert emulator.ledger.jobs_left_running() == []
    assert len(list((home / "out").rglob("*.png"))) == 2 * SCENES
    fetched = emulator.ledger.count("download_file", status=200)
    assert fetched <= 2 * SCENES + 3 * 8  # what was on its way when it was killed is fetched again
    again = run("download", folder, "--into", home / "out", "--json")
    assert sum(each["already_there"] for each in again.objects) == 2 * SCENES
    assert emulator.ledger.count("download_file", status=200) == fetched


def test_after_ctrl_c_it_is_said_what_goes_on_and_costs_money(start: Start, emulator: Emulator, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "long.blend", seconds_per_frame=100_000)
    process = start("submit", scene, "--wait", *DEFAULT)
    (job_id,) = until(emulator.ledger.jobs_left_running, what="rendering")
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert done.code == 130
    assert "cost money" in done.err
    assert job_id in done.err
    assert "renderjuice cancel" in done.err
    assert emulator.ledger.jobs_left_running() == [job_id]


def test_ctrl_c_ends_watching_and_not_the_job(start: Start, run: Run, emulator: Emulator, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "long.blend", seconds_per_frame=100_000)
    job_id = run("submit", scene, *DEFAULT).lines[0][0]
    process = start("watch", job_id, "--every", "0.1")
    until(lambda: emulator.ledger.count("get_progress"), what="watching")
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert (done.code, job_id in done.err) == (130, True)
    assert emulator.ledger.jobs_left_running() == [job_id]


def test_an_upload_that_hangs_does_not_hold_ctrl_c_up(start: Start, emulator: Emulator, scene: Path) -> None:
    emulator.faults.add("put_upload", "stall 120")
    process = start("submit", scene, *DEFAULT)
    until(lambda: emulator.ledger.count("put_upload"), what="uploading")
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert done.code == 130
    assert "nothing is spent" in done.err


def test_a_render_that_may_have_been_started_is_not_called_free(start: Start, emulator: Emulator, scene: Path) -> None:
    emulator.faults.add("start_render", "stall 120")
    process = start("submit", scene, *DEFAULT)
    until(lambda: emulator.ledger.count("start_render"), what="ordering")
    process.send_signal(signal.SIGINT)
    done = ended(process)
    (job_id,) = emulator.jobs
    assert done.code == 130
    assert "may have been started" in done.err
    assert job_id in done.err
    assert "nothing is spent" not in done.err


def test_two_at_once_do_not_pay_twice(start: Start, emulator: Emulator, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "long.blend", seconds_per_frame=100_000)
    first = start("submit", scene, "--wait", *DEFAULT)
    until(emulator.ledger.jobs_left_running, what="rendering")
    second = ended(start("submit", scene, "--wait", *DEFAULT))
    assert second.code == 2
    assert "Another renderjuice is at this order" in second.err
    first.send_signal(signal.SIGINT)
    assert ended(first).code == 130
    assert emulator.ledger.renders_started() == 1


def test_a_reader_that_has_seen_enough_does_not_stop_what_was_begun(
    start: Start, emulator: Emulator, shots: Path
) -> None:
    process = start("submit", shots, "--wait", *DEFAULT)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(300) == 0
    assert emulator.ledger.renders_started() == 3


def test_talk_that_nobody_reads_does_not_stop_what_was_begun(start: Start, emulator: Emulator, shots: Path) -> None:
    write_scene(shots / "fails.blend", fail_at_frame=1)
    process = start("submit", shots, "--wait", *DEFAULT)
    assert process.stderr is not None
    process.stderr.close()
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    assert len(out.splitlines()) == 4
    assert emulator.ledger.renders_started() == 4


def test_a_disk_that_cannot_be_written_keeps_a_render_from_being_ordered(
    run: Run, emulator: Emulator, scene: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file"))
    done = run("submit", scene, *DEFAULT)
    assert done.code == 7
    assert emulator.ledger.renders_started() == 0
    assert os.fspath(home / "file") in done.err
