"""A task dies anywhere, and its next try pays for nothing twice."""

from __future__ import annotations

import time

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import RenderjuiceInputError, RenderjuiceJobError
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCreateJobOperator,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
)
from tests.support.crash import Crash, Died
from tests.support.runner import CONFIG, needs_store

pytestmark = needs_store
FAST = {"poll_interval": 0.02}
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "on the worker"])


@pytest.fixture
def crash(monkeypatch):
    return Crash(monkeypatch)


def run_job(scene, **arguments):
    return RenderjuiceRunJobOperator(
        **{"task_id": "run", "file_path": str(scene), "render_config": CONFIG} | FAST | arguments
    )


def die_then_retry(make, runner, crash, at, *, after):
    """Two tries, the first of which dies at a call.

    Returns what the second returned, or None if there is no such call.
    """
    crash.arm(at, after=after)
    try:
        runner.run(make())
    except Died:
        crash.arm(0, after=False)
        return runner.run(make())
    assert crash.calls < at
    return None


@both_modes
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 13))
def test_a_death_at_any_call_costs_one_render(emulator, runner, crash, tmp_path, deferrable, after, at):
    scene = write_scene(tmp_path / f"shot-{at}.blend", frame_end=3)
    summary = die_then_retry(lambda: run_job(scene, deferrable=deferrable), runner, crash, at, after=after)
    assert summary is None or summary["status"] == "completed"
    assert emulator.ledger.renders_started() == 1
    assert emulator.ledger.jobs_left_running() == []


@both_modes
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 6))
def test_a_death_while_rendering_a_given_job_costs_one_render(emulator, runner, crash, scene, deferrable, after, at):
    with RenderjuiceHook().client as client:
        job_id = client.create_job(client.upload(scene).slug).id
        client.validate_job(job_id)
        while client.get_job(job_id).status != "validated":
            pass

    def render():
        arguments = {"task_id": "render", "job_id": job_id, "render_config": CONFIG} | FAST
        return RenderjuiceRenderJobOperator(**arguments, deferrable=deferrable)

    summary = die_then_retry(render, runner, crash, at, after=after)
    assert summary is None or summary["status"] == "completed"
    assert emulator.ledger.renders_started() == 1


def test_a_retry_does_not_upload_again_what_is_uploaded(emulator, runner, scene):
    emulator.faults.add("create_job", "500")
    with pytest.raises(Exception, match="may or may not have been created"):
        runner.run(run_job(scene))
    assert runner.run(run_job(scene))["status"] == "completed"
    assert emulator.ledger.count("put_upload") == 1


def test_a_slug_that_is_spent_is_replaced_by_a_new_upload(emulator, runner, scene):
    emulator.faults.add("create_job", "reset-after")
    emulator.switches.slug_reuse = "refused"
    with pytest.raises(Exception, match="may or may not have been created"):
        runner.run(run_job(scene))
    assert runner.run(run_job(scene))["status"] == "completed"
    assert emulator.ledger.count("put_upload") == 2
    assert emulator.ledger.renders_started() == 1


def test_a_completed_render_is_returned_at_once(emulator, runner, scene):
    first = runner.run(run_job(scene))
    assert runner.run(run_job(scene)) == first
    assert emulator.ledger.renders_started() == 1


def test_a_render_that_failed_is_ordered_again_by_a_retry(emulator, runner, tmp_path):
    broken = write_scene(tmp_path / "broken.blend", frame_end=3, fail_at_frame=2)
    for _ in range(2):
        with pytest.raises(RenderjuiceJobError, match="A retry starts a new job"):
            runner.run(run_job(broken))
    assert emulator.ledger.renders_started() == 2


def test_a_retry_keeps_the_deadline_of_the_first_try(emulator, runner, tmp_path):
    slow = write_scene(tmp_path / "slow.blend", seconds_per_frame=1e6)
    runner.run(run_job(slow, wait=False, deferrable=False, timeout=100))
    first = runner.store.get("renderjuice")
    runner.run(run_job(slow, wait=False, deferrable=False, timeout=100))
    assert runner.store.get("renderjuice") == first


