from __future__ import annotations

import json
import time

import pytest
from stages.spending import UNKNOWN, job_outcomes

from renderjuice_emulator.testing import write_scene
from renderjuice_provider.api.client import RenderjuiceClient

CONNECTION = "farm"
GONE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def farm(renderjuice_emulator, monkeypatch):
    """An emulator that the connection `farm` leads to."""
    emulator = renderjuice_emulator
    connection = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key}
    monkeypatch.setenv("AIRFLOW_CONN_FARM", json.dumps(connection))
    return emulator


@pytest.fixture
def failed_job(farm, tmp_path):
    """The id of a job that failed at its third frame."""
    scene = write_scene(tmp_path / "ice.blend", frame_end=4, fail_at_frame=3)
    with RenderjuiceClient(farm.api_key, base_url=farm.base_url) as client:
        job = client.create_job(client.upload(scene).slug)
        client.validate_job(job.id)
        while client.get_job(job.id).status == "validating":
            time.sleep(0.01)
        client.start_render(job.id, {"colorManagementPreset": "default"})
        while not client.get_job(job.id).is_over:
            time.sleep(0.01)
        return job.id


def test_a_render_that_failed_is_looked_up_and_one_that_is_gone_is_unknown(farm, failed_job):
    outcomes = job_outcomes({"ice": [GONE, failed_job], "juice": []}, [], CONNECTION)

    ice = outcomes["ice"][failed_job]
    assert outcomes == {"ice": {GONE: UNKNOWN, failed_job: ice}, "juice": {}}
    assert (ice["status"], ice["running"]) == ("failed", False)
    assert ice["seconds"] == pytest.approx(farm.jobs[failed_job].normalized_seconds)
    assert ice["seconds"] > 0
    assert "frame 3" in ice["reason"]


def test_what_a_task_returned_is_not_asked_for_again(farm):
    before = farm.ledger.count("get_job")

    outcomes = job_outcomes({"juice": ["1"]}, [{"job_id": "1", "normalized_seconds": 4.5}], CONNECTION)

    assert outcomes["juice"]["1"]["seconds"] == 4.5
    assert farm.ledger.count("get_job") == before


def test_a_farm_that_refuses_is_asked_once_and_everything_it_did_is_unknown(farm):
    farm.faults.add("get_job", "403")
    jobs = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(5)]

    assert job_outcomes({"a": jobs}, [], CONNECTION) == {"a": dict.fromkeys(jobs, UNKNOWN)}
    assert farm.ledger.count("get_job") == 1


def test_without_a_connection_nothing_is_known_and_nothing_breaks():
    assert job_outcomes({"a": [GONE]}, [], "no_such_connection") == {"a": {GONE: UNKNOWN}}
