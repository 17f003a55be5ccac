"""Every address that Airflow's web UI asks for the pages of our DAGs, while they run.

None may answer with an error.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from renderjuice_emulator.scenes import write_scene
from tests.support.until import until

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

DAGS = ("renderjuice_quickstart", "renderjuice_nightly", "renderjuice_shot", "renderjuice_bulk")
OF_ALL_DAGS = (
    "/ui/auth/menus",
    "/ui/auth/me",
    "/ui/config",
    "/ui/dags?dag_runs_limit=14",
    "/ui/dashboard/dag_stats",
    "/ui/dashboard/historical_metrics_data?start_date=2020-01-01T00:00:00Z",
    "/ui/connections/hook_meta",
    "/ui/dependencies",
    "/api/v2/dags",
    "/api/v2/dagTags",
    "/api/v2/importErrors",
    "/api/v2/dagWarnings",
    "/api/v2/pools",
    "/api/v2/plugins",
    "/api/v2/plugins/importErrors",
    "/api/v2/connections",
    "/api/v2/dags/~/dagRuns",
    "/api/v2/dags/~/dagRuns/~/taskInstances",
    "/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries",
    "/api/v2/monitor/health",
)
OF_A_DAG = (
    "/ui/grid/structure/{dag}",
    "/ui/grid/runs/{dag}",
    "/ui/grid/ti_summaries/{dag}?run_ids={run}",
    "/ui/structure/structure_data?dag_id={dag}",
    "/ui/structure/structure_data?dag_id={dag}&external_dependencies=true",
    "/ui/next_run_assets/{dag}",
    "/ui/dags/{dag}/latest_run",
    "/ui/dags/{dag}/dagRuns/{run}/stats",
    "/ui/dags/{dag}/dagRuns/{run}/deadlines",
    "/ui/dags/{dag}/deadlineAlerts",
    "/ui/backfills?dag_id={dag}",
    "/ui/calendar/{dag}?granularity=daily&logical_date_gte=2020-01-01T00:00:00Z&logical_date_lte=2099-01-01T00:00:00Z",
    "/ui/gantt/{dag}/{run}",
    "/api/v2/dags/{dag}",
    "/api/v2/dags/{dag}/details",
    "/api/v2/dags/{dag}/tasks",
    "/api/v2/dags/{dag}/dagVersions",
    "/api/v2/dagSources/{dag}",
    "/api/v2/dags/{dag}/dagRuns",
    "/api/v2/dags/{dag}/dagRuns/{run}",
    "/api/v2/dags/{dag}/dagRuns/{run}/taskInstances",
    "/api/v2/dags/{dag}/dagRuns/{run}/hitlDetails",
    "/api/v2/eventLogs?dag_id={dag}",
)
OF_A_TASK = (
    "/api/v2/dags/{dag}/tasks/{task}",
    "/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries?map_index={index}",
    "/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/links?map_index={index}",
    "/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{attempt}?map_index={index}",
    "/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/{index}",
    "/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/{index}/tries",
    "/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/state-store?map_index={index}",
)
OF_A_MAPPED_TASK = ("/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/listMapped",)
STARTED = {"deferred", "success", "failed", "up_for_retry"}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    for name in ("first", "second"):
        write_scene(folder / f"{name}.blend", frame_end=4, seconds_per_frame=600)
    (folder / "shots.yaml").write_text(
        "show: citrus\ndefaults: {render: {colorManagementPreset: default}}\nshots:\n  - {name: cit_010, file: first.blend}\n"
    )
    return folder


@pytest.fixture(scope="module")
def runs(airflow, scenes) -> dict[str, str]:
    """A run of each DAG, brought so far that tasks wait: for Renderjuice, or for a shot's run."""
    destination = str(scenes / "out")
    confs = {
        "renderjuice_quickstart": {"scene": str(scenes / "first.blend"), "destination": destination},
        "renderjuice_nightly": {"shot_list": str(scenes / "shots.yaml"), "destination": destination},
        "renderjuice_bulk": {"scenes": str(scenes), "destination": destination},
        "renderjuice_shot": {"file": str(scenes / "second.blend"), "destination": destination},
    }
    runs = {dag: airflow.trigger(dag, confs[dag]) for dag in DAGS}
    for dag, run in runs.items():
        until(partial(airflow.tasks, dag, run, "deferred"), 180, f"a deferred task of {dag}")
    return runs


def refused(airflow, addresses) -> str:
    """The addresses that are not answered with 200, one a line, with what was answered."""
    answers = [(address, airflow.request("GET", address)) for address in addresses]
    return "\n".join(
        f"{address}: {one.status_code} {one.text[:200]}" for address, one in answers if one.status_code != 200
    )


def test_every_page_that_is_about_all_dags_gets_its_answers(airflow, runs):
    assert refused(airflow, OF_ALL_DAGS) == ""


@pytest.mark.parametrize("dag", DAGS)
def test_every_page_of_a_dag_and_of_its_tasks_gets_its_answers(airflow, runs, dag):
    run = runs[dag]
    addresses = [address.format(dag=dag, run=run) for address in OF_A_DAG]
    tasks = [task for task in airflow.tasks(dag, run) if task["state"] in STARTED]
    assert tasks
    for task in tasks:
        names = {"task": task["task_id"], "index": task["map_index"], "attempt": task["try_number"]}
        wanted = OF_A_TASK + (OF_A_MAPPED_TASK if task["map_index"] >= 0 else ())
        addresses += [address.format(dag=dag, run=run, **names) for address in wanted]
    assert refused(airflow, addresses) == ""


@pytest.mark.parametrize("dag", DAGS)
def test_the_grid_knows_every_task(airflow, runs, dag):
    def names(nodes) -> set[str]:
        return {node["id"] for node in nodes} | {name for node in nodes for name in names(node.get("children") or [])}

    tasks = {task["task_id"] for task in airflow.api("GET", f"/dags/{dag}/tasks")["tasks"]}
    assert tasks <= names(airflow.request("GET", f"/ui/grid/structure/{dag}").json())
    assert tasks <= names(airflow.request("GET", f"/ui/structure/structure_data?dag_id={dag}").json()["nodes"])


def test_the_form_of_a_connection_reports_what_its_fields_are_for(airflow):
    (form,) = [
        hook
        for hook in airflow.request("GET", "/ui/connections/hook_meta").json()
        if hook["connection_type"] == "renderjuice"
    ]
    assert form["standard_fields"]["password"]["title"] == "API key"
    for name, field in form["extra_fields"].items():
        assert field["description"], name
    assert "RJ-" not in json.dumps(form).replace("RJ-...", "")
