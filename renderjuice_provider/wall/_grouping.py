"""From the task instances of a run to its rows. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from renderjuice_provider._row_id import row_id
from renderjuice_provider.wall._structure import Structure
from renderjuice_provider.wall.facts import RowFacts, TaskFacts
from renderjuice_provider.wall.roles import RENDERS, Role

LONGEST_ID = 2000
"""Characters of a row's id that are read at all: those of Airflow's ids are at most 250 each."""


@dataclass(frozen=True)
class RowKey:
    """What a row's id stands for: a task of a run and its map index; no task: the whole run."""

    dag_id: str
    run_id: str
    task_id: str = ""
    map_index: int = -1

    @property
    def text(self) -> str:
        """Opaque, and safe in a URL."""
        return row_id(self.dag_id, self.run_id, self.task_id, self.map_index)

    @classmethod
    def parse(cls, text: str) -> RowKey | None:
        """From an id; None when it is none."""
        try:
            padded = text[:LONGEST_ID].encode("ascii")
            fields = json.loads(base64.b64decode(padded + b"=" * (-len(padded) % 4), altchars=b"-_", validate=True))
        except (ValueError, binascii.Error, RecursionError):
            return None
        match fields:
            case [str(dag_id), str(run_id), str(task_id), int(map_index)] if not isinstance(map_index, bool):
                key = cls(dag_id, run_id, task_id, map_index)
                return key if key.text == text else None
        return None


@dataclass(frozen=True)
class RunFacts:
    """A run, as its rows need it; for the fields see `RowFacts`."""

    dag_id: str
    run_id: str
    state: str
    run_after: datetime | None
    conf: Mapping[str, Any]
    note: str = ""


def rows_of(run: RunFacts, tasks: Sequence[TaskFacts], structure: Structure) -> list[RowFacts]:
    """The rows of a run, in the order of the DAG.

    A run that names its `shot` or `file` is one row. Else each task that renders is one, with what
    prepares its job and what fetches its frames; of a mapped task, each map index is.
    """
    tasks = sorted(tasks, key=lambda task: (structure.order.get(task.task_id, len(structure.order)), task.map_index))
    conf = {**structure.params, **run.conf}
    if conf.get("shot") or conf.get("file"):
        return [_row(RowKey(run.dag_id, run.run_id), run, conf, _expanded(tasks), is_shot=True)]
    hearts = structure.hearts(task.task_id for task in tasks if task.job_id)
    hearts = _of_unknown_versions(tasks, structure) | hearts
    groups: dict[tuple[str, int], list[TaskFacts]] = defaultdict(list)
    for task in _expanded([task for task in tasks if task.task_id in hearts]):
        groups[hearts[task.task_id], task.map_index].append(task)
    place = structure.order
    ordered = sorted(groups, key=lambda key: (place.get(key[0], len(place)), key[1]))
    shared = _shared(groups)
    return [
        _row(RowKey(run.dag_id, run.run_id, heart, index), run, conf, groups[heart, index])
        for heart, index in ordered
        if (heart, index) not in shared
    ]


def _of_unknown_versions(tasks: Iterable[TaskFacts], structure: Structure) -> dict[str, str]:
    """Hearts of tasks whose version of the DAG is gone: one task that renders makes one row."""
    unknown = {task.task_id: task.role for task in tasks if task.task_id not in structure.operators}
    rendering = [task_id for task_id, role in unknown.items() if role in RENDERS]
    return {
        task_id: rendering[0] if len(rendering) == 1 else task_id
        for task_id, role in unknown.items()
        if role not in {Role.OTHER, Role.COMPOSITE, Role.DELIVER}
    }


def _shared(groups: Mapping[tuple[str, int], Sequence[TaskFacts]]) -> set[tuple[str, int]]:
    """Groups that are no row: tasks that all rows of a mapped task have in common.

    Such as one task before them, or what is not expanded yet while tasks before it are.
    """
    mapped = {heart for heart, index in groups if index >= 0}
    return {(heart, index) for heart, index in groups if index < 0 and heart in mapped}


def _expanded(tasks: Iterable[TaskFacts]) -> list[TaskFacts]:
    """Without what a clear or another mapping has removed."""
    return [task for task in tasks if task.state != "removed"]


def _row(
    key: RowKey, run: RunFacts, conf: Mapping[str, Any], tasks: Iterable[TaskFacts], *, is_shot: bool = False
) -> RowFacts:
    return RowFacts(
        id=key.text,
        dag_id=run.dag_id,
        run_id=run.run_id,
        run_state=run.state,
        run_after=run.run_after,
        conf=conf,
        note=run.note,
        tasks=tuple(tasks),
        is_shot=is_shot,
        heart=key.task_id,
    )
