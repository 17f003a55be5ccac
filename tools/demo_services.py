"""What `make demo` and `make look` run.

An emulator, a production tracker and Airflow, connected.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tools.airflow_api import AirflowApi
from tools.local_airflow import LocalAirflow
from tools.local_emulator import KEY, LocalEmulator
from tools.tracker import LocalTracker

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "demo"
QUICKSTART, NIGHTLY, SHOT = "renderjuice_quickstart", "renderjuice_nightly", "renderjuice_shot"

WALL = "plugin/renders"
"""Where the render wall is in Airflow's web UI."""
PRICE = {"rate": 0.9, "currency": "EUR"}
"""Invented: what a normalized hour costs, so that the wall has amounts to show."""


class DemoServices(NamedTuple):
    """All of them, ready."""

    emulator: LocalEmulator
    tracker: LocalTracker
    airflow: LocalAirflow

    @property
    def pids(self) -> list[int]:
        """The sessions to stop, if nobody else does."""
        programs = [self.emulator.program, self.tracker.program, *self.airflow.programs.values()]
        return [program.pid for program in programs]


def start_services(cleanup: ExitStack) -> DemoServices:
    """Start all of them, with the demo's folders. Closing `cleanup` ends them."""
    emulator = LocalEmulator(DEMO, "--speed", "3")  # of what no renderer does: provisioning, packaging
    cleanup.callback(emulator.stop)
    tracker = LocalTracker(DEMO)
    cleanup.callback(tracker.program.stop)
    airflow = _airflow()
    cleanup.callback(airflow.stop)
    airflow.start()
    _connect(airflow, emulator, tracker)
    return DemoServices(emulator, tracker, airflow)


def _airflow() -> LocalAirflow:
    environment = {
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "RENDERJUICE_SHOT_LIST": str(DEMO / "scenes" / "shots.yaml"),
        "RENDERJUICE_DELIVERIES": str(DEMO / "deliveries"),
        "RENDERJUICE_WORK": str(DEMO / "work"),
        "RENDERJUICE_POLL_INTERVAL": "5",  # someone is watching
        "RENDERJUICE_POOL": "renderjuice",
    }
    return LocalAirflow(DEMO / "airflow", ROOT / "dags", environment, port=8080)


def _connect(airflow: AirflowApi, emulator: LocalEmulator, tracker: LocalTracker) -> None:
    """Connections and pool, made as a user would make them: so the web UI shows them."""
    renderjuice = {"connection_id": "renderjuice_default", "conn_type": "renderjuice", "host": emulator.base_url}
    port = urlsplit(emulator.base_url).port  # given twice, since the web UI's Test button wants one
    airflow.make("/connections", renderjuice | {"password": KEY, "port": port, "extra": json.dumps(PRICE)})
    airflow.make("/connections", {"connection_id": "production_tracker", "conn_type": "http", "host": tracker.url})
    pool = {"name": "renderjuice", "slots": 8, "description": "Renders at once", "include_deferred": True}
    airflow.make("/pools", pool)