def test_a_retry_stops_an_overdue_render_that_the_first_try_died_on(emulator, runner, tmp_path):
    slow = write_scene(tmp_path / "slow.blend", seconds_per_frame=1e6)
    runner.run(run_job(slow, wait=False, deferrable=False, timeout=0.5))
    time.sleep(0.6)
    with pytest.raises(RenderjuiceJobError, match="its deadline has passed"):
        runner.run(run_job(slow, deferrable=False, timeout=0.5))
    assert emulator.ledger.jobs_left_running() == []
    assert emulator.ledger.renders_started() == 1


def test_a_retry_gives_an_overdue_render_more_time_where_it_is_not_to_be_cancelled(emulator, runner, tmp_path):
    slow = write_scene(tmp_path / "slow.blend", seconds_per_frame=1e6)
    lenient = {"wait": False, "deferrable": False, "cancel_on_timeout": False}
    runner.run(run_job(slow, timeout=0.5, **lenient))
    time.sleep(0.6)
    runner.run(run_job(slow, timeout=100, **lenient))
    assert len(emulator.ledger.jobs_left_running()) == 1
    assert runner.store.get("renderjuice")["deadline"] > time.time() + 50


def test_other_work_in_the_same_place_stops_the_old_job_first(emulator, runner, tmp_path):
    one = write_scene(tmp_path / "one.blend", frame_end=9, seconds_per_frame=1e6)
    other = write_scene(tmp_path / "other.blend", seconds_per_frame=1e6)
    runner.run(run_job(one, wait=False, deferrable=False))
    runner.run(run_job(other, wait=False, deferrable=False))
    accounts = {account.file_name: account for account in emulator.ledger.accounts.values()}
    assert accounts["one.blend"].canceled
    assert len(emulator.ledger.jobs_left_running()) == 1


def test_a_scene_that_was_saved_again_is_other_work(emulator, runner, tmp_path):
    scene = write_scene(tmp_path / "shot.blend", frame_end=2)
    runner.run(run_job(scene))
    write_scene(scene, frame_end=3)
    runner.run(run_job(scene))
    assert emulator.ledger.renders_started() == 2


def test_a_scene_that_is_gone_by_now_does_not_lose_its_render(emulator, runner, tmp_path):
    scene = write_scene(tmp_path / "shot.blend", frame_end=2)
    first = runner.run(run_job(scene))
    scene.unlink()
    assert runner.run(run_job(scene)) == first
    assert emulator.ledger.renders_started() == 1


@pytest.mark.parametrize(("on_clear", "renders"), [("reattach", 1), ("resubmit", 2)])
def test_what_clearing_means_is_the_authors_choice(emulator, runner, tmp_path, on_clear, renders):
    slow = write_scene(tmp_path / "slow.blend", seconds_per_frame=1e6)
    runner.run(run_job(slow, wait=False, deferrable=False, on_clear=on_clear))
    runner.ti.max_tries += 1
    runner.run(run_job(slow, wait=False, deferrable=False, on_clear=on_clear))
    assert emulator.ledger.renders_started() == renders
    assert len(emulator.ledger.jobs_left_running()) == 1


def test_a_clear_that_means_nothing_is_refused_when_the_dag_is_read(scene):
    with pytest.raises(RenderjuiceInputError, match="reattach"):
        run_job(scene, on_clear="again")


def test_upload_and_create_do_not_repeat_themselves_on_a_retry_but_do_on_a_clear(emulator, runner, scene):
    upload = RenderjuiceUploadOperator(task_id="upload", file_path=str(scene))
    slug = runner.run(upload)
    assert runner.run(upload) == slug
    runner.ti.max_tries += 1
    assert runner.run(upload) != slug
    create = RenderjuiceCreateJobOperator(task_id="create", slug=slug)
    runner.store.values.clear()
    job_id = runner.run(create)
    assert runner.run(create) == job_id
    assert (emulator.ledger.count("put_upload"), emulator.ledger.count("create_job")) == (2, 1)


def test_an_airflow_without_a_store_still_renders(emulator, runner, scene):
    del runner.context["task_state_store"]
    assert runner.run(run_job(scene))["status"] == "completed"
