"""From an event to a resumed task, on a real Airflow: receiver, inbox, triggerer, worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.lifecycle.inbox import Inbox, variable_of
from tests.support.until import until
from tools.local_airflow import LocalAirflow

pytestmark = [pytest.mark.airflow, pytest.mark.slow]
CONNECTION, SECRET = "farm", "whsec-of-this-test"
DAG = """
from airflow.sdk import DAG
from renderjuice_provider.operators.renderjuice import RenderjuiceRenderJobOperator

with DAG("rare", schedule=None):
    RenderjuiceRenderJobOperator(
        task_id="render",
        renderjuice_conn_id="farm",
        job_id="{{ dag_run.conf['job_id'] }}",
        render_config={"colorManagementPreset": "default"},
        poll_interval=3600,
    )
"""
"""Nothing but an event ends its wait within an hour."""


@pytest.fixture
def farm() -> Iterator[Emulator]:
    with Emulator(manual_clock=True) as emulator:
        emulator.webhooks.secret = SECRET
        yield emulator


@pytest.fixture
def local_airflow(farm: Emulator, tmp_path: Path) -> Iterator[LocalAirflow]:
    extra = {"webhook_secret": SECRET}
    connection = {"conn_type": "renderjuice", "host": farm.base_url, "password": farm.api_key, "extra": extra}
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "rare.py").write_text(DAG)
    environment = {"AIRFLOW_CONN_FARM": json.dumps(connection), "AIRFLOW__CORE__UNIT_TEST_MODE": "False"}
    airflow = LocalAirflow(tmp_path / "airflow", dags, environment)
    try:
        airflow.start()
        farm.webhooks.url = f"{airflow.url}/renderjuice/webhooks/{CONNECTION}"
        yield airflow
    finally:
        airflow.stop()


def validated_job(farm: Emulator, scene: Path) -> str:
    with RenderjuiceClient(farm.api_key, farm.base_url) as client:
        job_id = client.create_job(client.upload(scene).slug).id
        client.validate_job(job_id)
        farm.clock.advance(60)
        until(lambda: client.get_job(job_id).status == "validated", what="validation")
    return job_id


def test_an_event_resumes_a_task_that_no_poll_would_have_for_an_hour(local_airflow, farm, tmp_path):
    job_id = validated_job(farm, write_scene(tmp_path / "shot.blend", frame_end=2, seconds_per_frame=60))
    run_id = local_airflow.trigger("rare", {"job_id": job_id})
    log = lambda: local_airflow.task_log("rare", run_id, "render")  # noqa: E731
    until(lambda: [task["state"] for task in local_airflow.tasks("rare", run_id)] == ["deferred"], what="the deferral")
    polls = farm.ledger.count("get_job")

    farm.clock.advance(600)
    until(
        lambda: local_airflow.run_state("rare", run_id) in {"success", "failed"},
        patience=120,
        what="the end of the task",
    )
    assert local_airflow.run_state("rare", run_id) == "success", log()
    assert f"Job {job_id} is completed" in log()
    assert farm.ledger.count("get_job") <= polls + 2, "the triggerer's poll, and that of the worker"

    inbox = Inbox.parse(local_airflow.api("GET", f"/variables/{variable_of(CONNECTION)}")["value"])
    assert [event.job_id for event in inbox.events] == [job_id]
    written = "".join(path.read_text(errors="replace") for path in local_airflow.home.rglob("*.log"))
    assert SECRET not in written
