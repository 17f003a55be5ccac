"""Ctrl-C where one process is all of Airflow (`dag.test()`): nobody else would stop the render."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import httpcore
import pytest
from airflow.sdk.execution_time import task_runner

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider._task_state import is_in_process
from renderjuice_provider.compat import AirflowFailException, TaskDeferred
from renderjuice_provider.operators.renderjuice import RenderjuiceRunJobOperator
from tests.support.runner import CONFIG


class InProcessSupervisorComms:
    """Named as Airflow's own line to itself in `dag.test()`."""


@pytest.fixture(autouse=True)
def heard():
    """In the background of a shell Ctrl-C is ignored, and Python leaves it so.

    Tests may run there.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def one_process(monkeypatch):
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", InProcessSupervisorComms(), raising=False)
    assert is_in_process()


@pytest.fixture
def interrupt(emulator):
    """Sends a signal once a render runs."""
    threads = []

    def start(number):
        def send():
            while not emulator.ledger.renders_started():
                time.sleep(0.01)
            os.kill(os.getpid(), number)

        threads.append(threading.Thread(target=send))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()


@pytest.fixture
def run_job(tmp_path):
    slow = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)

    def make(**arguments):
        return RenderjuiceRunJobOperator(
            task_id="run", file_path=str(slow), render_config=CONFIG, poll_interval=0.02, **arguments
        )

    return make


def test_ctrl_c_on_the_worker_stops_the_render_and_no_retry_pays_again(
    emulator, runner, one_process, interrupt, run_job
):
    interrupt(signal.SIGINT)
    with pytest.raises(AirflowFailException, match="Interrupted"):
        runner.run(run_job(deferrable=False))
    assert emulator.ledger.jobs_left_running() == []


def test_ctrl_c_that_is_to_leave_the_render_alone_says_what_still_runs(
    emulator, runner, one_process, interrupt, run_job, capsys
):
    interrupt(signal.SIGINT)
    with pytest.raises(AirflowFailException):
        runner.run(run_job(deferrable=False, cancel_on_kill=False))
    (job_id,) = emulator.ledger.jobs_left_running()
    assert f"Job {job_id} may be running, and costs money: stop it at Renderjuice" in capsys.readouterr().out


def test_ctrl_c_outside_of_airflow_stays_a_keyboard_interrupt(emulator, runner, interrupt, run_job):
    interrupt(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        runner.run(run_job(deferrable=False))
    assert emulator.ledger.jobs_left_running() == []


def test_a_kill_of_the_one_process_stops_the_render_whatever_tries_are_left_and_ends_it(
    emulator, runner, one_process, interrupt, run_job, monkeypatch
):
    operator, runner.ti.max_tries = run_job(deferrable=False), 3
    before = signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())  # as Airflow does
    try:
        interrupt(signal.SIGTERM)
        with pytest.raises(AirflowFailException, match="Interrupted"):
            runner.run(operator)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert emulator.ledger.jobs_left_running() == []


@pytest.mark.parametrize(("in_process", "running"), [(True, 0), (False, 1)], ids=["dag.test()", "a triggerer"])
def test_a_trigger_that_is_interrupted_stops_the_render_only_where_nobody_takes_over(
    emulator, runner, request, run_job, in_process, running
):
    if in_process:
        request.getfixturevalue("one_process")
    with pytest.raises(TaskDeferred) as deferral:
        run_job().execute(runner.context)  # waits for validation
    event = asyncio.run(runner.fire(deferral.value.trigger))
    with pytest.raises(TaskDeferred) as deferral:
        run_job().execute_complete(runner.context, event)

    async def fire():
        return await anext(deferral.value.trigger.run())

    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(fire())
    assert len(emulator.ledger.jobs_left_running()) == running


def test_a_kill_stops_the_render_though_it_has_interrupted_a_request_that_holds_its_connections(
    emulator, runner, one_process, run_job, monkeypatch
):
    operator = run_job(deferrable=False)
    handle_request, killed = httpcore.ConnectionPool.handle_request, []

    def interrupted(pool, request):
        if emulator.ledger.renders_started() and not killed:
            killed.append(threading.current_thread())
            with pool._optional_thread_lock:  # as when the signal comes while it looks for a connection
                operator.on_kill()
        return handle_request(pool, request)

    def run():
        with pytest.raises(AirflowFailException):
            runner.run(operator)

    monkeypatch.setattr(httpcore.ConnectionPool, "handle_request", interrupted)
    done = threading.Thread(target=run, daemon=True)
    done.start()
    done.join(30)
    assert killed
    assert not done.is_alive()
    assert emulator.ledger.jobs_left_running() == []
