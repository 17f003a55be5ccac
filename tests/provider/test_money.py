"""Whatever fails, the error says what happened to the money, and the ledger agrees."""

from __future__ import annotations

from typing import Any

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api._money import sentence
from renderjuice_provider.api.errors import (
    Bill,
    RenderjuiceError,
    RenderjuiceInputError,
    RenderjuiceJobError,
    RetryEffect,
)
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle import advance
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCancelJobOperator,
    RenderjuiceCreateJobOperator,
    RenderjuiceDownloadOperator,
    RenderjuiceJobOverError,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)
from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor
from renderjuice_provider.triggers import renderjuice as triggers
from tests.support.runner import CONFIG, Runner, connect

FAST = {"poll_interval": 0.02, "timeout": 0.4}
ON_THE_WORKER = {"deferrable": False, "poll_interval": 0.02}
JOB_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
NOTHING = {Bill.NOTHING_SPENT, Bill.NOTHING_ORDERED, Bill.NOTHING_RENDERED}
OVER = {Bill.BILLED, Bill.BILLED_IF_RENDERED, Bill.KEPT, Bill.UNCHANGED}
FAULTS = ("401", "402", "404", "409", "429", "503", "nonsense", "reset-before", "reset-after")
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "on the worker"])


@pytest.fixture(autouse=True)
def _soon_out_of_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advance, "SETTLING", 0.0)
    monkeypatch.setattr(triggers, "_STOPPING", 0.0)
    monkeypatch.setattr(triggers, "_KILL_TIMEOUT", 0.0)


@pytest.fixture
def emulator(renderjuice_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """One that is asked once for each thing: an error is what is wanted here."""
    connect(
        monkeypatch,
        host=renderjuice_emulator.base_url,
        password=renderjuice_emulator.api_key,
        extra={"max_attempts": 1},
    )
    return renderjuice_emulator


def failure_of(runner: Runner, operator: Any) -> RenderjuiceError:
    with pytest.raises(RenderjuiceError) as caught:
        runner.run(operator)
    return caught.value


def check(error: RenderjuiceError, emulator: Emulator) -> None:
    """Both fields are there, the last sentence follows from them, and the ledger agrees."""
    end = sentence(
        error.bill,
        error.retry,
        error.next_step,
        normalized_seconds=error.normalized_seconds,
        job_id=error.job_id,
    )
    assert str(error).endswith(f" {end}")
    assert str(error).count("retry") == 1, str(error)
    assert Bill.UNKNOWN is not error.bill
    assert RetryEffect.UNKNOWN is not error.retry
    running = emulator.ledger.jobs_left_running()
    if error.bill in NOTHING and error.bill is not Bill.NOTHING_RENDERED:
        assert emulator.ledger.renders_started() == 0
    if error.bill is Bill.NOTHING_RENDERED:  # or it was stopped before it rendered anything
        assert sum(account.normalized_seconds for account in emulator.ledger.accounts.values()) == 0
    if error.bill in NOTHING | OVER:
        assert running == []
    if error.bill is Bill.RUNNING:
        assert running == [error.job_id]
    if error.retry in {RetryEffect.NEW_JOB, RetryEffect.REPEATS}:
        assert running == []


def make_job(scene: Any) -> str:
    client = RenderjuiceHook().client
    return client.create_job(client.upload(scene).slug).id


@pytest.mark.slow
@both_modes
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "operation",
    ["create_upload", "put_upload", "create_job", "validate_job", "get_job", "start_render", "cancel_job"],
)
def test_a_call_that_fails_in_a_whole_run(emulator, runner, tmp_path, operation, fault, deferrable):
    slow = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)
    emulator.faults.add(operation, *[fault] * 4)
    operator = RenderjuiceRunJobOperator(
        task_id="run", file_path=str(slow), render_config=CONFIG, deferrable=deferrable, **FAST
    )
    check(failure_of(runner, operator), emulator)
    emulator.faults.clear()


