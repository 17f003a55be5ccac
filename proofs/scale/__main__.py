"""60 shots in one night and 300 scenes in one bulk run, with time sped up.

No task may fail, every render is paid for once, and every task of the grid carries its shot's name.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from renderjuice_emulator.scenes import write_scene
from tools.airflow_api import STATES_AT_END, AirflowApi
from tools.local_airflow import LocalAirflow
from tools.local_emulator import KEY, LocalEmulator
from tools.tracker import LocalTracker

ROOT = Path(__file__).parents[2]
NIGHT, BULK = 60, 300
PATIENCE = 45 * 60
"""Seconds for each run: far more than it takes, so a run that takes longer hangs."""


def main() -> None:
    """Run both, and print what became of them."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(mkdtemp(prefix="renderjuice-scale-"))
    write_scenes(folder)
    with ExitStack() as cleanup:
        emulator = LocalEmulator(folder, "--speed", "60", "--renderer", "fast")
        cleanup.callback(emulator.stop)
        tracker = LocalTracker(folder)
        cleanup.callback(tracker.program.stop)
        airflow = LocalAirflow(folder / "airflow", ROOT / "dags", environment(folder, emulator, tracker))
        cleanup.callback(airflow.stop)
        airflow.start()
        pool = {"name": "renderjuice", "slots": BULK, "description": "Renders at once", "include_deferred": True}
        airflow.make("/pools", pool)
        well = [
            finish(airflow, emulator, "renderjuice_nightly", {}, NIGHT),
            finish(airflow, emulator, "renderjuice_bulk", {"scenes": str(folder / "bulk")}, BULK),
        ]
    if not all(well):
        sys.exit(f"Not as it should be. Logs: {folder}")
    shutil.rmtree(folder)


def write_scenes(folder: Path) -> None:
    """Small scenes of three frames, a minute each: seconds at this speed."""
    for kind, count in (("night", NIGHT), ("bulk", BULK)):
        (folder / kind).mkdir()
        for number in range(count):
            name = f"{kind}_{number:03}.blend"
            write_scene(folder / kind / name, frame_end=3, resolution=(64, 36), seconds_per_frame=60 + number)
    shots = [{"name": f"shot_{number:03}", "file": f"night_{number:03}.blend"} for number in range(NIGHT)]
    shot_list = {"show": "scale", "defaults": {"render": {"colorManagementPreset": "default"}}, "shots": shots}
    (folder / "night" / "shots.json").write_text(json.dumps(shot_list))


def environment(folder: Path, emulator: LocalEmulator, tracker: LocalTracker) -> dict[str, str]:
    """Connections, and where things lie.

    Polls are as rare as by default: in that time a busy scheduler hears of a deferral.
    """
    renderjuice = {"conn_type": "renderjuice", "host": emulator.base_url, "password": KEY}
    return {
        "AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(renderjuice),
        "AIRFLOW_CONN_PRODUCTION_TRACKER": json.dumps({"conn_type": "http", "host": tracker.url}),
        "RENDERJUICE_SHOT_LIST": str(folder / "night" / "shots.json"),
        "RENDERJUICE_DELIVERIES": str(folder / "deliveries"),
        "RENDERJUICE_WORK": str(folder / "work"),
        "RENDERJUICE_POOL": "renderjuice",
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(2 * BULK),
        # One round of the scheduler over a thousand task instances takes seconds: what it hands out
        # must last until the next.
        "AIRFLOW__CORE__PARALLELISM": "12",
    }


def finish(airflow: AirflowApi, emulator: LocalEmulator, dag_id: str, conf: dict[str, Any], count: int) -> bool:
    """Run a DAG to its end, and print how it went; returns whether all is well."""
    before, began = emulator.renders_started(), time.monotonic()
    run_id = airflow.trigger(dag_id, conf)
    while (state := airflow.run_state(dag_id, run_id)) not in STATES_AT_END and time.monotonic() - began < PATIENCE:
        time.sleep(5)
    wall, tasks = time.monotonic() - began, airflow.tasks(dag_id, run_id)
    states = Counter(task["state"] for task in tasks)
    retried = sum(task["try_number"] > 1 for task in tasks)
    names = sum(
        bool(task["rendered_map_index"]) for task in tasks if task["map_index"] >= 0 and task["state"] == "success"
    )
    unnamed = sum(task["map_index"] >= 0 and task["state"] == "success" for task in tasks) - names
    renders = emulator.renders_started() - before
    print(f"{dag_id}: {state} in {wall:.0f} s ({os.cpu_count()} cores); {len(tasks)} task instances {dict(states)}")
    print(
        f"  tried again {retried}, without a name in the grid {unnamed}, renders paid for {renders} of {count}",
        flush=True,
    )
    return state == "success" and not states["failed"] and renders == count and not unnamed


if __name__ == "__main__":
    main()
