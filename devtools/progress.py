"""What the demo says in the terminal while Airflow works."""

from __future__ import annotations

import time
from pathlib import Path

from devtools.local_airflow import LocalAirflow

_LOUD = ("deferred", "running", "success", "failed", "skipped", "upstream_failed", "up_for_retry")


class Narrator:
    """Lines with the time since the start: every change of a task, and what its log says while it is deferred."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._states: dict[tuple[str, int], str] = {}
        self._told: set[tuple[str, str]] = set()

    def say(self, text: str) -> None:
        """One line."""
        print(f"{time.monotonic() - self._start:6.1f} s  {text}", flush=True)

    def show_tasks(self, airflow: LocalAirflow, dag_id: str, run_id: str) -> None:
        """What has changed since the last call."""
        for task in sorted(airflow.tasks(dag_id, run_id), key=lambda task: task["start_date"] or "9"):
            key, state = (task["task_id"], task["map_index"]), task["state"]
            name = (
                task["task_id"]
                if task["map_index"] < 0
                else f"{task['task_id']}[{task['rendered_map_index'] or key[1]}]"
            )
            if state in {"deferred", "success", "failed"} and (
                state == "deferred" or self._states.get(key) == "deferred"
            ):
                self._show_log(airflow, dag_id, run_id, task, name)
            if state in _LOUD and self._states.get(key) != state:
                no_slot = " (no worker slot is held)" if state == "deferred" else ""
                self.say(f"{name:<12} {state}{no_slot}")
            self._states[key] = state

    def _show_log(self, airflow: LocalAirflow, dag_id: str, run_id: str, task: dict[str, object], name: str) -> None:
        log = airflow.task_log(
            dag_id, run_id, str(task["task_id"]), int(str(task["try_number"])), int(str(task["map_index"]))
        )
        for line in log.splitlines():
            if line.startswith("Job ") and (name, line) not in self._told:
                self._told.add((name, line))
                self.say(f"{name:<12}   {line}")

    def show_results(self, folder: Path) -> None:
        """The files that the run left, by kind."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        for parent in sorted({path.parent for path in files}):
            names = sorted(path.name for path in files if path.parent == parent)
            self.say(
                f"{parent}: {', '.join(names) if len(names) <= 3 else f'{names[0]} ... {names[-1]} ({len(names)} files)'}"
            )
