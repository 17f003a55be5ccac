"""The quickstart DAG on a real Airflow."""

from __future__ import annotations

import json

import pytest

from renderjuice_emulator.scenes import write_scene
from tests.support.until import until

pytestmark = [pytest.mark.airflow, pytest.mark.slow]
DAG = "renderjuice_quickstart"


def test_a_shot_goes_through_a_real_airflow_and_holds_no_worker_while_it_renders(airflow, emulator, tmp_path):
    scene = write_scene(tmp_path / "shot.blend", frame_end=4, seconds_per_frame=600)
    out = tmp_path / "out"
    run_id = airflow.trigger(DAG, {"scene": str(scene), "destination": str(out)})

    def state(task_id):
        return {task["task_id"]: task["state"] for task in airflow.tasks(DAG, run_id)}.get(task_id)

    until(lambda: state("validate") == "deferred", what="validation")
    emulator.clock.advance(60)
    until(lambda: state("render") == "deferred", what="the render")
    emulator.clock.advance(60 + 600)
    pool = until(lambda: (found := airflow.api("GET", "/pools/default_pool"))["deferred_slots"] == 1 and found)
    assert pool["running_slots"] == 0
    until(lambda: "1 of 4 frames" in airflow.task_log(DAG, run_id, "render"), what="progress in the log")
    assert state("render") == "deferred"

    emulator.clock.advance(3 * 600 + 60)
    assert until(lambda: (found := airflow.run_state(DAG, run_id)) in {"success", "failed"} and found) == "success"
    assert sorted(path.name for path in (out / "frames").iterdir()) == [f"000{n}.png" for n in range(1, 5)]
    assert (out / "contact_sheet.png").stat().st_size > 1000
    assert emulator.ledger.renders_started(file_name="shot.blend") == 1

    links = airflow.api("GET", f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/render/links")["extra_links"]
    assert links["Preview"].startswith("http://127.0.0.1:")


def test_marking_the_render_as_failed_stops_the_bill(airflow, emulator, tmp_path):
    scene = write_scene(tmp_path / "long.blend", frame_end=4, seconds_per_frame=600)
    run_id = airflow.trigger(DAG, {"scene": str(scene), "destination": str(tmp_path / "out")})

    def state(task_id):
        return {task["task_id"]: task["state"] for task in airflow.tasks(DAG, run_id)}.get(task_id)

    until(lambda: state("validate") == "deferred", what="validation")
    emulator.clock.advance(60)
    until(lambda: state("render") == "deferred", what="the render")
    until(lambda: "Job " in airflow.task_log(DAG, run_id, "render"), what="a triggerer that looks after it")
    path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/render"
    airflow.api("PATCH", path, json={"new_state": "failed"})

    until(lambda: emulator.ledger.jobs_left_running() == [], what="the cancel")
    assert emulator.ledger.renders_started(file_name="long.blend") == 1


def test_the_connections_test_button_works_and_keeps_the_key_to_itself(airflow, emulator):
    body = {"connection_id": "x", "conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key}
    assert airflow.api("POST", "/connections/test", json=body)["status"] is True
    refused = airflow.api("POST", "/connections/test", json=body | {"password": "RJ-wrong-key"})
    assert refused["status"] is False
    assert "RJ-wrong-key" not in json.dumps(refused)
