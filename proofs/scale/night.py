"""One run on an Airflow of its own, and what is to be counted about it."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

from proofs.hostile.database import Database
from proofs.scale.watch import LOUD, Asking, scheduler_rounds, tasks_taken_for_dead
from renderjuice_emulator.scenes import write_scene
from tools.airflow_api import STATES_AT_END
from tools.local_airflow import LocalAirflow
from tools.local_emulator import KEY, LocalEmulator
from tools.processes import cpu_seconds
from tools.tracker import LocalTracker

SPEED = 60
FRAMES = 3
MOST = 600
"""Task instances and renders that may run at once: more than there are shots or scenes."""
PATIENCE = 45 * 60
"""Seconds for a run: far more than it takes, so a run that takes longer hangs."""
POOL = {"name": "renderjuice", "slots": MOST, "description": "Renders at once", "include_deferred": True}


@dataclass(frozen=True)
class Outcome:
    """What came of a run."""

    name: str
    state: str
    wall: float
    tasks: list[dict[str, Any]]
    renders: int
    rounds: list[float]
    """Seconds of the scheduler's rounds."""
    dead: list[str]
    """Lines of the scheduler's log about tasks that it took for dead."""
    cpu: float
    """Seconds of processors that Airflow and its tasks used. Unlike `wall`, hardly depends on what
    else the machine does."""
    stall: float
    """Seconds that the API server took at most for an answer."""

    @property
    def retried(self) -> int:
        """Tasks that were tried more than once."""
        return sum(task["try_number"] > 1 for task in self.tasks)

    @property
    def failed(self) -> int:
        """Tasks that did not come to a good end."""
        return sum(task["state"] in {"failed", "upstream_failed"} for task in self.tasks)

    @property
    def unnamed(self) -> int:
        """Mapped tasks that ran and show a number in the grid, not a name."""
        ran = [task for task in self.tasks if task["map_index"] >= 0 and task["state"] == "success"]
        return sum(not task["rendered_map_index"] for task in ran)

    def show(self, wanted: int) -> None:
        """Print all of it.

        Args:
            wanted: renders that were to be paid for.
        """
        states = Counter(task["state"] for task in self.tasks)
        runs = len({(task["dag_id"], task["dag_run_id"]) for task in self.tasks})
        print(f"{self.name}: {self.state} in {self.wall:.0f} s, with {self.cpu:.0f} s of processors")
        print(f"  {len(self.tasks)} task instances in {runs} runs {dict(states)}")
        print(f"  tried again {self.retried}, taken for dead {len(self.dead)}, without a name {self.unnamed}")
        print(f"  renders paid for {self.renders} of {wanted}")
        print(
            f"  rounds of the scheduler: {len(self.rounds)}, the longest {max(self.rounds, default=0):.1f} s,", end=""
        )
        print(f" half of them below {median(self.rounds or [0]):.2f} s")
        print(f"  longest wait for an answer of the API server {self.stall:.1f} s", flush=True)

    def show_times(self) -> None:
        """Print where the time went: by task, in seconds, the median of all of its instances."""
        by_task: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for task in self.tasks:
            if task["start_date"] and task["end_date"]:
                by_task[f"{task['dag_id'].removeprefix('renderjuice_')}.{task['task_id']}"].append(task)
        print(f"  {'task':<40}{'times':>6}{'scheduled':>11}{'queued':>8}{'runs':>7}{'in all':>8}")
        for name, tasks in sorted(by_task.items(), key=lambda item: _first(item[1])):
            scheduled = median(_between(task, "scheduled_when", "queued_when") for task in tasks)
            queued = median(_between(task, "queued_when", "start_date") for task in tasks)
            runs = [_between(task, "start_date", "end_date") for task in tasks]
            print(f"  {name:<40}{len(tasks):>6}{scheduled:>11.1f}{queued:>8.1f}{median(runs):>7.1f}{sum(runs):>8.0f}")

    def problems(self, wanted: int) -> list[str]:
        """What is not as it has to be."""
        return [
            f"{self.name}: {text}"
            for wrong, text in (
                (self.state != "success", f"ended as {self.state}"),
                (self.failed, f"{self.failed} tasks failed"),
                (self.renders != wanted, f"{self.renders} renders were paid for, not {wanted}"),
                (self.unnamed, f"{self.unnamed} tasks have no name in the grid"),
                (self.dead, f"{len(self.dead)} tasks were taken for dead: {self.dead[0][:300] if self.dead else ''}"),
            )
            if wrong
        ]


