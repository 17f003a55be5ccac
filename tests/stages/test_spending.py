from __future__ import annotations

import json
import time

import pytest
from stages.spending import UNKNOWN, add_costs, job_outcomes, outcome_of

from renderjuice_emulator.testing import write_scene
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.api.models import Job

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


def entry(shot, spent, **more):
    return {"shot": shot, "state": "failed", "spent": spent, "render_seconds": 0.0} | more


def test_the_cost_of_a_killed_render_and_why_its_job_ended_are_read_for_its_entry(farm, failed_job):
    killed = entry("ice", {"known": 2.0, failed_job: None}, reason="its run x failed; see the log of render")

    (found,) = add_costs([killed], CONNECTION)

    assert found["spent"]["known"] == 2.0
    assert found["render_seconds"] == pytest.approx(2.0 + farm.jobs[failed_job].normalized_seconds, abs=0.001)
    assert found["reason"] == "RENDER_ERROR: frame 3 could not be rendered; its run x failed; see the log of render"
    assert "still_rendering" not in found


def test_what_an_earlier_run_of_the_night_spent_is_read_too_and_gives_no_reason(farm, failed_job):
    repaired = entry("ice", {"2": 1.0}, spent_before={failed_job: None}, state="failed", reason="x")

    (found,) = add_costs([repaired], CONNECTION)

    assert found["spent_before"][failed_job] == pytest.approx(farm.jobs[failed_job].normalized_seconds)
    assert (found["spent"], found["render_seconds"], found["reason"]) == ({"2": 1.0}, 1.0, "x")


def test_a_reason_that_says_it_already_is_left_as_it_is(farm, failed_job):
    said = "ice failed: RENDER_ERROR: frame 3 could not be rendered. Nothing is running."

    assert add_costs([entry("ice", {failed_job: None}, reason=said)], CONNECTION)[0]["reason"] == said


def test_what_an_earlier_round_met_is_no_part_of_the_reason_that_a_render_gives(farm, failed_job):
    said = f"Frames 5 of ice.blend are missing after 3 rounds. (job {GONE})"

    assert add_costs([entry("ice", {failed_job: None, GONE: None}, reason=said)], CONNECTION)[0]["reason"] == said


def test_a_job_that_still_renders_or_was_canceled_is_named(farm, tmp_path):
    scene = write_scene(tmp_path / "slow.blend", frame_end=500, resolution=(1920, 1080), samples=4096)
    with RenderjuiceClient(farm.api_key, base_url=farm.base_url) as client:
        job = client.create_job(client.upload(scene).slug)
        client.validate_job(job.id)
        while client.get_job(job.id).status == "validating":
            time.sleep(0.01)
        client.start_render(job.id, {"colorManagementPreset": "default"})
        (running,) = add_costs([entry("slow", {job.id: None}, reason="killed")], CONNECTION)
        client.cancel_job(job.id)
        while not client.get_job(job.id).is_over:
            time.sleep(0.01)
        (canceled,) = add_costs([entry("slow", {job.id: None}, reason="killed")], CONNECTION)

    assert running["still_rendering"] == [job.id]
    assert canceled["reason"] == "its render was cancelled; killed"


def test_entries_of_known_cost_ask_for_nothing_and_what_cannot_be_asked_stays_unknown():
    rejected, delivered = {"shot": "a", "state": "rejected"}, entry("b", {"1": 2.0}, state="delivered")
    unknown = entry("c", {GONE: None}, reason="x")

    assert add_costs([rejected, delivered, unknown], "no_such_connection") == [rejected, delivered, unknown]


@pytest.mark.parametrize(
    ("status", "said", "seconds"),
    [
        ("validated", {}, 0.0),
        ("failed", {}, 0.0),
        ("failed", {"finalConfig": {"samples": 4}}, None),
        ("canceled", {"requestedConfig": {}}, None),
        ("completed", {}, None),
        ("completed", {"normalizedSeconds": 0.0}, 0.0),
    ],
)
def test_what_a_job_that_may_have_rendered_cost_is_never_said_to_be_nothing(status, said, seconds):
    assert outcome_of(Job.model_validate({"id": GONE, "status": status} | said))["seconds"] == seconds
