"""The sensor watches; it never starts or stops anything."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskDeferralError
from airflow.sdk.execution_time import task_runner

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.compat import AirflowSensorTimeout, AirflowSkipException, TaskDeferred
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.operators.renderjuice import RenderjuiceJobOverError
from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor
from tests.support.runner import CONFIG, connect
from tests.support.until import until

JOB_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
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


@pytest.mark.slow
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
def test_a_key_that_is_refused_is_reported_at_once(emulator, client, job_id, runner, deferrable):
    emulator.faults.add("get_job", "401")
    with pytest.raises(RenderjuiceJobOverError, match="401"):
        runner.run(sensor(job_id, deferrable=deferrable))
    assert emulator.ledger.count("get_job") == 1


def test_a_malformed_id_is_refused_without_asking(emulator, runner):
    with pytest.raises(RenderjuiceInputError):
        runner.run(sensor("latest"))
    assert emulator.ledger.entries == []


def test_the_event_of_another_sensor_is_not_about_our_job(client, job_id, runner, monkeypatch):
    fire, other = runner.fire, "00000000-0000-4000-8000-000000000000"

    async def mixed_up(trigger):
        if not runner.events:
            client.validate_job(job_id)
        event = await fire(trigger)
        return event | {"job_id": other, "status": "never"} if not runner.events else event

    monkeypatch.setattr(runner, "fire", mixed_up)
    assert runner.run(sensor(job_id, target_status="validated")) == "validated"
    assert [event["job_id"] for event in runner.events] == [other, job_id]


@pytest.mark.parametrize("status", ["validated", "canceled"])
def test_a_job_that_is_there_already_is_reported_without_a_deferral(client, job_id, runner, status):
    client.validate_job(job_id)
    until(lambda: client.get_job(job_id).status == "validated")
    if status == "canceled":
        client.cancel_job(job_id)
    assert runner.run(sensor(job_id, target_status=status)) == status
    assert runner.triggers == []


# Airflow's own arguments


@pytest.mark.parametrize("interval", [90, 90.0, "90", timedelta(seconds=90)])
@pytest.mark.parametrize("name", ["poll_interval", "poke_interval"])
def test_airflows_name_for_the_interval_means_the_same(name, interval):
    assert RenderjuiceJobSensor(task_id="wait", job_id=JOB_ID, **{name: interval}).poll_interval == 90


@pytest.mark.parametrize(
    ("arguments", "defaults", "meant"),
    [
        ({}, {}, 30),
        ({}, {"poll_interval": 5}, 5),
        ({}, {"poke_interval": 5}, 5),
        ({}, {"poll_interval": 5, "poke_interval": 60}, 5),
        ({"poke_interval": 90}, {"poll_interval": 5}, 90),
        ({"poll_interval": 90}, {"poke_interval": 60}, 90),
        ({"poll_interval": 90, "poke_interval": timedelta(seconds=90)}, {}, 90),
    ],
)
def test_an_argument_of_the_task_counts_before_a_default(arguments, defaults, meant):
    with DAG("dag", schedule=None, default_args=defaults):
        assert RenderjuiceJobSensor(task_id="wait", job_id=JOB_ID, **arguments).poll_interval == meant


def test_two_intervals_that_differ_are_refused_when_the_dag_is_read():
    with pytest.raises(RenderjuiceInputError, match="poll_interval=5 and poke_interval=90 mean the same and differ"):
        RenderjuiceJobSensor(task_id="wait", job_id=JOB_ID, poll_interval=5, poke_interval=90)


def test_it_pokes_in_the_interval_that_a_template_says(client, job_id, runner):
    poking = sensor(job_id, target_status="created", poll_interval="{{ params.seconds }}", deferrable=False)
    DAG("dag", schedule=None).add_task(poking)
    poking.render_template_fields({"params": {"seconds": 0.25}})
    runner.run(poking)
    assert poking.poke_interval == 0.25


def test_airflows_backoff_is_airflows_and_retry_after_still_counts(emulator, job_id):
    poking = sensor(
        job_id, poll_interval=60, deferrable=False, exponential_backoff=True, max_wait=10, timeout=timedelta(hours=1)
    )
    DAG("dag", schedule=None).add_task(poking)
    poking.poke_interval = poking.poll_interval
    poking.poke({})
    assert poking._get_next_poke_interval(0.0, lambda: 0.0, 5) == 10
    emulator.faults.add("get_job", "429 retry-after=100")
    poking.poke({})
    assert poking._get_next_poke_interval(0.0, lambda: 0.0, 5) >= 100


# What no job becomes, and what nobody may see


SLIPS = pytest.mark.parametrize("slip", ["complete", "COMPLETED", "cancelled", "", "completed ", None, 7])
HIDING = pytest.mark.parametrize(
    "hiding", [{}, {"soft_fail": True}, {"never_fail": True}, {"silent_fail": True}], ids=str
)


@both_modes
@SLIPS
@HIDING
def test_a_status_that_no_job_has_is_refused_before_the_first_poll(emulator, runner, deferrable, slip, hiding):
    waiting = sensor(JOB_ID, target_status=slip, deferrable=deferrable, **hiding)
    with pytest.raises(RenderjuiceInputError, match=f"no job becomes {slip!r}. It is one of created, .*completed"):
        runner.run(waiting)
    assert emulator.ledger.entries == []


class CommsDecoder:
    """Stands for the line to the supervisor of a process that reads DAGs."""


@SLIPS
def test_a_status_that_no_job_has_is_refused_when_airflow_reads_the_dag(monkeypatch, slip):
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", CommsDecoder(), raising=False)
    with pytest.raises(RenderjuiceInputError, match="no job becomes"):
        sensor(JOB_ID, target_status=slip).resolve_template_files()


@pytest.mark.parametrize("target", ["completed", "suspended", "{{ params.target }}"])
def test_a_status_that_may_be_right_lets_the_dag_be_read(monkeypatch, target):
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", CommsDecoder(), raising=False)
    sensor(JOB_ID, target_status=target).resolve_template_files()


@both_modes
@HIDING
@pytest.mark.parametrize("fault", ["401", "403", "404"])
def test_a_sensor_that_may_not_poll_fails_whatever_hides_failures(emulator, job_id, runner, deferrable, hiding, fault):
    emulator.faults.add("get_job", fault)
    with pytest.raises(RenderjuiceJobOverError, match=fault):
        runner.run(sensor(job_id, deferrable=deferrable, **hiding))


@HIDING
def test_a_key_that_is_revoked_during_the_wait_fails_whatever_hides_failures(client, emulator, job_id, runner, hiding):
    with pytest.raises(TaskDeferred) as deferral:
        sensor(job_id).execute(runner.context)
    emulator.faults.add("get_job", "401")
    with pytest.raises(RenderjuiceJobOverError, match="401"):
        runner.resume(sensor(job_id, **hiding), deferral.value)


@both_modes
@HIDING
def test_a_connection_that_cannot_be_used_fails_whatever_hides_failures(runner, monkeypatch, deferrable, hiding):
    connect(monkeypatch, host="https://api.renderjuice.test", password="")
    with pytest.raises(RenderjuiceInputError, match="has no API key"):
        runner.run(sensor(JOB_ID, deferrable=deferrable, **hiding))


@HIDING
def test_a_trigger_that_breaks_fails_whatever_hides_failures(emulator, job_id, runner, hiding):
    with pytest.raises(TaskDeferralError):
        sensor(job_id, **hiding).resume_execution("__fail__", {"error": "Trigger failure"}, runner.context)


@both_modes
@pytest.mark.parametrize("hiding", ["soft_fail", "never_fail"])
def test_time_that_has_passed_is_what_a_skip_is_for(client, runner, tmp_path, deferrable, hiding):
    job_id = client.create_job(client.upload(write_scene(tmp_path / "slow.blend")).slug).id
    with pytest.raises(AirflowSkipException):
        runner.run(sensor(job_id, timeout=0.2, deferrable=deferrable, **{hiding: True}))
    with pytest.raises(AirflowSkipException):
        sensor(job_id, **{hiding: True}).resume_execution("__fail__", {"error": "Trigger timeout"}, runner.context)


def test_a_kill_on_the_worker_says_that_the_job_goes_on_and_how_to_stop_it(emulator, client, job_id, runner, capsys):
    waiting = sensor(job_id, target_status="created", deferrable=False)
    runner.run(waiting)
    waiting.on_kill()
    said = capsys.readouterr().out
    assert f"job {job_id} goes on" in said
    assert "RenderjuiceCancelJobOperator" in said
    assert emulator.ledger.count("cancel_job") == 0
