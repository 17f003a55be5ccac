"""The sensor watches; it never starts or stops anything."""

from __future__ import annotations

import time

import pytest
from provider.runner import CONFIG

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.compat import AirflowSensorTimeout, AirflowSkipException
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.operators.renderjuice import RenderjuiceJobOverError
from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor

both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "on the worker"])


def sensor(job_id, **arguments):
    return RenderjuiceJobSensor(**{"task_id": "wait", "job_id": job_id, "poll_interval": 0.02} | arguments)


@pytest.fixture
def client(emulator):
    with RenderjuiceHook().client as client:
        yield client


@pytest.fixture
def job_id(client, scene):
    return client.create_job(client.upload(scene).slug).id


@both_modes
def test_it_waits_for_a_status_or_anything_past_it(client, job_id, runner, deferrable):
    client.validate_job(job_id)
    assert runner.run(sensor(job_id, target_status="validating", deferrable=deferrable)) in {"validating", "validated"}
    assert runner.run(sensor(job_id, target_status="validated", deferrable=deferrable)) == "validated"
    client.start_render(job_id, CONFIG)
    assert runner.run(sensor(job_id, deferrable=deferrable)) == "completed"


@both_modes
def test_a_job_that_ends_otherwise_fails_it_at_once(client, job_id, runner, deferrable):
    client.cancel_job(job_id)
    with pytest.raises(RenderjuiceJobOverError, match="is canceled"):
        runner.run(sensor(job_id, deferrable=deferrable))
    assert runner.run(sensor(job_id, target_status="canceled", deferrable=deferrable)) == "canceled"


@both_modes
def test_its_timeout_is_a_sensor_timeout_and_leaves_the_job_alone(emulator, client, runner, tmp_path, deferrable):
    slow = write_scene(tmp_path / "slow.blend", seconds_per_frame=1e6)
    job_id = client.create_job(client.upload(slow).slug).id
    client.validate_job(job_id)
    runner.run(sensor(job_id, target_status="validated"))
    client.start_render(job_id, CONFIG)
    with pytest.raises(AirflowSensorTimeout):
        runner.run(sensor(job_id, timeout=0.3, deferrable=deferrable))
    assert emulator.ledger.jobs_left_running() == [job_id]


@both_modes
def test_soft_fail_skips_instead(client, job_id, runner, deferrable):
    client.cancel_job(job_id)
    with pytest.raises(AirflowSkipException):
        runner.run(sensor(job_id, soft_fail=True, deferrable=deferrable))


@both_modes
def test_failed_polls_are_waited_out(emulator, client, job_id, runner, deferrable):
    client.validate_job(job_id)
    emulator.faults.add("get_job", "503", "nonsense", "reset-before", "429 retry-after=0")
    assert runner.run(sensor(job_id, target_status="validated", deferrable=deferrable)) == "validated"
    assert emulator.faults.left() == {}


@both_modes
def test_retry_after_is_obeyed_however_often_it_pokes(emulator, client, job_id, runner, deferrable):
    emulator.faults.add("get_job", "429 retry-after=1")
    started = time.monotonic()
    assert runner.run(sensor(job_id, target_status="created", deferrable=deferrable)) == "created"
    assert time.monotonic() - started >= 1
    assert emulator.ledger.count("get_job", status=429) == 1


def test_a_sensor_that_is_rescheduled_obeys_retry_after_too(emulator, job_id):
    emulator.faults.add("get_job", "429 retry-after=100")
    poking = sensor(job_id, target_status="completed", deferrable=False, mode="reschedule")
    assert not poking.poke({})
    assert poking._get_next_poke_interval(0.0, lambda: 0.0, 1) >= 100


@both_modes
def test_a_key_that_is_refused_is_told_at_once(emulator, client, job_id, runner, deferrable):
    emulator.faults.add("get_job", "401")
    with pytest.raises(RenderjuiceJobOverError, match="401"):
        runner.run(sensor(job_id, deferrable=deferrable))
    assert emulator.ledger.count("get_job") == 1


def test_an_id_that_is_none_is_refused_without_asking(emulator, runner):
    with pytest.raises(RenderjuiceInputError):
        runner.run(sensor("latest"))
    assert emulator.ledger.entries == []


def test_the_event_of_another_sensor_is_no_news_of_ours(client, job_id, runner, monkeypatch):
    client.validate_job(job_id)
    fire, other = runner.fire, "00000000-0000-4000-8000-000000000000"

    async def mixed_up(trigger):
        event = await fire(trigger)
        return event | {"job_id": other, "status": "never"} if not runner.events else event

    monkeypatch.setattr(runner, "fire", mixed_up)
    assert runner.run(sensor(job_id, target_status="validated")) == "validated"
    assert [event["job_id"] for event in runner.events] == [other, job_id]
