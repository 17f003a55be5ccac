"""`max_normalized_seconds`: over it, the job is cancelled, and no retry spends more."""

from __future__ import annotations

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceIncompleteError, RenderjuiceInputError
from renderjuice_provider.compat import AirflowFailException
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCeilingError,
    RenderjuiceRenderFramesOperator,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
)
from tests.support.both_clients import connect, validated
from tests.support.crash import Crash, Died
from tests.support.runner import needs_store

both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "on the worker"])
CONFIG = {"colorManagementPreset": "default", "frameRanges": ["1-200"]}
MOST = 400.0
"""Of the 2000 seconds that all frames cost."""


@pytest.fixture
def crash(monkeypatch):
    return Crash(monkeypatch)


@pytest.fixture
def dear(tmp_path):
    return write_scene(tmp_path / "dear.blend", frame_end=200, seconds_per_frame=10)


def run_job(scene, **more):
    given = {"task_id": "run", "file_path": str(scene), "render_config": CONFIG, "max_normalized_seconds": MOST}
    return RenderjuiceRunJobOperator(**given | {"poll_interval": 0.02} | more)


def costs(emulator):
    return [account.normalized_seconds for account in emulator.ledger.accounts.values()]


@both_modes
@pytest.mark.parametrize("is_reported", [True, False], ids=["seconds while rendering", "seconds at the end"])
def test_a_job_is_cancelled_at_its_ceiling(emulator, runner, dear, deferrable, is_reported, monkeypatch):
    emulator.switches.seconds_while_rendering = is_reported
    most = MOST if is_reported else 0.4  # the emulator's clock is faster than the one that counts then
    with pytest.raises(RenderjuiceCeilingError, match="max_normalized_seconds") as stopped:
        runner.run(run_job(dear, deferrable=deferrable, max_normalized_seconds=most))
    assert isinstance(stopped.value, AirflowFailException)
    assert emulator.ledger.count("cancel_job") == 1
    assert emulator.ledger.jobs_left_running() == []
    (cost,) = costs(emulator)
    assert most <= cost < 2000
    assert f"{cost:g} normalized seconds are billed" in str(stopped.value)


@needs_store
@both_modes
def test_a_retry_does_not_spend_again_and_a_clear_does(emulator, runner, dear, deferrable):
    task = run_job(dear, deferrable=deferrable)
    for _ in range(2):
        with pytest.raises(RenderjuiceCeilingError):
            runner.run(task)
    assert emulator.ledger.renders_started() == 1
    runner.ti.max_tries += 1
    with pytest.raises(RenderjuiceCeilingError):
        runner.run(task)
    assert emulator.ledger.renders_started() == 2
    assert emulator.ledger.jobs_left_running() == []


@needs_store
@both_modes
def test_what_a_failed_job_has_cost_counts(emulator, runner, dear, deferrable):
    emulator.switches.worker_lost_at = {"dear.blend": 4}
    task = run_job(dear, deferrable=deferrable)
    with pytest.raises(RenderjuiceError, match="WORKER_LOST") as failed:
        runner.run(task)
    assert not isinstance(failed.value, RenderjuiceCeilingError)
    first = costs(emulator)[0]
    with pytest.raises(RenderjuiceCeilingError):
        runner.run(task)
    if deferrable:
        assert runner.triggers[-1]["max_normalized_seconds"] == pytest.approx(MOST - first)
    assert sum(costs(emulator)) >= MOST
    with pytest.raises(RenderjuiceCeilingError):
        runner.run(task)
    assert emulator.ledger.renders_started() == 2


@needs_store
def test_a_cost_that_nobody_knows_is_not_taken_for_nothing(emulator, runner, dear, monkeypatch):
    emulator.switches.worker_lost_at = {"dear.blend": 3}
    task = run_job(dear, deferrable=False)
    with pytest.raises(RenderjuiceError, match="WORKER_LOST"):
        runner.run(task)
    for job in emulator.jobs.values():
        monkeypatch.setattr(job, "normalized_seconds", None)
    with pytest.raises(RenderjuiceCeilingError, match="what is not known"):
        runner.run(task)
    assert emulator.ledger.renders_started() == 1


