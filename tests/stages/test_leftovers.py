"""A run that is cleared after its scene has changed leaves no render of the old one running."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from stages import tasks
from stages.entries import read_entry, render_facts

from renderjuice_emulator.testing import write_scene
from renderjuice_provider.api.client import RenderjuiceClient
from tests.stages.test_shot_tasks import Ti

GONE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def farm(renderjuice_emulator, monkeypatch):
    emulator = renderjuice_emulator
    connection = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key}
    monkeypatch.setenv("AIRFLOW_CONN_RENDERJUICE_DEFAULT", json.dumps(connection))
    return emulator


def rendering(farm, scene):
    """The id of a job that renders for hours."""
    with RenderjuiceClient(farm.api_key, base_url=farm.base_url) as client:
        job = client.create_job(client.upload(scene).slug)
        client.validate_job(job.id)
        while client.get_job(job.id).status == "validating":
            time.sleep(0.01)
        return client.start_render(job.id, {"colorManagementPreset": "default"}).id


def take(tmp_path, ti):
    places = {"destination": str(tmp_path / "out"), "work": str(tmp_path / "work"), "shot_list": "/no/list"}
    params = places | {"file": str(tmp_path / "ice.blend"), "shot": None, "date": "2026-11-23", "quality": "auto"}
    dag_run = SimpleNamespace(run_after=datetime(2026, 11, 24, 2, tzinfo=UTC))
    tasks.take_order.function(params=params, ti=ti, dag_run=dag_run)
    return ti.xcoms["order"]


def note(order, *jobs):
    folder = Path(order["work"], "base")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "jobs.json").write_text(
        json.dumps([{"job_id": job, "run_id": run, "render_config": {}, "ordered_at": "x"} for job, run in jobs])
    )


def test_a_cleared_run_stops_what_it_had_ordered_of_the_scene_before_and_still_counts_it(farm, tmp_path):
    scene = write_scene(tmp_path / "ice.blend", frame_end=3, seconds_per_frame=1e6)
    ti = Ti("one")
    order = take(tmp_path, ti)
    job, others = rendering(farm, scene), rendering(farm, scene)
    note(order, (job, "one"), (GONE, "one"), (others, "another"))
    again = take(tmp_path, ti)
    assert ("stopped" in again, farm.jobs[job].status != "canceled") == (False, True)

    write_scene(scene, frame_end=4)
    changed = take(tmp_path, ti)

    assert changed["work"] != order["work"]
    assert farm.jobs[job].status == "canceled"
    assert farm.jobs[others].status != "canceled"
    assert set(changed["stopped"]) == {job, GONE}
    assert render_facts(changed, "one")["spent"] == {job: None, GONE: None}
    tasks.reject.function(changed, {"reasons": ["no usable camera"]}, ti=ti)
    assert read_entry(changed["entry"])["spent"] == {job: None, GONE: None}


def test_a_run_that_begins_asks_renderjuice_nothing(farm, tmp_path):
    write_scene(tmp_path / "ice.blend", frame_end=3)
    order = take(tmp_path, Ti("one"))
    note(order, (GONE, "one"))
    write_scene(tmp_path / "ice.blend", frame_end=4)

    take(tmp_path, Ti("two", one="success"))

    assert farm.ledger.entries == []
