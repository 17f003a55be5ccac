"""A deadline stops the bill by itself.

No worker has to come, and it is the earlier of `timeout` and `execution_timeout`.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import RenderjuiceJobError, RenderjuiceTimeoutError
from renderjuice_provider.compat import AirflowTaskTimeout, TaskDeferred
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.operators.renderjuice import RenderjuiceRunJobOperator
from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor
from renderjuice_provider.triggers.renderjuice import RenderjuiceJobTrigger
from tests.support.runner import CONFIG, needs_store

both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "on the worker"])


@pytest.fixture
def slow(tmp_path):
    return write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)


def run_job(scene, **arguments):
    return RenderjuiceRunJobOperator(
        task_id="run", file_path=str(scene), render_config=CONFIG, **{"poll_interval": 0.02} | arguments
    )


class Overdue(RenderjuiceJobTrigger):
    """A trigger past its deadline, and what Airflow says of its task instance."""

    state: str | Exception | None = "deferred"
    until: float | None = None

    async def _task_state(self):
        if isinstance(self.state, Exception):
            raise self.state
        return self.state

    async def _waits_until(self):
        return self.until


@pytest.fixture
def job_id(emulator, runner, slow):
    runner.run(run_job(slow, wait=False, deferrable=False))
    (job_id,) = emulator.ledger.jobs_left_running()
    return job_id


def fire(job_id, state="deferred", later=None, **arguments):
    deadline = time.time() - 1
    times = {"poll_interval": 0.02, "started": deadline - 60, "deadline": deadline}
    defaults = {"renderjuice_conn_id": "renderjuice_default", "target": "completed", "cancel_on_timeout": True}
    trigger = Overdue(**{"job_id": job_id} | times | defaults | arguments)
    trigger.state, trigger.until = state, None if later is None else deadline + later

    async def first_event():
        return await anext(trigger.run())

    return Outcome.from_event(asyncio.run(first_event()).payload)


@pytest.mark.parametrize("later", [None, 0.0])
@pytest.mark.parametrize("state", ["deferred", "failed", "gone", None, RuntimeError("no answer")])
def test_the_trigger_stops_the_bill_at_the_deadline_and_reports(emulator, job_id, state, later):
    outcome = fire(job_id, state, later)
    assert (outcome.ending, outcome.stopped, outcome.status) == (Ending.TIMED_OUT, True, "canceled")
    assert emulator.ledger.jobs_left_running() == []


@pytest.mark.parametrize("state", ["running", "queued", "scheduled", "up_for_retry", "restarting", "None", "deleted"])
def test_a_trigger_whose_task_has_moved_on_stops_nothing(emulator, job_id, state):
    assert fire(job_id, state).stopped is None
    assert emulator.ledger.jobs_left_running() == [job_id]


def test_a_trigger_that_slept_through_a_retry_with_a_later_deadline_stops_nothing(emulator, job_id):
    assert fire(job_id, "deferred", later=3600.0).stopped is None
    assert emulator.ledger.jobs_left_running() == [job_id]


def test_two_triggers_past_the_deadline_say_the_same_and_do_not_fight(emulator, job_id):
    first, second = fire(job_id), fire(job_id)
    assert (first.stopped, first.status) == (True, "canceled")
    assert (second.ending, second.status) == (Ending.OVER, "canceled")
    assert emulator.ledger.count("cancel_job") == 1


def test_a_trigger_that_is_not_to_cancel_only_reports(emulator, job_id):
    assert fire(job_id, cancel_on_timeout=False).stopped is None
    assert emulator.ledger.jobs_left_running() == [job_id]


def test_a_cancel_that_is_refused_is_reported_and_tried_again_by_the_task(emulator, job_id, runner, slow):
    emulator.faults.add("cancel_job", "401")
    outcome = fire(job_id)
    assert outcome.stopped is False
    assert "could not be cancelled" in outcome.message
    with pytest.raises(RenderjuiceJobError, match="cancelled and is canceled"):
        run_job(slow).execute_complete(runner.context, outcome.to_event())
    assert emulator.ledger.jobs_left_running() == []


def test_what_nobody_could_stop_is_said_with_how_to_stop_it(emulator, job_id, runner, slow):
    emulator.faults.add("cancel_job", "401", "401")
    event = fire(job_id).to_event()
    with pytest.raises(
        RenderjuiceTimeoutError, match=r"could not be cancelled.+may be running, and costs money: stop it"
    ):
        run_job(slow).execute_complete(runner.context, event)


def test_the_resumed_task_reports_and_does_not_cancel_twice(emulator, runner, slow):
    with pytest.raises(RenderjuiceJobError, match=r"timed out \(timeout\).+cancelled and is canceled.+billed"):
        runner.run(run_job(slow, timeout=0.6))
    assert runner.events[-1]["stopped"] is True
    assert emulator.ledger.count("cancel_job") == 1


def test_a_task_whose_triggerer_died_while_it_stopped_the_job_still_says_that_time_was_up(
    emulator, job_id, runner, slow
):
    fire(job_id)
    again = fire(job_id)
    assert again.ending is Ending.OVER
    with pytest.raises(RenderjuiceJobError, match=r"slow.blend timed out \(timeout\)"):
        run_job(slow).execute_complete(runner.context, again.to_event())


@both_modes
def test_an_execution_timeout_that_ends_earlier_is_the_deadline_and_is_named(emulator, runner, slow, deferrable):
    runner.ti.start_date = datetime.now(UTC)
    operator = run_job(slow, deferrable=deferrable, timeout=3600, execution_timeout=timedelta(seconds=0.6))
    with pytest.raises(RenderjuiceJobError, match=r"timed out \(execution_timeout\).+cancelled"):
        runner.run(operator)
    assert emulator.ledger.jobs_left_running() == []


def test_a_longer_execution_timeout_changes_nothing(emulator, runner, slow):
    operator = run_job(slow, timeout=0.6, execution_timeout=timedelta(hours=1))
    with pytest.raises(RenderjuiceJobError, match=r"timed out \(timeout\)"):
        runner.run(operator)


@needs_store
def test_an_execution_timeout_begins_again_with_each_try_and_the_timeout_does_not(emulator, runner, slow):
    began = datetime.now(UTC) - timedelta(hours=2)
    runner.ti.start_date = began
    runner.run(run_job(slow, wait=False, timeout=36000, execution_timeout=timedelta(hours=3)))
    first = runner.store.get("renderjuice")["deadline"]
    for hours, expected in ((3, began.timestamp() + 3 * 3600), (24, first)):
        with pytest.raises(TaskDeferred) as deferral:
            run_job(slow, timeout=36000, execution_timeout=timedelta(hours=hours)).execute(runner.context)
        assert deferral.value.trigger.deadline == pytest.approx(expected)
    runner.ti.start_date = datetime.now(UTC)  # a retry
    with pytest.raises(TaskDeferred) as deferral:
        run_job(slow, timeout=36000, execution_timeout=timedelta(hours=3)).execute(runner.context)
    assert deferral.value.trigger.deadline == pytest.approx(time.time() + 3 * 3600, abs=60)
    assert runner.ti.xcoms["renderjuice_deadline"] == deferral.value.trigger.deadline
    assert emulator.ledger.renders_started() == 1


def test_a_deferred_sensor_keeps_its_execution_timeout_as_on_the_worker(emulator, runner, job_id):
    sensor = RenderjuiceJobSensor(
        task_id="wait", job_id=job_id, poll_interval=0.02, execution_timeout=timedelta(seconds=0.3)
    )
    with pytest.raises(AirflowTaskTimeout, match=r"timed out \(execution_timeout\).+only watches"):
        runner.run(sensor)
    assert emulator.ledger.jobs_left_running() == [job_id]