@pytest.mark.slow
@both_modes
@pytest.mark.parametrize("fault", ["401", "404", "503", "reset-after"])
@pytest.mark.parametrize("cancel_on_timeout", [True, False])
def test_a_call_that_fails_while_a_job_renders(emulator, runner, tmp_path, fault, deferrable, cancel_on_timeout):
    slow = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)
    first = RenderjuiceRunJobOperator(
        task_id="run", file_path=str(slow), render_config=CONFIG, wait=False, **ON_THE_WORKER
    )
    job_id = runner.run(first)["job_id"]
    emulator.faults.add("get_job", *[fault] * 200)
    arguments = FAST | {"deferrable": deferrable, "cancel_on_timeout": cancel_on_timeout}
    given = RenderjuiceRenderJobOperator(task_id="run", job_id=job_id, render_config=CONFIG, **arguments)
    again = RenderjuiceRunJobOperator(task_id="run", file_path=str(slow), render_config=CONFIG, **arguments)
    for operator in (given, again):
        error = failure_of(runner, operator)
        check(error, emulator)
        if fault != "404" or operator is given:  # a run whose job is unknown makes a new one
            assert (error.bill, error.job_id) == (Bill.LEFT_ALONE, job_id)
    emulator.faults.clear()


@both_modes
@pytest.mark.parametrize("cancel_on_timeout", [True, False])
@pytest.mark.parametrize("faults", [[], ["401"] * 9], ids=["cancelled", "not cancelled"])
def test_a_deadline(emulator, runner, tmp_path, faults, deferrable, cancel_on_timeout):
    slow = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)
    emulator.faults.add("cancel_job", *faults)
    arguments = FAST | {"deferrable": deferrable, "cancel_on_timeout": cancel_on_timeout}
    operator = RenderjuiceRunJobOperator(task_id="run", file_path=str(slow), render_config=CONFIG, **arguments)
    error = failure_of(runner, operator)
    check(error, emulator)
    if not cancel_on_timeout:
        assert (error.bill, error.retry) == (Bill.RUNNING, RetryEffect.REATTACHES)
    elif faults:
        assert (error.bill, error.retry) == (Bill.MAY_RUN, RetryEffect.STOPS_AGAIN)
    else:
        assert error.bill in {Bill.BILLED, Bill.NOTHING_RENDERED}  # by what the emulator says: see `check`
        assert error.retry is RetryEffect.NEW_JOB
    emulator.faults.clear()


@both_modes
@pytest.mark.parametrize("says_seconds", [True, False])
def test_a_job_that_failed_in_validation_is_not_said_to_be_billed(
    emulator, runner, tmp_path, monkeypatch, deferrable, says_seconds
):
    broken = write_scene(tmp_path / "broken.blend", fail_validation=("the file is from the future", "SCENE_UNREADABLE"))
    if not says_seconds:  # the field is not always there
        without_seconds(monkeypatch)
    arguments = FAST | {"deferrable": deferrable}
    operator = RenderjuiceRunJobOperator(task_id="run", file_path=str(broken), render_config=CONFIG, **arguments)
    error = failure_of(runner, operator)
    check(error, emulator)
    assert isinstance(error, RenderjuiceJobError)
    assert (error.bill, error.retry) == (Bill.NOTHING_RENDERED, RetryEffect.NEW_JOB)
    assert "nothing was rendered, so nothing is billed. A retry starts a new job" in str(error)
    job_id = make_job(broken)
    error = failure_of(runner, RenderjuiceValidateJobOperator(task_id="v", job_id=job_id, **arguments))
    check(error, emulator)
    assert (type(error), error.bill) == (RenderjuiceJobOverError, Bill.NOTHING_RENDERED)
    assert error.retry is RetryEffect.CANNOT_HELP


@both_modes
@pytest.mark.parametrize("says_seconds", [True, False])
def test_a_render_that_failed_is_billed_whether_or_not_the_seconds_are_known(
    emulator, runner, tmp_path, monkeypatch, deferrable, says_seconds
):
    broken = write_scene(tmp_path / "broken.blend", frame_end=3, fail_at_frame=2, seconds_per_frame=0.05)
    if not says_seconds:
        without_seconds(monkeypatch)
    arguments = FAST | {"deferrable": deferrable, "timeout": 60}
    operator = RenderjuiceRunJobOperator(task_id="run", file_path=str(broken), render_config=CONFIG, **arguments)
    error = failure_of(runner, operator)
    check(error, emulator)
    assert (error.bill, error.retry) == (Bill.BILLED, RetryEffect.NEW_JOB)
    assert (error.normalized_seconds is not None) is says_seconds


