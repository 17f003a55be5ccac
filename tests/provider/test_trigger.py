"""The trigger: what it stores, what it says, and when it stops a job."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.triggers import renderjuice
from renderjuice_provider.triggers.renderjuice import RenderjuiceJobTrigger
from tests.support.runner import CONFIG

STORED_BY_0_1 = {
    "renderjuice_conn_id": "renderjuice_default",
    "target": "completed",
    "poll_interval": 0.02,
    "started": 0.0,
    "deadline": 4e9,
    "cancel_on_kill": True,
    "version": 1,
}
"""Arguments as release 0.1 wrote them. Never edit these: triggers outlive an upgrade."""


@pytest.fixture
def job_id(emulator, tmp_path):
    slow = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)
    with RenderjuiceHook().client as client:
        job_id = client.create_job(client.upload(slow).slug).id
        client.validate_job(job_id)
        while client.get_job(job_id).status != "validated":
            time.sleep(0.01)
        client.start_render(job_id, CONFIG)
    return job_id


class InState(RenderjuiceJobTrigger):
    """A trigger whose task instance is in a state that the test chooses."""

    state: str | None = None

    async def _task_state(self) -> str | None:
        return self.state


def killed(job_id, state, **arguments):
    trigger = InState(**STORED_BY_0_1 | {"job_id": job_id} | arguments)
    trigger.state = state
    asyncio.run(trigger.on_kill())


@pytest.mark.parametrize("state", ["failed", "success", "skipped", "upstream_failed", "removed", "gone"])
def test_a_user_who_ends_the_task_stops_the_bill(emulator, job_id, state):
    killed(job_id, state)
    assert emulator.ledger.jobs_left_running() == []


@pytest.mark.parametrize("state", ["deferred", "queued", "scheduled", "running", "up_for_retry", "None"])
def test_a_trigger_that_merely_moved_never_stops_a_render(emulator, job_id, state):
    killed(job_id, state)
    assert emulator.ledger.jobs_left_running() == [job_id]
    assert emulator.ledger.count("cancel_job") == 0


def cancelled_while_it_runs(job_id, state):
    """As Airflow before 3.3 ends a trigger: by that alone, again and again."""

    async def cancel_twice():
        trigger = InState(**STORED_BY_0_1 | {"job_id": job_id})
        trigger.state = state
        running = asyncio.ensure_future(anext(trigger.run()))
        await asyncio.sleep(0.2)
        for _ in range(2):
            running.cancel()
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.sleep(0.3)

    asyncio.run(cancel_twice())


@pytest.mark.parametrize(
    ("state", "running"), [("failed", 0), ("success", 0), ("deferred", 1), ("queued", 1), (None, 1)]
)
def test_before_airflow_3_3_a_user_who_ends_the_task_stops_the_bill_too(emulator, job_id, monkeypatch, state, running):
    monkeypatch.setattr(renderjuice, "_AIRFLOW_REPORTS_KILLS", False)
    cancelled_while_it_runs(job_id, state)
    assert len(emulator.ledger.jobs_left_running()) == running


def test_since_airflow_3_3_a_trigger_that_is_cancelled_is_merely_gone(emulator, job_id, monkeypatch):
    monkeypatch.setattr(renderjuice, "_AIRFLOW_REPORTS_KILLS", True)
    cancelled_while_it_runs(job_id, "failed")
    assert emulator.ledger.jobs_left_running() == [job_id]


def test_a_bill_that_cannot_be_stopped_is_reported(emulator, job_id, capsys):
    emulator.faults.add("cancel_job", "401")
    killed(job_id, "failed")
    assert still_costs_money(job_id) in capsys.readouterr().out


def still_costs_money(job_id):
    return f"Job {job_id} may be running, and costs money: stop it at Renderjuice"


def test_a_kill_may_be_set_to_leave_the_render_alone_and_logs_it(emulator, job_id, capsys):
    killed(job_id, "failed", cancel_on_kill=False)
    assert emulator.ledger.jobs_left_running() == [job_id]
    assert still_costs_money(job_id) in capsys.readouterr().out


def test_a_validation_that_is_left_alone_is_not_said_to_cost_anything(emulator, job_id, capsys):
    killed(job_id, "failed", cancel_on_kill=False, target="validated")
    said = capsys.readouterr().out
    assert f"job {job_id} goes on, which costs nothing until it renders" in said
    assert "costs money" not in said


def test_a_task_instance_that_was_deleted_may_come_back_for_its_job_and_that_is_said(emulator, job_id, capsys):
    killed(job_id, "deleted")
    assert emulator.ledger.jobs_left_running() == [job_id]
    assert still_costs_money(job_id) in capsys.readouterr().out


def test_where_airflow_does_not_answer_nothing_is_stopped_and_that_is_said(emulator, job_id, capsys, monkeypatch):
    async def no_answer(_self):
        raise RuntimeError

    monkeypatch.setattr(InState, "_task_state", no_answer)
    killed(job_id, "failed")
    assert emulator.ledger.jobs_left_running() == [job_id]
    assert still_costs_money(job_id) in capsys.readouterr().out


def test_without_a_task_instance_nothing_is_stopped_and_that_is_said(emulator, job_id, capsys):
    asyncio.run(RenderjuiceJobTrigger(**STORED_BY_0_1 | {"job_id": job_id}).on_kill())
    assert emulator.ledger.jobs_left_running() == [job_id]
    assert still_costs_money(job_id) in capsys.readouterr().out


def test_a_trigger_that_an_older_release_stored_still_runs(emulator, job_id):
    with RenderjuiceHook().client as client:
        client.cancel_job(job_id)

    async def first_event():
        return await anext(RenderjuiceJobTrigger(**STORED_BY_0_1 | {"job_id": job_id}).run())

    event = asyncio.run(first_event()).payload
    assert (event["ending"], event["status"], event["version"]) == ("over", "canceled", 1)


@pytest.mark.parametrize(("left", "least"), [(1e9, 0.3), (0.1, 0.1)], ids=["long to go", "a deadline before that"])
def test_the_first_poll_leaves_the_scheduler_time_to_hear_of_the_deferral(emulator, job_id, monkeypatch, left, least):
    monkeypatch.setattr(renderjuice, "FIRST_POLL", 0.3)
    with RenderjuiceHook().client as client:
        client.cancel_job(job_id)
    before, started = emulator.ledger.count("get_job"), time.monotonic()

    async def first_event():
        arguments = STORED_BY_0_1 | {"job_id": job_id, "deadline": time.time() + left}
        return await anext(RenderjuiceJobTrigger(**arguments).run())

    assert asyncio.run(first_event()).payload["status"] == "canceled"
    assert time.monotonic() - started >= least
    assert emulator.ledger.count("get_job") == before + 1


def test_its_log_reports_status_frames_and_time(emulator, tmp_path, capsys):
    scene = write_scene(tmp_path / "shot.blend", frame_end=4, seconds_per_frame=300)
    with RenderjuiceHook().client as client:
        job_id = client.create_job(client.upload(scene).slug).id
        client.validate_job(job_id)
        while client.get_job(job_id).status != "validated":
            time.sleep(0.01)
        client.start_render(job_id, CONFIG | {"frameRanges": ["1-4"]})

    async def watch():
        arguments = STORED_BY_0_1 | {"job_id": job_id, "started": time.time()}
        return await anext(RenderjuiceJobTrigger(**arguments).run())

    asyncio.run(watch())
    said = re.findall(rf"Job {job_id} is (.+ elapsed)", capsys.readouterr().out)
    assert any(line.startswith("rendering, 2 of 4 frames, 50 %, ") for line in said)
    assert said[-1].startswith("completed, ")
    assert len(said) == len(set(said)) < 10


def test_a_connection_that_cannot_be_used_ends_the_wait_with_a_reason(monkeypatch, job_id):
    monkeypatch.setenv("AIRFLOW_CONN_RENDERJUICE_DEFAULT", "{}")

    async def first_event():
        return await anext(RenderjuiceJobTrigger(**STORED_BY_0_1 | {"job_id": job_id}).run())

    event = asyncio.run(first_event()).payload
    assert event["ending"] == "refused"
    assert "no API key" in event["message"]
