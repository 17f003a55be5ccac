"""`--max-normalized-seconds` while it renders: all jobs of a command together spend no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from renderjuice.budget import Budget
from renderjuice.pace import Pace
from renderjuice.walks import Waits
from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.api.models import Job
from tests.cli.conftest import Run

EVERY = ("--every", "0.02")
DEFAULT = ("--preset", "default", *EVERY)
DEAR = 1500
"""Seconds for a frame: by the clock of the emulator, which is a thousand times as fast."""
MOST = ("--max-normalized-seconds", 100)


@pytest.fixture
def like(run: Run, tmp_path: Path) -> tuple[str, str]:
    """A job that was cheap, to estimate by."""
    scene = write_scene(tmp_path / "cheap.blend", frame_end=3)
    return "--like", run("submit", scene, "--wait", *DEFAULT).lines[0][0]


def test_a_render_that_costs_more_than_was_guessed_is_cancelled(
    run: Run, emulator: Emulator, like: tuple[str, str], tmp_path: Path
) -> None:
    scene = write_scene(tmp_path / "dear.blend", seconds_per_frame=DEAR)
    order = ("submit", scene, "--wait", "--frames", "1-3", *like, *MOST, *DEFAULT)
    done = run(*order)
    assert done.code == 6
    assert done.lines[0][1] == "canceled"
    assert "dear was cancelled" in done.err
    assert "of 100 (--max-normalized-seconds)" in done.err
    assert emulator.ledger.jobs_left_running() == []
    (job,) = [job for job in emulator.jobs.values() if job.status == "canceled"]
    assert (job.normalized_seconds or 0) >= 100
    again = run(*order)
    assert (again.code, emulator.ledger.renders_started()) == (6, 2), "what it has spent is not forgotten"


def test_several_share_it_and_what_has_not_begun_is_not_begun(
    run: Run, emulator: Emulator, like: tuple[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "dear"
    folder.mkdir()
    for number in range(4):
        write_scene(folder / f"sh{number}.blend", seconds_per_frame=DEAR, samples=number + 1)
    done = run("submit", folder, "--wait", "--at-once", 1, "--frames", "1-3", *like, *MOST, *DEFAULT)
    assert done.code == 6
    assert len(done.lines) == 4
    assert emulator.ledger.jobs_left_running() == []
    assert "completed" not in {line[1] for line in done.lines}


@pytest.mark.parametrize("command", ["watch", "wait"])
def test_who_waits_may_hold_it_too(run: Run, emulator: Emulator, tmp_path: Path, command: str) -> None:
    scene = write_scene(tmp_path / "dear.blend", seconds_per_frame=DEAR)
    job_id = run("submit", scene, *DEFAULT).lines[0][0]
    done = run(command, job_id, *MOST, *EVERY)
    assert (done.code, done.lines[0][:2]) == (6, [job_id, "canceled"])
    assert "was cancelled" in done.err
    assert emulator.ledger.jobs_left_running() == []


def test_what_is_not_spent_ends_well(run: Run, emulator: Emulator, like: tuple[str, str], tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "other.blend", frame_end=3)
    done = run("submit", scene, "--wait", "--frames", "1-3", *like, *MOST, *DEFAULT)
    assert (done.code, done.lines[0][1]) == (0, "completed")
    assert run("watch", scene, *MOST, *EVERY).code == 0
    assert emulator.ledger.count("cancel_job") == 0


def walk() -> Waits:
    client = RenderjuiceClient("RJ-of-a-test")
    return Waits("x", "sh010", client.operations)


def job(status: str, **fields: object) -> Job:
    return Job.model_validate({"id": "x", "status": status} | fields)


def test_what_is_left_is_shared_by_those_that_render() -> None:
    budget, one, two = Budget(100.0), walk(), walk()
    assert budget.most_of(one) == 100.0
    budget.seen(one, job("rendering"), 20.0)
    budget.seen(two, job("rendering"), 40.0)
    assert (budget.most_of(one), budget.most_of(two)) == (40.0, 60.0)
    budget.ended(two, job("completed", normalizedSeconds=30.0))
    assert budget.most_of(one) == 70.0


@pytest.mark.parametrize(
    ("ended", "left"),
    [
        (job("failed"), 100.0),
        (None, 100.0),
        (job("completed"), float("-inf")),
        (job("canceled", requestedConfig={}), float("-inf")),
        (job("completed", normalizedSeconds=100.0), 0.0),
    ],
)
def test_a_cost_that_nobody_knows_is_all_of_it(ended: Job | None, left: float) -> None:
    budget, one = Budget(100.0), walk()
    budget.ended(one, ended)
    assert budget.left == left


def test_the_rest_takes_as_long_as_frames_have_taken() -> None:
    pace = Pace()
    assert pace.left(8, 0.0) is None
    for now, done in ((100.0, 0), (110.0, 0), (130.0, 2), (150.0, 4)):
        pace.note(done, now)
    assert pace.left(None, 150.0) is None
    assert pace.left(8, 150.0) == 50.0
    assert pace.left(8, 160.0) == 40.0
    assert pace.left(8, 900.0) == 0.0


@pytest.mark.parametrize("backwards", [(160.0, 1), (10.0, 5)])
def test_a_counter_or_a_clock_that_goes_backwards_starts_with_what_it_says(backwards: tuple[float, int]) -> None:
    pace = Pace()
    pace.note(0, 100.0)
    pace.note(4, 150.0)
    pace.note(None, 155.0)
    now, done = backwards
    pace.note(done, now)
    assert pace.left(8, now) is None
    pace.note(done + 1, now + 10.0)
    assert pace.left(done + 2, now + 10.0) == 10.0


def test_watch_says_how_long_it_takes_yet(run: Run, emulator: Emulator, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "slow.blend", frame_end=400, seconds_per_frame=20.0)
    job_id = run("submit", scene, *DEFAULT).lines[0][0]
    done = run("watch", job_id, "--timeout", 3, "--every", "0.2")
    assert " left" in done.err