def without_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    from renderjuice_emulator import answers

    whole = answers.job_body

    def body(*arguments: Any) -> dict[str, Any]:
        return {name: value for name, value in whole(*arguments).items() if name != "normalizedSeconds"}

    monkeypatch.setattr(answers, "job_body", body)


@both_modes
def test_the_sensor_says_that_it_leaves_the_job_alone(emulator, runner, scene, deferrable):
    job_id = make_job(scene)
    arguments = FAST | {"deferrable": deferrable}
    RenderjuiceHook().client.cancel_job(job_id)
    error = failure_of(runner, RenderjuiceJobSensor(task_id="wait", job_id=job_id, **arguments))
    check(error, emulator)
    assert (error.bill, error.retry) == (Bill.LEFT_ALONE, RetryEffect.CANNOT_HELP)
    emulator.faults.add("get_job", "401")
    error = failure_of(runner, RenderjuiceJobSensor(task_id="wait", job_id=job_id, **arguments))
    check(error, emulator)
    assert (error.bill, error.retry) == (Bill.LEFT_ALONE, RetryEffect.AFTER_CORRECTION)


@pytest.mark.parametrize("fault", ["401", "404", "503"])
def test_a_cancel_that_fails_says_how_to_stop_the_job(emulator, runner, tmp_path, fault):
    slow = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)
    run = RenderjuiceRunJobOperator(
        task_id="run", file_path=str(slow), render_config=CONFIG, wait=False, **ON_THE_WORKER
    )
    job_id = runner.run(run)["job_id"]
    emulator.faults.add("cancel_job", *[fault] * 50)
    for job_ids in (job_id, [job_id, JOB_ID]):
        error = failure_of(runner, RenderjuiceCancelJobOperator(task_id="stop", job_id=job_ids, **FAST))
        check(error, emulator)
        assert error.bill is Bill.MAY_RUN
        assert error.job_id == (job_id if job_ids == job_id else "")
        assert "stop it at Renderjuice" in str(error)
    emulator.faults.clear()


@pytest.mark.parametrize("fault", ["401", "404", "503", "nonsense", "reset-before"])
@pytest.mark.parametrize("operation", ["get_job", "get_downloads", "download_file"])
def test_a_download_that_fails_says_that_the_render_is_paid(emulator, runner, scene, tmp_path, operation, fault):
    run = RenderjuiceRunJobOperator(task_id="run", file_path=str(scene), render_config=CONFIG, **ON_THE_WORKER)
    job_id = runner.run(run)["job_id"]
    emulator.faults.add(operation, *[fault] * 40)
    error = failure_of(runner, RenderjuiceDownloadOperator(task_id="d", job_id=job_id, destination=str(tmp_path / "d")))
    check(error, emulator)
    assert error.bill is (Bill.LEFT_ALONE if operation == "get_job" else Bill.KEPT)
    emulator.faults.clear()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ["create_upload", "put_upload", "create_job", "validate_job"])
def test_what_costs_nothing_says_so(emulator, runner, scene, operation, fault):
    def steps() -> None:
        slug = runner.run(RenderjuiceUploadOperator(task_id="upload", file_path=str(scene)))
        job_id = runner.run(RenderjuiceCreateJobOperator(task_id="create", slug=slug))
        runner.run(RenderjuiceValidateJobOperator(task_id="validate", job_id=job_id, deferrable=False, **FAST))

    emulator.faults.add(operation, *[fault] * 4)
    if operation in {"validate_job", "create_job"}:
        emulator.faults.add("get_job", *[fault] * 4)
    with pytest.raises(RenderjuiceError) as caught:
        steps()
    check(caught.value, emulator)
    emulator.faults.clear()


def test_a_bad_argument_says_that_nothing_was_spent(emulator, runner, tmp_path):
    operator = RenderjuiceUploadOperator(task_id="upload", file_path=str(tmp_path / "nowhere.blend"))
    error = failure_of(runner, operator)
    check(error, emulator)
    assert isinstance(error, RenderjuiceInputError)
    assert (error.bill, error.retry) == (Bill.NOTHING_SPENT, RetryEffect.AFTER_CORRECTION)
    assert str(error).endswith(". Nothing was spent. A retry fails alike until this is corrected.")
