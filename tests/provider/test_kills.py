"""A task is killed: the bill stops, whatever it was doing, and goes on where the kill was none."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.compat import AirflowTaskTimeout
from renderjuice_provider.operators import _kills as kills
from renderjuice_provider.operators.renderjuice import RenderjuiceRunJobOperator
from renderjuice_provider.triggers.renderjuice import RenderjuiceJobTrigger
from tests.support.runner import CONFIG, needs_store


@pytest.fixture
def slow(tmp_path):
    return write_scene(tmp_path / "slow.blend", seconds_per_frame=1e6)


def run_job(scene, **arguments):
    return RenderjuiceRunJobOperator(
        task_id="run",
        file_path=str(scene),
        render_config=CONFIG,
        deferrable=False,
        **{"poll_interval": 0.02} | arguments,
    )


@pytest.fixture
def rendering(emulator, runner, slow):
    """An operator whose job renders."""
    operator = run_job(slow, wait=False)
    runner.run(operator)
    assert len(emulator.ledger.jobs_left_running()) == 1
    return operator


def test_a_task_that_is_killed_before_it_has_a_job_orders_no_render_in_the_seconds_it_has_left(emulator, runner, slow):
    operator = run_job(slow)
    operator.on_kill()
    with pytest.raises(RenderjuiceError, match="killed"):
        runner.run(operator)
    assert emulator.ledger.renders_started() == 0


@needs_store
def test_a_retry_that_is_killed_before_it_has_found_its_job_stops_it(emulator, runner, slow, rendering):
    retry = run_job(slow)
    retry.on_kill()
    with pytest.raises(RenderjuiceError, match="killed"):
        runner.run(retry)
    assert emulator.ledger.jobs_left_running() == []
    assert emulator.ledger.renders_started() == 1


@needs_store
def test_a_clear_leaves_the_job_to_the_next_try(emulator, runner, slow, rendering, monkeypatch):
    monkeypatch.setattr(kills, "task_state", lambda _ti: "restarting")
    rendering.on_kill()
    assert len(emulator.ledger.jobs_left_running()) == 1
    runner.ti.max_tries += 1
    runner.run(run_job(slow, wait=False))
    assert emulator.ledger.renders_started() == 1


@pytest.mark.parametrize("state", ["restarting", "up_for_retry", "running"])
def test_a_job_that_the_next_try_would_not_find_is_stopped(emulator, runner, slow, monkeypatch, state):
    runner.context.pop("task_state_store", None)  # Airflow before 3.3
    runner.ti.max_tries = 3
    operator = run_job(slow, wait=False)
    runner.run(operator)
    monkeypatch.setattr(kills, "task_state", lambda _ti: state)
    operator.on_kill()
    assert emulator.ledger.jobs_left_running() == []


@pytest.mark.parametrize("raised", [1, 0], ids=["max_tries raised", "max_tries lost by Airflow"])
def test_a_clear_to_resubmit_replaces_the_job(emulator, runner, slow, monkeypatch, raised):
    operator = run_job(slow, wait=False, on_clear="resubmit")
    runner.run(operator)
    monkeypatch.setattr(kills, "task_state", lambda _ti: "restarting")
    operator.on_kill()
    assert emulator.ledger.jobs_left_running() == []
    runner.ti.max_tries += raised
    runner.run(run_job(slow, wait=False, on_clear="resubmit"))
    assert emulator.ledger.renders_started() == 2
    assert len(emulator.ledger.jobs_left_running()) == 1


@needs_store
@pytest.mark.parametrize("state", ["restarting", "up_for_retry", "scheduled", "queued", "deferred", "running", "None"])
def test_a_worker_that_was_taken_for_dead_leaves_the_job_to_the_next_try(
    emulator, runner, rendering, monkeypatch, state
):
    runner.ti.max_tries = 3
    monkeypatch.setattr(kills, "task_state", lambda _ti: state)
    rendering.on_kill()
    assert len(emulator.ledger.jobs_left_running()) == 1


def airflow_says(state):
    return lambda _ti: state


def nobody_is_there(_ti):
    raise RuntimeError


def cannot_answer(_ti):
    raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))


def does_not_answer(_ti):
    time.sleep(1)


@pytest.mark.parametrize("tries", [0, 3])
@pytest.mark.parametrize(
    "answer",
    [airflow_says("failed"), airflow_says("success"), airflow_says("skipped"), airflow_says("gone"), nobody_is_there],
)
def test_a_task_that_is_ended_stops_the_bill_whatever_tries_it_had_left(
    emulator, runner, rendering, monkeypatch, answer, tries
):
    runner.ti.max_tries = tries
    monkeypatch.setattr(kills, "task_state", answer)
    rendering.on_kill()
    assert emulator.ledger.jobs_left_running() == []


@needs_store
@pytest.mark.parametrize(("tries", "running"), [(0, 0), (3, 1)], ids=["no try left", "a try left"])
@pytest.mark.parametrize("answer", [airflow_says("running"), cannot_answer, does_not_answer])
def test_in_doubt_the_job_is_left_to_the_next_try_if_there_is_one(
    emulator, runner, rendering, monkeypatch, capsys, answer, tries, running
):
    monkeypatch.setattr(kills, "_ASKING", 0.05)
    runner.ti.max_tries = tries
    monkeypatch.setattr(kills, "task_state", answer)
    rendering.on_kill()
    assert len(emulator.ledger.jobs_left_running()) == running
    left_in_the_dark = bool(running) and answer in {cannot_answer, does_not_answer}
    assert ("may be running, and costs money" in capsys.readouterr().out) is left_in_the_dark


@needs_store
def test_a_task_instance_that_was_deleted_may_come_back_for_its_job_and_that_is_said(
    emulator, runner, rendering, monkeypatch, capsys
):
    monkeypatch.setattr(kills, "task_state", airflow_says("deleted"))
    rendering.on_kill()
    (job_id,) = emulator.ledger.jobs_left_running()
    assert f"Job {job_id} may be running, and costs money: stop it at Renderjuice" in capsys.readouterr().out


def test_a_job_that_a_kill_could_not_stop_is_said_with_how_to_stop_it(emulator, rendering, capsys):
    emulator.faults.add("cancel_job", "401")
    with pytest.raises(RenderjuiceError):
        rendering.on_kill()
    (job_id,) = emulator.ledger.jobs_left_running()
    assert f"Job {job_id} may be running, and costs money: stop it at Renderjuice" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("cancel", "running"),
    [({"cancel_on_kill": False}, 0), ({}, 0), ({"cancel_on_timeout": False}, 1)],
    ids=["a timeout is not a kill", "by default", "not on a timeout"],
)
def test_an_execution_timeout_on_the_worker_is_a_timeout_although_the_task_goes_on(
    emulator, runner, slow, monkeypatch, cancel, running
):
    rendering = run_job(slow, wait=False, **cancel)
    runner.run(rendering)
    runner.ti.max_tries = 3
    monkeypatch.setattr(kills, "task_state", lambda _ti: "running")

    def execute():
        raise AirflowTaskTimeout

    try:
        execute()
    except AirflowTaskTimeout:
        rendering.on_kill()
    assert len(emulator.ledger.jobs_left_running()) == running


class SlowToLearn(RenderjuiceJobTrigger):
    """A trigger whose Airflow is busy."""

    async def _task_state(self) -> str | None:
        await asyncio.sleep(0.1)
        return "failed"


def test_a_kill_that_airflow_repeats_every_second_is_not_interrupted_by_itself(emulator, rendering):
    (job_id,) = emulator.ledger.jobs_left_running()
    times = {"poll_interval": 1, "started": 0, "deadline": 4e9}
    trigger = SlowToLearn(
        renderjuice_conn_id="renderjuice_default", job_id=job_id, target="completed", cancel_on_kill=True, **times
    )

    async def kill_twice():
        killing = asyncio.create_task(trigger.on_kill())
        await asyncio.sleep(0.01)
        killing.cancel()
        with suppress(asyncio.CancelledError):
            await killing
        assert emulator.ledger.jobs_left_running()
        await asyncio.sleep(0.5)

    asyncio.run(kill_twice())
    assert emulator.ledger.jobs_left_running() == []
