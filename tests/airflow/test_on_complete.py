"""Completed renders start DAGs on a real Airflow: by webhooks, and by a watcher that lists jobs."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import httpx
import pytest
from airflow.timetables.base import Timetable

from renderjuice_emulator.testing import Emulator
from renderjuice_provider.assets import notes_with_shot
from renderjuice_provider.triggers._completed import SETTLED
from tests.support.both_clients import CONFIG, Blocking, completed
from tests.support.until import until
from tools.local_airflow import LocalAirflow

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

DAGS = Path(__file__).parents[2] / "dags"
BY_WEBHOOKS, BY_WATCHER = "renderjuice_on_complete", "polled"
SECRET = "whsec-of-the-studio"
RENDERS = 5
POLLED = """
import os
from pathlib import Path

from airflow.sdk import DAG, AssetWatcher, task

from renderjuice_provider.assets import completed_renders, renders_of_events
from renderjuice_provider.triggers.renderjuice import RenderjuiceCompletedTrigger

trigger = RenderjuiceCompletedTrigger(renderjuice_conn_id="polled", poll_interval=1)
asset = completed_renders("polled", watchers=[AssetWatcher(name="renderjuice", trigger=trigger)])

with DAG("polled", schedule=asset, catchup=False):

    @task
    def note(*, triggering_asset_events):
        for job_id in renders_of_events(triggering_asset_events):
            (Path(os.environ["POLLED"]) / job_id).touch()

    note()
"""


@pytest.fixture(scope="module")
def farm():
    with Emulator(webhook_secret=SECRET) as farm:
        yield farm


@pytest.fixture(scope="module")
def studio(farm, tmp_path_factory):
    """An Airflow with the two DAGs, which Renderjuice sends its webhooks to."""
    home = tmp_path_factory.mktemp("on_complete")
    dags, polled = home / "dags", home / "polled"
    polled.mkdir()
    shutil.copytree(DAGS / "stages", dags / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".airflowignore", f"{BY_WEBHOOKS}.py"):
        shutil.copy(DAGS / name, dags)
    (dags / "polled.py").write_text(POLLED)
    connection = {"conn_type": "renderjuice", "host": farm.base_url, "password": farm.api_key}
    environment = {
        "AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(connection | {"extra": {"webhook_secret": SECRET}}),
        "AIRFLOW_CONN_POLLED": json.dumps(connection),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "RENDERJUICE_DELIVERIES": str(home / "deliveries"),
        "POLLED": str(polled),
    }
    studio = LocalAirflow(home / "airflow", dags, environment)
    try:
        studio.start()
        until(lambda: studio.api("GET", "/dags")["total_entries"] == 2, what="reading the DAGs")
        for dag_id in (BY_WEBHOOKS, BY_WATCHER):
            studio.api("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
        farm.webhooks.url = f"{studio.url}/renderjuice/webhooks/renderjuice_default"
        until(lambda: farm.ledger.count("list_jobs") > 1, what="a watcher that runs")
        yield studio
    finally:
        studio.stop()


@pytest.fixture(scope="module")
def rendered(studio, farm, tmp_path_factory):
    """The ids of jobs that no task waits for: each reported twice, and one by a forger, too."""
    farm.switches.webhook_duplicates = 1
    client = Blocking(farm.api_key, farm.base_url)
    folder = tmp_path_factory.mktemp("scenes")
    config = CONFIG | {"notes": notes_with_shot("juice")}
    jobs = [completed(client, folder, config, name=f"scene_{number}.blend").id for number in range(RENDERS)]
    client.close()
    forged = {"event": "onRenderComplete", "jobId": jobs[0], "status": "completed"}
    assert httpx.post(farm.webhooks.url, json=forged).status_code == 401
    return jobs


def asset_events(studio, connection):
    found = studio.api("GET", "/assets/events", params={"limit": 100})["asset_events"]
    return [event["extra"] for event in found if event["uri"] == f"renderjuice://{connection}/completed"]


def all_runs(studio, dag_id):
    """The runs of a DAG, once all are over."""
    runs = studio.api("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]
    return runs if runs and {run["state"] for run in runs} <= {"success", "failed"} else []


def test_whatever_is_completed_is_downloaded_and_nothing_has_waited_for_it(studio, farm, rendered):
    place = studio.home.parent / "deliveries" / "renders" / "juice"
    until(lambda: len(list(place.glob("*/manifest.json"))) == RENDERS, what="the downloads")
    runs = until(lambda: all_runs(studio, BY_WEBHOOKS), what="the end of all runs")

    assert {path.name for path in place.iterdir()} == set(rendered)
    for job_id in rendered:
        assert sorted(path.name for path in (place / job_id / "frames").iterdir()) == [f"000{n}.png" for n in (1, 2, 3)]
    assert {run["state"] for run in runs} == {"success"}
    events = asset_events(studio, "renderjuice_default")
    assert sorted(event["job_id"] for event in events) == sorted(rendered), "one for each, however often it is reported"
    assert {(event["shot"], event["scene"][:6]) for event in events} == {("juice", "scene_")}
    if hasattr(Timetable, "batch_asset_events"):
        assert len(runs) == RENDERS
    else:
        assert 1 <= len(runs) <= RENDERS
    tasks = {task["task_id"] for run in runs for task in studio.tasks(BY_WEBHOOKS, run["dag_run_id"])}
    assert tasks == {"not_downloaded", "download"}


def test_people_see_in_a_variable_what_has_arrived_and_neither_secrets_nor_urls(studio, farm, rendered):
    until(lambda: len(asset_events(studio, "renderjuice_default")) == RENDERS, what="the asset events")
    variable = studio.api("GET", "/variables/renderjuice_webhooks_renderjuice_default")["value"]
    inbox = json.loads(variable)

    assert (inbox["count"], inbox["pending"]) == (RENDERS, [])
    assert sorted(row[1] for row in inbox["events"]) == sorted(rendered)
    everything = variable + json.dumps(studio.api("GET", "/assets/events"))
    assert [secret for secret in (SECRET, farm.api_key, "http", "?") if secret in everything] == []


def test_where_no_webhook_arrives_a_watcher_starts_the_dag(studio, rendered):
    noted = studio.home.parent / "polled"
    # Before Airflow 3.4 a run may lack some, which the last event brings when it comes again.
    until(lambda: {path.name for path in noted.iterdir()} == set(rendered), 2 * SETTLED + 60, "the noted renders")
    events = asset_events(studio, "polled")
    assert {event["payload"]["job_id"] for event in events} == set(rendered)
    assert {event["payload"]["shot"] for event in events} == {"juice"}
    assert {run["state"] for run in until(lambda: all_runs(studio, BY_WATCHER), what="the end")} == {"success"}


def test_a_triggerer_that_starts_again_repeats_no_event(studio, farm, rendered):
    until(lambda: len(asset_events(studio, "polled")) >= RENDERS, what="the asset events")
    time.sleep(0 if hasattr(Timetable, "batch_asset_events") else SETTLED + 5)  # until what comes again has come
    events, lists = asset_events(studio, "polled"), farm.ledger.count("list_jobs")
    studio.programs["triggerer"].stop()
    studio.start_component("triggerer", "triggerer again")
    until(lambda: farm.ledger.count("list_jobs") > lists + 3, what="a watcher that runs again")
    assert asset_events(studio, "polled") == events
