"""On a real Airflow: buttons, statistics, traces and lineage, from the first second to the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from tests.support.collector import Collector, collecting
from tests.support.until import until
from tools.local_airflow import LocalAirflow

pytestmark = [pytest.mark.airflow, pytest.mark.slow]
DAG = """
from airflow.sdk import DAG
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceDownloadOperator, RenderjuiceRenderFramesOperator, RenderjuiceRunJobOperator
)

CONFIG = {"colorManagementPreset": "default", "frameRanges": ["1-3"]}
FAST = {"renderjuice_conn_id": "farm", "render_config": CONFIG, "poll_interval": 1}

with DAG("signals", schedule=None, params={"folder": ""}):
    RenderjuiceRunJobOperator.partial(task_id="shots", **FAST).expand(
        file_path=[FOLDER + "/whole.blend", FOLDER + "/broken.blend"]
    ) >> RenderjuiceDownloadOperator(
        task_id="never", renderjuice_conn_id="farm", job_id="none", destination="/srv/never"
    )
    RenderjuiceRenderFramesOperator(
        task_id="frames", file_path=FOLDER + "/whole.blend", destination=FOLDER + "/out/{{ run_id }}", **FAST
    )
"""
FILES = "https://files.example/out"
WALL = "/plugin/renderjuice-run"


@pytest.fixture
def farm() -> Iterator[Emulator]:
    with Emulator(manual_clock=True) as emulator:
        yield emulator


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def local_airflow(farm: Emulator, collector: Collector, tmp_path: Path) -> Iterator[LocalAirflow]:
    connection = {"conn_type": "renderjuice", "host": farm.base_url, "password": farm.api_key}
    write_scene(tmp_path / "whole.blend", frame_end=3)
    write_scene(tmp_path / "broken.blend", frame_end=3, fail_at_frame=2)
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "signals.py").write_text(f"FOLDER = {str(tmp_path)!r}\n{DAG}")
    environment = {
        "AIRFLOW_CONN_FARM": json.dumps(connection),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__RENDERJUICE__DELIVERY_URLS": json.dumps({str(tmp_path / "out"): FILES}),
        "AIRFLOW__METRICS__OTEL_ON": "True",
        "AIRFLOW__TRACES__OTEL_ON": "True",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{collector.url}/v1/metrics",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "otlp_proto_http",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(tmp_path / "lineage.json"), "append": True}
        ),
    }
    airflow = LocalAirflow(tmp_path / "airflow", dags, environment)
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()


class Run:
    """One run of the DAG."""

    def __init__(self, airflow: LocalAirflow) -> None:
        self._airflow = airflow
        self.id = airflow.trigger("signals")

    def states(self) -> dict[tuple[str, int], str]:
        return {(each["task_id"], each["map_index"]): each["state"] for each in self._airflow.tasks("signals", self.id)}

    def links(self, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        path = f"/dags/signals/dagRuns/{self.id}/taskInstances/{task_id}/links?map_index={map_index}"
        found: dict[str, str | None] = self._airflow.api("GET", path)["extra_links"]
        return found


def events(path: Path) -> dict[str, dict[str, Any]]:
    """The last event of each task of the run, as the OpenLineage provider has written it."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {event["job"]["name"]: event for event in lines if event["eventType"] in {"COMPLETE", "FAIL"}}


def test_a_run_shows_its_buttons_and_its_figures_whatever_becomes_of_it(local_airflow, farm, collector, tmp_path):
    run = Run(local_airflow)
    waiting = {("shots", 0): "deferred", ("shots", 1): "deferred", ("frames", -1): "deferred"}
    until(lambda: waiting.items() <= run.states().items(), patience=180, what="the waits")

    assert run.links("never")["Render wall"].endswith(WALL), "a task that has not begun"
    assert run.links("shots", 0)["Render wall"].endswith(WALL)
    assert run.links("frames")["Delivery"] == f"{FILES}/{run.id.replace(':', '%3A').replace('+', '%2B')}"

    def is_over() -> bool:
        farm.clock.advance(60)
        return local_airflow.run_state("signals", run.id) in {"success", "failed"}

    until(is_over, patience=240, what="the end of the run")
    states = run.states()
    assert states[("shots", 0)] == states[("frames", -1)] == "success", local_airflow.task_log(
        "signals", run.id, "frames"
    )
    assert (states[("shots", 1)], states[("never", -1)]) == ("failed", "upstream_failed")
    for task in states:
        link = run.links(*task)["Render wall"]
        assert link.endswith(WALL), task
        assert local_airflow.request("GET", f"/{link}").status_code == 200
    assert run.links("frames")["Delivery"].startswith(FILES)

    def ends() -> dict[str, int]:
        points = collector.metrics("airflow.renderjuice.jobs.ended")
        return {tags["end"]: int(point.as_double or point.as_int) for tags, point in points}

    until(lambda: ends().keys() >= {"completed", "failed"}, what="the metrics of the jobs")
    assert any(tags["response"] == "ok" for tags, _ in collector.metrics("airflow.renderjuice.polls"))
    waits = [point.as_int or point.as_double for _, point in collector.metrics("airflow.renderjuice.waits.open")]
    assert max(waits) == 3
    until(lambda: _last(collector, "airflow.renderjuice.waits.open") == 0, what="that no wait is open")
    assert collector.metrics("airflow.renderjuice.normalized_seconds")
    assert collector.metrics("airflow.renderjuice.frames.delivered")

    spans = [attributes for _, attributes, _ in collector.spans()]
    jobs = {attributes["renderjuice.job_id"] for attributes in spans if "renderjuice.job_id" in attributes}
    assert len(jobs) == farm.ledger.renders_started() == 3

    lineage = events(tmp_path / "lineage.json")
    frames = lineage["signals.frames"]
    assert [each["name"] for each in frames["inputs"]] == [str(tmp_path / "whole.blend")]
    (output,) = frames["outputs"]
    assert output["name"] == f"{tmp_path}/out/{run.id}"
    assert output["outputFacets"]["outputStatistics"]["fileCount"] == 3
    assert frames["run"]["facets"]["renderjuice"]["complete"] is True

    written = b"".join(collector.bodies) + (tmp_path / "lineage.json").read_bytes()
    assert farm.api_key.encode() not in written


def _last(collector: Collector, name: str) -> float:
    points = [point for _, point in collector.metrics(name)]
    newest = max(points, key=lambda point: point.time_unix_nano)
    return float(newest.as_int or newest.as_double)
