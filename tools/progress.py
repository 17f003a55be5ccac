"""What the demo says in the terminal while Airflow works."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tools.airflow_api import AirflowApi
from tools.demo_services import NIGHTLY, SHOT

_LOUD = frozenset({"deferred", "success", "failed", "up_for_retry"})


class Narrator:
    """Lines with the time since the start.

    Every change of a task, and what its log says while it is deferred.
    """

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._states: dict[tuple[str, str, int], str] = {}
        self._shown: set[tuple[str, str]] = set()

    def log(self, text: str) -> None:
        """One line."""
        print(f"{time.monotonic() - self._start:6.1f} s  {text}", flush=True)

    def title(self, text: str) -> None:
        """The beginning of a new part."""
        print(f"\n          {text}\n", flush=True)

    def show_tasks(self, airflow: AirflowApi) -> None:
        """What has changed since the last call, in all runs: a night starts one for each shot."""
        for task in sorted(airflow.tasks("~", "~"), key=lambda task: task["start_date"] or "9"):
            key, state = (task["dag_run_id"], task["task_id"], task["map_index"]), task["state"]
            before = self._states.get(key)
            self._states[key] = state
            if "deferred" in (state, before) and task["dag_id"] != NIGHTLY:  # its tasks only wait for the shots' runs
                self._show_log(airflow, task)
            if state in _LOUD and state != before:
                no_slot = " (no worker slot is held)" if state == "deferred" else ""
                self.log(f"{_name(task):<44} {state}{no_slot}")

    def _show_log(self, airflow: AirflowApi, task: dict[str, Any]) -> None:
        where = (task["dag_id"], task["dag_run_id"], task["task_id"])
        log = airflow.task_log(*where, task["try_number"], task["map_index"])
        for line in log.splitlines():
            if line.startswith("Job ") and (_name(task), line) not in self._shown:
                self._shown.add((_name(task), line))
                self.log(f"{_name(task):<44}   {line.partition(' is ')[2] or line}")

    def show_shares(self, night: Path) -> None:
        """Which shots had to wait for their share of a night's ceiling, and what quotes came to."""
        waited = set()
        for path in sorted((night / "shares").glob("0*.json")):
            found = json.loads(path.read_text())
            for name, shot in found["shots"].items():
                if shot["state"] == "waiting" and name not in waited:
                    waited.add(name)
                    most = sum(quote["most"] for quote in shot["quotes"].values())
                    self.log(f"  {name} waits for its share: it may cost {most:.0f} s of {found['ceiling']:.0f} s")
        for name, entry in json.loads((night / "summary.json").read_text())["shots"].items():
            quote, seconds = entry.get("quote"), entry.get("render_seconds", 0.0)
            expected = (
                f"quoted {quote['likely']:.0f} s ({quote['least']:.0f} to {quote['most']:.0f})" if quote else "no quote"
            )
            self.log(f"  {name}: {entry['state']}, {expected}, it came to {seconds:.0f} s")
        self.log(f"  bill: {night / 'bill.csv'}")

    def show_summary(self, deliveries: Path) -> None:
        """What the nightly DAG wrote about its night."""
        for summary in sorted(deliveries.glob("nights/*/summary.md")):
            for line in summary.read_text().splitlines():
                if line:
                    self.log(f"  {line}")

    def show_results(self, folder: Path) -> None:
        """The files to look at."""
        self.title("To look at")
        for report in sorted((folder / "deliveries").glob("nights/*/report.html")):
            self.log(f"{report}   (the night, for a browser)")
        self._show_frames(folder / "quickstart")
        for pointer in sorted((folder / "deliveries" / "shots").glob("*/current.json")):
            current = pointer.parent / json.loads(pointer.read_text())["version"]
            for path in sorted(path for path in current.iterdir() if path.is_file()):
                self.log(str(path))

    def _show_frames(self, folder: Path) -> None:
        files = [path for path in folder.rglob("*") if path.is_file()]
        for parent in sorted({path.parent for path in files}):
            names = sorted(path.name for path in files if path.parent == parent)
            shown = ", ".join(names) if len(names) <= 3 else f"{names[0]} ... {names[-1]} ({len(names)} files)"
            self.log(f"{parent}: {shown}")


def _name(task: dict[str, Any]) -> str:
    """Such as `cit_010_juice render base`: the shot, the task, and the layer of a mapped one."""
    words = [task["dag_run_id"].partition("__")[0]] if task["dag_id"] == SHOT else []
    words += [task["task_id"]]
    if task["map_index"] >= 0:
        words += [str(task["rendered_map_index"] or task["map_index"])]
    return " ".join(words)
