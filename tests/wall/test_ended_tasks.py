"""The jobs of tasks that people end: whatever process has them, none renders on."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from airflow.listeners.listener import get_listener_manager
from airflow.sdk import DAG, task

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api import RenderjuiceClient
from renderjuice_provider.operators.renderjuice import RenderjuiceRenderJobOperator
from renderjuice_provider.plugin import _ended_tasks
from renderjuice_provider.plugin._app import make_app
from renderjuice_provider.plugin._ended_tasks import EndedTasks
from tests.support.runner import connect
from tests.support.until import until
from tests.wall.served_airflow import ServedAirflow

CONFIG = {"colorManagementPreset": "default"}
FIELDS = {"renderjuice_conn_id": "renderjuice_default", "cancel_on_kill": True}
GRACE = 0.3
numbers = itertools.count(1)


@task
def other() -> None:
    """Not ours."""


@pytest.fixture(scope="module")
def dag(airflow: ServedAirflow) -> DAG:
    with DAG("ended", schedule=None) as dag:
        RenderjuiceRenderJobOperator(task_id="render", job_id="{{ params.job }}", render_config=CONFIG)
        other()
    airflow.add_dag(dag)
    return dag


@pytest.fixture
def listener() -> Iterator[EndedTasks]:
    """As the API server has it, but for its patience."""
    listener = EndedTasks(grace=GRACE)
    get_listener_manager().add_listener(listener)
    yield listener
    get_listener_manager().pm.unregister(listener)


@pytest.fixture
def emulator(renderjuice_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    connect(monkeypatch, host=renderjuice_emulator.base_url, password=renderjuice_emulator.api_key)
    return renderjuice_emulator


@pytest.fixture
def job_id(emulator: Emulator, tmp_path: Path) -> str:
    """A job that renders."""
    with RenderjuiceClient(emulator.api_key, emulator.base_url) as client:
        scene = write_scene(tmp_path / "shot.blend", frame_end=100, seconds_per_frame=3600)
        job = client.create_job(client.upload(scene).slug)
        client.validate_job(job.id)
        until(lambda: client.get_job(job.id).status == "validated")
        client.start_render(job.id, CONFIG)
    assert emulator.ledger.jobs_left_running() == [job.id]
    return job.id


Run = Callable[..., str]


@pytest.fixture
def run(airflow: ServedAirflow, dag: DAG, job_id: str) -> Run:
    """A run whose render waits for its next try, and has ordered the job."""

    def new(state: str = "up_for_retry", fields: dict[str, object] | None = None, task_id: str = "render") -> str:
        run_id = f"ended-{next(numbers)}"
        airflow.add_run(dag, run_id)
        airflow.set_task(run_id, task_id, state, job_id=job_id, fields=FIELDS if fields is None else fields)
        return run_id

    return new


async def mark(airflow: ServedAirflow, run_id: str, state: str = "failed", task_id: str = "render") -> None:
    """As a person does it in the grid."""
    async with airflow.client() as client:
        path = f"/api/v2/dags/ended/dagRuns/{run_id}/taskInstances/{task_id}"
        (await client.patch(path, json={"new_state": state})).raise_for_status()


def is_stopped(emulator: Emulator) -> Callable[[], bool]:
    return lambda: emulator.ledger.jobs_left_running() == []


@pytest.mark.usefixtures("listener")
@pytest.mark.parametrize("state", ["failed", "success", "skipped"])
async def test_a_task_that_waits_for_its_next_try_leaves_no_job(
    state: str, airflow: ServedAirflow, run: Run, emulator: Emulator
) -> None:
    await mark(airflow, run(), state)
    until(is_stopped(emulator), what="the cancel")
    assert emulator.ledger.count("cancel_job") == 1


@pytest.mark.usefixtures("listener")
@pytest.mark.parametrize("state", ["failed", "success"])
async def test_neither_does_a_run_that_is_marked(
    state: str, airflow: ServedAirflow, run: Run, emulator: Emulator
) -> None:
    run_id = run()
    async with airflow.client() as client:
        (await client.patch(f"/api/v2/dags/ended/dagRuns/{run_id}", json={"state": state})).raise_for_status()
    assert airflow.states(run_id)["render"] == "skipped"
    until(is_stopped(emulator), what="the cancel")


@pytest.mark.usefixtures("listener")
async def test_a_job_that_its_own_process_has_stopped_is_not_cancelled_twice(
    airflow: ServedAirflow, run: Run, emulator: Emulator, job_id: str
) -> None:
    run_id = run("deferred")
    with RenderjuiceClient(emulator.api_key, emulator.base_url) as client:
        client.cancel_job(job_id)
    reads = emulator.ledger.count("get_job")
    await mark(airflow, run_id)
    until(lambda: emulator.ledger.count("get_job") > reads, what="a look at the job")
    assert emulator.ledger.count("cancel_job") == 1


@pytest.mark.parametrize(
    ("fields", "is_stopped_by_us"),
    [
        (FIELDS | {"cancel_on_kill": "False"}, False),
        ({"renderjuice_conn_id": "renderjuice_default"}, True),
        ({}, True),
    ],
)
async def test_the_author_says_whether_a_kill_cancels(
    fields: dict[str, object], *, is_stopped_by_us: bool, airflow: ServedAirflow, run: Run, job_id: str
) -> None:
    run_id = run(fields=fields)
    await mark(airflow, run_id)
    found = _ended_tasks._jobs_of(_ended_tasks._Ended(0.0, "ended", run_id, "render"))
    assert found == ([(job_id, "renderjuice_default")] if is_stopped_by_us else [])


async def test_a_job_that_another_kind_of_task_has_published_is_left(airflow: ServedAirflow, run: Run) -> None:
    run_id = run("failed", fields={}, task_id="other")
    assert _ended_tasks._jobs_of(_ended_tasks._Ended(0.0, "ended", run_id, "other")) == []


async def test_a_task_that_was_cleared_meanwhile_keeps_its_job(airflow: ServedAirflow, run: Run) -> None:
    for state in (None, "running", "deferred", "up_for_retry"):
        assert _ended_tasks._jobs_of(_ended_tasks._Ended(0.0, "ended", run(state), "render")) == []


async def test_a_task_without_a_job_leaves_none(airflow: ServedAirflow, dag: DAG) -> None:
    airflow.add_run(dag, "ended-without-a-job")
    airflow.set_task("ended-without-a-job", "render", "failed", fields=FIELDS)
    assert _ended_tasks._jobs_of(_ended_tasks._Ended(0.0, "ended", "ended-without-a-job", "render")) == []


@pytest.mark.usefixtures("listener")
async def test_a_job_that_cannot_be_stopped_is_in_the_log_and_the_next_is_stopped(
    airflow: ServedAirflow, run: Run, emulator: Emulator, job_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await mark(airflow, run(fields=FIELDS | {"renderjuice_conn_id": "there_is_no_such_connection"}))
        until(lambda: f"Job {job_id} may be running" in caplog.text, what="the warning")
    assert emulator.ledger.jobs_left_running() == [job_id]
    await mark(airflow, run())
    until(is_stopped(emulator), what="the cancel")


@pytest.mark.usefixtures("listener")
async def test_a_database_that_does_not_answer_is_in_the_log(
    airflow: ServedAirflow,
    run: Run,
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    read = _ended_tasks._read_jobs

    def gone(ended: object) -> list[tuple[str, str]]:
        raise OSError("the database is gone")

    monkeypatch.setattr(_ended_tasks, "_read_jobs", gone)
    with caplog.at_level(logging.WARNING):
        await mark(airflow, run())
        until(lambda: "the database is gone" in caplog.text, what="the warning")
    monkeypatch.setattr(_ended_tasks, "_read_jobs", read)
    await mark(airflow, run())
    until(is_stopped(emulator), what="the cancel")


@pytest.mark.parametrize("trouble", ["refused", "slow"])
async def test_a_render_that_goes_on_is_in_the_log(
    trouble: str,
    emulator: Emulator,
    job_id: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(_ended_tasks, "PATIENCE", 0.0)
    if trouble == "slow":
        emulator.switches.cancel_seconds = 3600
    else:
        emulator.faults.add("cancel_job", *["503"] * 20)
    with caplog.at_level(logging.WARNING):
        _ended_tasks._stop("renderjuice_default", [job_id])
    why = "(booting|rendering)" if trouble == "slow" else "Renderjuice answered 503"
    assert re.search(rf"Job {job_id} may be running \({why}", caplog.text)
    emulator.faults.clear()


async def test_only_the_api_server_listens() -> None:
    def listeners() -> list[object]:
        return [found for found in get_listener_manager().pm.get_plugins() if isinstance(found, EndedTasks)]

    assert listeners() == []
    app = make_app()
    async with app.router.lifespan_context(app):
        assert len(listeners()) == 1
    assert listeners() == []
