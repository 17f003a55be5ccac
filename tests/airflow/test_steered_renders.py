"""What people do on the render wall, on a real Airflow: the ledger says what it has cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from tests.support.until import until
from tools.local_airflow import LocalAirflow

pytestmark = [pytest.mark.airflow, pytest.mark.slow]
DAGS = """
from datetime import timedelta

from airflow.sdk import DAG
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCreateJobOperator,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)

CONFIG = {"colorManagementPreset": "default"}

with DAG("steps", schedule=None, params={"scene": "", "config": CONFIG}, render_template_as_native_obj=True):
    upload = RenderjuiceUploadOperator(task_id="upload", file_path="{{ params.scene }}")
    create = RenderjuiceCreateJobOperator(task_id="create", slug=upload.output)
    validate = RenderjuiceValidateJobOperator(task_id="validate", job_id=create.output, poll_interval=1)
    validate >> RenderjuiceRenderJobOperator(
        task_id="render", job_id=create.output, render_config="{{ params.config }}", poll_interval=1
    )

with DAG("tried_again", schedule=None, params={"scenes": []}):
    RenderjuiceRunJobOperator.partial(
        task_id="render", render_config=CONFIG, poll_interval=1, retries=3, retry_delay=timedelta(hours=1)
    ).expand(file_path=["{{ params.scenes[0] }}", "{{ params.scenes[1] }}"])