def _first(tasks: list[dict[str, Any]]) -> str:
    return str(min(task["start_date"] for task in tasks))


def _between(task: Mapping[str, Any], begin: str, end: str) -> float:
    """Seconds; 0 where one of both is not known. Of a deferred task Airflow keeps the last ones."""
    if not task.get(begin) or not task.get(end):
        return 0.0
    return max(0.0, (datetime.fromisoformat(task[end]) - datetime.fromisoformat(task[begin])).total_seconds())


def write_scenes(folder: Path, count: int) -> Path:
    """Small scenes, with seconds of rendering at this speed, and the list that names them."""
    folder.mkdir(parents=True)
    shots = []
    for number in range(count):
        name = f"shot_{number:03}"
        write_scene(folder / f"{name}.blend", frame_end=FRAMES, resolution=(64, 36), seconds_per_frame=60 + number)
        shots.append({"name": name, "file": f"{name}.blend"})
    shot_list = {"show": "scale", "defaults": {"render": {"colorManagementPreset": "default"}}, "shots": shots}
    (folder / "shots.json").write_text(json.dumps(shot_list))
    return folder


def perform(
    name: str,
    folder: Path,
    scenes: Path,
    dags: Path,
    dag_id: str,
    *,
    conf: Mapping[str, Any] | None = None,
    on_postgres: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a DAG to its end, on an Airflow, an emulator and a tracker of its own."""
    folder.mkdir()
    with ExitStack() as cleanup:
        emulator = LocalEmulator(folder, "--speed", str(SPEED), "--renderer", "fast")
        cleanup.callback(emulator.stop)
        tracker = LocalTracker(folder)
        cleanup.callback(tracker.program.stop)
        environment = _environment(folder, scenes, emulator, tracker)
        if on_postgres:
            database = cleanup.enter_context(Database(folder / "postgres.log"))
            environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = database.url
        airflow = LocalAirflow(folder / "airflow", dags, environment | dict(settings or {}))
        cleanup.callback(airflow.stop)
        airflow.start()
        airflow.make("/pools", POOL)
        sessions = [program.pid for program in airflow.programs.values()]
        with Asking(airflow.url) as asking:
            began, cpu = time.monotonic(), cpu_seconds(sessions)
            run_id = airflow.trigger(dag_id, conf)
            while (state := airflow.run_state(dag_id, run_id)) not in STATES_AT_END:
                if time.monotonic() - began > PATIENCE:
                    break
                time.sleep(2)
            wall, cpu = time.monotonic() - began, cpu_seconds(sessions) - cpu
        log = airflow.programs["scheduler"].log
        return Outcome(
            name,
            state,
            wall,
            airflow.tasks("~", "~"),
            emulator.renders_started(),
            scheduler_rounds(log),
            tasks_taken_for_dead(log),
            cpu,
            asking.longest,
        )


def _environment(folder: Path, scenes: Path, emulator: LocalEmulator, tracker: LocalTracker) -> dict[str, str]:
    """Connections, and where things lie.

    Polls are as rare as by default: in that time a busy scheduler hears of a deferral.
    """
    renderjuice = {"conn_type": "renderjuice", "host": emulator.base_url, "password": KEY}
    return {
        **LOUD,
        "AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(renderjuice),
        "AIRFLOW_CONN_PRODUCTION_TRACKER": json.dumps({"conn_type": "http", "host": tracker.url}),
        "RENDERJUICE_SHOT_LIST": str(scenes / "shots.json"),
        "RENDERJUICE_DELIVERIES": str(folder / "deliveries"),
        "RENDERJUICE_WORK": str(folder / "work"),
        "RENDERJUICE_POOL": str(POOL["name"]),
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(MOST),
        # A round of the scheduler over a thousand task instances takes seconds: what it hands out
        # must last until the next.
        "AIRFLOW__CORE__PARALLELISM": "12",
    }
