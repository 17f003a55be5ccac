"""What the cluster's night has to show.

Every shot delivered once, one render for each job, nothing left running.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TaskKey = tuple[str, str, int]
"""The run, the task, and its map index."""


def key_of(task: Mapping[str, Any]) -> TaskKey:
    """What names a task instance of any DAG."""
    return task["dag_run_id"], task["task_id"], task["map_index"]


@dataclass(frozen=True)
class Kill:
    """One SIGKILL: of which container, and which tasks were on it."""

    container: str
    tasks: set[TaskKey]
    seconds: float


@dataclass(frozen=True)
class Figure:
    """A line of the table. What is neither expected nor has a least value is only shown."""

    name: str
    value: Any
    expected: Any = None
    least: int | None = None

    @property
    def problem(self) -> str:
        """What it should be; empty when it is so."""
        if self.expected is not None and self.value != self.expected:
            return f"should be {self.expected}"
        if self.least is not None and self.value < self.least:
            return f"should be {self.least} at least: the kill has proved nothing"
        return ""


def delivered(folder: Path) -> tuple[int, int]:
    """How many shots have a valid delivery, and how many versions of all shots there are.

    A delivery is valid if all files that its manifest names are there.
    """
    whole = versions = 0
    for shot in (folder / "shots").glob("*"):
        versions += sum(path.is_dir() for path in shot.iterdir())
        pointer = shot / "current.json"
        if pointer.exists():
            manifest = shot / json.loads(pointer.read_text())["manifest"]
            files = json.loads(manifest.read_text())["files"]
            whole += all((manifest.parent / file["path"]).stat().st_size == file["bytes"] for file in files)
    return whole, versions


def count(
    shots: int,
    ledger: Mapping[str, Any],
    tasks: list[dict[str, Any]],
    folder: Path,
    deliveries: Mapping[str, Any],
    kills: list[Kill],
) -> list[Figure]:
    """Everything that has to be right.

    Args:
        shots: how many were to be delivered.
        ledger: the emulator's.
        tasks: all task instances, as Airflow's API gives them.
        folder: of the deliveries.
        deliveries: what the production tracker knows, by delivery.
        kills: what was done to the cluster.
    """
    whole, versions = delivered(folder)
    renders = Counter[str]()
    for job in ledger["jobs"]:
        renders[job["file_name"]] += job["renders_started"]
    tries = {key_of(task): task["try_number"] for task in tasks}
    cut_off = [task for kill in kills if "worker" in kill.container for task in kill.tasks if tries[task] > 1]
    handed_over = [task for kill in kills if "triggerer" in kill.container for task in kill.tasks if tries[task] == 1]
    failed = [task for task in tasks if task["state"] in {"failed", "upstream_failed"}]
    return [
        Figure("shots", len(renders), shots),
        Figure("delivered, whole", whole, shots),
        Figure("versions delivered", versions, shots),
        Figure("deliveries reported to the tracker", len(deliveries), shots),
        Figure("jobs created", len(ledger["jobs"])),
        Figure("renders started", ledger["rendersStarted"], shots),
        Figure("most renders of one job", max((job["renders_started"] for job in ledger["jobs"]), default=0), 1),
        Figure("most renders of one shot", max(renders.values(), default=0), 1),
        Figure("jobs left running", len(ledger["jobsLeftRunning"]), 0),
        Figure("tasks failed in the end", len(failed), 0),
        Figure("containers killed", len(kills), 2),
        *(Figure(f"{kill.container} killed", f"after {kill.seconds:.0f} s, {len(kill.tasks)} tasks") for kill in kills),
        Figure("tasks cut off and tried again", len(cut_off), least=1),
        Figure("waits handed over, without a try", len(handed_over), least=1),
        Figure("tasks with more than one try", sum(number > 1 for number in tries.values())),
    ]


def show_figures(figures: list[Figure]) -> bool:
    """Print the table; whether all is as it should be."""
    print()
    for figure in figures:
        judged = figure.expected is not None or figure.least is not None
        mark = " " if not judged else "x" if figure.problem else "✓"
        print(f"{mark} {figure.name:<34} {figure.value}   {figure.problem}".rstrip())
    return not any(figure.problem for figure in figures)