@both_modes
def test_a_render_under_its_ceiling_is_as_any_other(emulator, runner, scene, deferrable):
    config = CONFIG | {"frameRanges": ["1-3"]}
    found = runner.run(run_job(scene, render_config=config, deferrable=deferrable, max_normalized_seconds=1e6))
    assert found["complete"]
    assert emulator.ledger.count("cancel_job") == 0


@both_modes
def test_the_render_of_a_given_job_has_a_ceiling_too(emulator, runner, tmp_path, deferrable):
    client = connect("blocking", emulator)
    job = validated(client, tmp_path, frame_end=200, seconds_per_frame=10)
    client.close()
    given = {"task_id": "render", "job_id": job.id, "render_config": CONFIG, "poll_interval": 0.02}
    for _ in range(2):
        with pytest.raises(RenderjuiceCeilingError):
            runner.run(RenderjuiceRenderJobOperator(**given, deferrable=deferrable, max_normalized_seconds=MOST))
    assert emulator.ledger.renders_started() == 1


@needs_store
@both_modes
def test_all_rounds_share_one_ceiling_and_keep_their_frames(emulator, runner, dear, tmp_path, deferrable):
    emulator.switches.worker_lost_at = {"dear.blend": 4}
    given = {"task_id": "render", "file_path": str(dear), "render_config": CONFIG, "destination": str(tmp_path / "out")}
    task = RenderjuiceRenderFramesOperator(
        **given, deferrable=deferrable, poll_interval=0.02, max_normalized_seconds=MOST
    )
    with pytest.raises(RenderjuiceCeilingError):
        runner.run(task)
    first, second = costs(emulator)
    assert MOST <= first + second < 2000
    kept = len(list((tmp_path / "out" / "frames").iterdir()))
    assert kept == sum(account.frames_rendered for account in emulator.ledger.accounts.values())
    with pytest.raises((RenderjuiceCeilingError, RenderjuiceIncompleteError), match="max_normalized_seconds"):
        runner.run(task)
    assert emulator.ledger.renders_started() == 2


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), True, "much", [], ""])
def test_a_ceiling_that_cannot_be_right_is_refused_when_the_dag_is_read(scene, wrong):
    with pytest.raises(RenderjuiceInputError, match="max_normalized_seconds must be a number of normalized seconds"):
        run_job(scene, max_normalized_seconds=wrong)


def test_a_ceiling_that_nobody_would_hold_is_refused_before_anything_is_sent(emulator, runner, scene):
    with pytest.raises(RenderjuiceInputError, match="needs wait=True"):
        runner.run(run_job(scene, wait=False))
    assert emulator.ledger.entries == []


@pytest.mark.parametrize(("given", "read"), [("60.5", 60.5), (None, None), ("None", None), (12, 12.0)])
def test_a_ceiling_may_be_what_a_template_renders(scene, given, read):
    assert run_job(scene, max_normalized_seconds=given).max_normalized_seconds == read


@needs_store
@both_modes
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [8, 10, 12, 15])
def test_a_death_at_any_call_spends_no_more_than_the_ceiling(emulator, runner, dear, crash, deferrable, after, at):
    task = run_job(dear, deferrable=deferrable)
    crash.arm(at, after=after)
    with pytest.raises((Died, RenderjuiceCeilingError)) as first:
        runner.run(task)
    crash.arm(0, after=False)
    if first.type is Died:
        with pytest.raises(RenderjuiceCeilingError):
            runner.run(task)
    assert emulator.ledger.renders_started() == 1
    assert emulator.ledger.jobs_left_running() == []
    assert sum(costs(emulator)) < 2000
