"""What a real Airflow does once a shot is delivered, and when it is not in time."""

from __future__ import annotations

import json
import shutil
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import airflow.sdk
import pytest

from tests.support.until import until
from tools.local_airflow import LocalAirflow

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

DAGS = Path(__file__).parents[2] / "dags"
KEYS = hasattr(airflow.sdk, "PartitionedAtRuntime")
STUDIO = """\
import time
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, get_current_context, task
from stages.alerts import late
from stages.assets import DELIVERED, announce

with DAG("shot", schedule=None, params={"destination": "", "shot": "", "version": "", "new": True}):

    @task(outlets=[DELIVERED])
    def deliver(*, params):
        movie = Path(params["destination"], f"{params['shot']}-{params['version']}.mp4")
        movie.write_text(params["version"])
        found = {name: params[name] for name in ("shot", "version", "new")}
        found |= {"frames": 3, "movie": str(movie)}
        announce(found, params["destination"], get_current_context())

    deliver()

for name, connection in (("chat", "chat"), ("log", "")):
    with DAG(f"late_{name}", schedule=None, deadline=late(2 / 3600, connection), params={"until": ""}):

        @task
        def wait(*, params):
            deadline = time.monotonic() + 120
            while not Path(params["until"]).exists() and time.monotonic() < deadline:
                time.sleep(0.2)

        wait()
"""


class Chat(BaseHTTPRequestHandler):
    """A chat that keeps its messages."""

    messages: ClassVar[list[str]] = []

    def do_POST(self):
        self.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """An Airflow with the reel, a DAG that delivers, and two that are late."""
    home = tmp_path_factory.mktemp("studio")
    dags = home / "dags"
    shutil.copytree(DAGS / "stages", dags / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".airflowignore", "renderjuice_reel.py"):
        shutil.copy(DAGS / name, dags)
    (dags / "studio.py").write_text(STUDIO)
    chat = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
    threading.Thread(target=chat.serve_forever, daemon=True).start()
    connection = {"conn_type": "http", "host": f"http://127.0.0.1:{chat.server_port}/hook"}
    environment = {"AIRFLOW_CONN_CHAT": json.dumps(connection), "AIRFLOW__CORE__UNIT_TEST_MODE": "False"}
    studio = LocalAirflow(home / "airflow", dags, environment)
    try:
        studio.start()
        until(lambda: studio.api("GET", "/dags")["total_entries"] == 4, what="reading the DAGs")
        yield studio
    finally:
        studio.stop()
        chat.shutdown()
        chat.server_close()


def over(studio, dag_id, run_id):
    return until(lambda: (state := studio.run_state(dag_id, run_id)) in {"success", "failed"} and state)


def test_a_dag_after_the_delivery_runs_for_just_the_shots_that_changed(studio, tmp_path):
    def deliver(shot, version, new=True):
        conf = {"destination": str(tmp_path), "shot": shot, "version": version, "new": new}
        assert over(studio, "shot", studio.trigger("shot", conf)) == "success"

    def runs():
        return studio.api("GET", "/dags/renderjuice_reel/dagRuns")["dag_runs"]

    def reel():
        try:
            return json.loads((tmp_path / "reel" / "reel.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}

    studio.api("PATCH", "/dags/renderjuice_reel", json={"is_paused": False})
    deliver("juice", "v1")
    deliver("still", "v1")
    deliver("ice", "v1", new=False)
    first = until(lambda: len(found := reel()) == 2 and found, what="two shots in the reel")
    deliver("juice", "v2")
    second = until(lambda: (found := reel())["juice"]["version"] == "v2" and found, what="the new version")

    assert second["still"] == first["still"]
    assert {path.name: path.read_text() for path in (tmp_path / "reel").glob("*.mp4")} == {
        "juice.mp4": "v2",
        "still.mp4": "v1",
    }
    events = studio.api("GET", "/assets/events")["asset_events"]
    assert sorted((event["extra"]["shot"], event["extra"]["version"]) for event in events) == [
        ("juice", "v1"),
        ("juice", "v2"),
        ("still", "v1"),
    ]
    if KEYS:
        assert sorted(event["partition_key"] for event in events) == ["juice", "juice", "still"]
        assert sorted(run["partition_key"] for run in runs()) == ["juice", "juice", "still"]
    else:
        assert len(runs()) in {2, 3}


@pytest.mark.parametrize("kind", ["chat", "log"])
def test_a_run_that_is_not_over_in_time_is_reported_while_it_goes_on(studio, tmp_path, kind):
    dag_id, done = f"late_{kind}", tmp_path / "done"
    now = datetime.now(UTC).isoformat()
    studio.api("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
    body = {"logical_date": now, "dag_run_id": f"{kind}_{now}", "conf": {"until": str(done)}}
    run_id = studio.api("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"]

    def reported():
        if kind == "chat":
            return any(run_id in message for message in Chat.messages)
        log = studio.home / "logs" / "triggerer.log"
        return f"Run {run_id} of {dag_id} has missed its deadline" in log.read_text()

    until(reported, what="the alert")
    assert studio.run_state(dag_id, run_id) == "running"
    done.touch()
    assert over(studio, dag_id, run_id) == "success"
    if kind == "chat":
        (message,) = [message for message in Chat.messages if run_id in message]
        assert message.startswith(f"Not delivered in time: run {run_id} of {dag_id} should have been a success by 20")
        assert "and is running." in message