"""


@pytest.fixture(scope="module")
def farm() -> Iterator[Emulator]:
    with Emulator(manual_clock=True) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def airflow(farm: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    folder = tmp_path_factory.mktemp("steered")
    (folder / "dags").mkdir()
    (folder / "dags" / "steered.py").write_text(DAGS)
    connection = {"conn_type": "renderjuice", "host": farm.base_url, "password": farm.api_key}
    environment = {
        "AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(connection),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }
    airflow = LocalAirflow(folder / "airflow", folder / "dags", environment)
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()


class Wall:
    """The wall's routes, as its page uses them."""

    def __init__(self, airflow: LocalAirflow) -> None:
        self._airflow = airflow

    def rows(self, run_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", "night", params={"run_id": run_id})["rows"]
        return found

    def do(self, action: str, rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        """Ask, and say yes: the plan."""
        body = {"action": action, "rows": [row["id"] for row in rows]} | more
        plan: dict[str, Any] = self._ask("POST", "plan", json=body)
        done = self._ask("POST", "act", json=body | {"confirm": plan["confirm"]})
        assert done == {"done": body["rows"], "failed": []}, plan
        return plan

    def _ask(self, method: str, path: str, **arguments: Any) -> Any:
        response = self._airflow.request(method, f"/renderjuice/wall/{path}", **arguments)
        assert response.is_success, response.text
        return response.json()


@pytest.fixture
def wall(airflow: LocalAirflow) -> Wall:
    return Wall(airflow)


def states(airflow: LocalAirflow, dag_id: str, run_id: str) -> dict[str, str]:
    return {f"{task['task_id']} {task['map_index']}": task["state"] for task in airflow.tasks(dag_id, run_id)}


def test_a_render_is_stopped_once_and_rendered_again_as_ordered(
    airflow: LocalAirflow, farm: Emulator, wall: Wall, tmp_path: Path
) -> None:
    scene = write_scene(tmp_path / "stopped.blend", frame_end=4, seconds_per_frame=600)
    run = airflow.trigger("steps", {"scene": str(scene)})

    def render() -> str | None:
        return states(airflow, "steps", run).get("render -1")

    def rendering() -> bool:
        farm.clock.advance(30)
        return render() == "deferred" and farm.ledger.jobs_left_running() != []

    until(rendering, what="the render")
    (job_id,) = farm.ledger.jobs_left_running()
    until(lambda: "Job " in airflow.task_log("steps", run, "render"), what="a triggerer that looks after it")
    plan = wall.do("stop", wall.rows(run))
    assert plan["rows"][0]["will"].startswith("render will be marked as failed")
    until(lambda: farm.ledger.jobs_left_running() == [], what="the cancel")
    assert {"again", "settings"} <= set(wall.rows(run)[0]["can"])
    assert farm.ledger.count("cancel_job", job_id=job_id) == 1
    assert farm.ledger.renders_started(file_name="stopped.blend") == 1

    plan = wall.do("again", wall.rows(run))
    assert plan["money"].startswith("All frames are paid")

    def is_over() -> bool:
        farm.clock.advance(600)
        return render() == "success"

    until(is_over, patience=120, what="the second render")
    assert farm.ledger.renders_started(file_name="stopped.blend") == 2


def test_a_task_that_waits_for_its_next_try_leaves_no_job_when_it_is_stopped(
    airflow: LocalAirflow, farm: Emulator, wall: Wall, tmp_path: Path
) -> None:
    scenes = [write_scene(tmp_path / f"{name}.blend", frame_end=4, seconds_per_frame=6000) for name in "ab"]
    run = airflow.trigger("tried_again", {"scenes": [*map(str, scenes)]})

    def rendering() -> bool:
        farm.clock.advance(10)
        return len(farm.ledger.jobs_left_running()) == 2

    until(rendering, what="both renders")
    jobs = {farm.jobs[job].upload.file_name: job for job in farm.ledger.jobs_left_running()}
    until(lambda: set(states(airflow, "tried_again", run).values()) == {"deferred"}, what="both deferrals")
    farm.faults.add("get_job", *["401"] * 4)
    until(lambda: "up_for_retry" in states(airflow, "tried_again", run).values(), what="a try that fails")
    farm.faults.clear()
    waiting = {name for name, state in states(airflow, "tried_again", run).items() if state == "up_for_retry"}
    rows = [row for row in wall.rows(run) if f"render {row['map_index']}" in waiting]
    assert len(farm.ledger.jobs_left_running()) == 2, "no try that failed has stopped its job"
    wall.do("stop", rows)
    stopped = {jobs[f"{'ab'[row['map_index']]}.blend"] for row in rows}
    until(lambda: not stopped & set(farm.ledger.jobs_left_running()), what="the cancel")
    assert set(farm.ledger.jobs_left_running()) == set(jobs.values()) - stopped
    assert {farm.ledger.count("cancel_job", job_id=job) for job in stopped} == {1}
    left = [row for row in wall.rows(run) if row not in rows and "stop" in row["can"]]
    if left:
        wall.do("stop", left)
    until(lambda: farm.ledger.jobs_left_running() == [], what="the other cancel")
    assert [farm.ledger.renders_started(file_name=f"{name}.blend") for name in "ab"] == [1, 1]


def test_other_settings_are_rendered_in_a_run_of_their_own(
    airflow: LocalAirflow, farm: Emulator, wall: Wall, tmp_path: Path
) -> None:
    scene = write_scene(tmp_path / "noisy.blend", frame_end=1)
    run = airflow.trigger("steps", {"scene": str(scene)})

    def is_over(run_id: str) -> bool:
        farm.clock.advance(60)
        return airflow.run_state("steps", run_id) == "success"

    until(lambda: is_over(run), patience=120, what="the first render")
    wall.do("settings", wall.rows(run), settings={"samples": 512})
    runs = airflow.api("GET", "/dags/steps/dagRuns")["dag_runs"]
    (new,) = [found for found in runs if found["dag_run_id"].startswith(f"{run}__settings__")]
    until(lambda: is_over(new["dag_run_id"]), patience=120, what="the render with other settings")
    counts = [
        (job.requested_config or {}).get("sampleCount")
        for job in farm.jobs.values()
        if job.upload.file_name == "noisy.blend"
    ]
    assert counts == [None, 512]
    assert airflow.run_state("steps", run) == "success"
