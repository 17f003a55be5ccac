"""Rows from Airflow's tables, with few queries for all of them. Blocks: call it in a thread.

For a night of three hundred shots that is: their runs, the tasks of these, what these have left
(XComs, rendered fields, and the state store where Airflow has one), and DAG versions that are new.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from airflow.models.dagrun import DagRun, DagRunNote
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from sqlalchemy import Select, and_, exists, func, or_, select

from renderjuice_provider import xcom_keys
from renderjuice_provider._task_state import RECORD_KEY
from renderjuice_provider.wall._dag_versions import DagVersions
from renderjuice_provider.wall._grouping import RowKey, RunFacts, rows_of
from renderjuice_provider.wall._left import RESULT, plain, with_written, with_xcoms
from renderjuice_provider.wall.facts import RowFacts, TaskFacts
from renderjuice_provider.wall.roles import RENDERS, Role, role_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session

try:
    from airflow.models.task_state_store import TaskStateStoreModel
except ImportError:  # before Airflow 3.3
    TaskStateStoreModel = None  # type: ignore[assignment, misc]

MOST_RUNS = 1000
"""Runs that are read, the newest. A night of more shots says that there are more."""
MOST_ROWS = 1000
_ALIVE = ("queued", "running")
_WITH_RESULT = RENDERS | {Role.CREATE, Role.WAIT}
"""Whose result a row needs; that of a validation is its long analysis, which it does not."""
_RECORDS = (RECORD_KEY, "renderjuice_rounds")
"""Where tasks keep the record of their jobs, in the state store."""
_OURS = "Renderjuice%"


@dataclass(frozen=True)
class Window:
    """Which rows are wanted.

    Attributes:
        since: runs that were alive at or after this; None for any time.
        dag_id: only of this DAG.
        run_id: only of this run.
        task_id: only rows that this task belongs to.
        map_index: only those of this map index of that task.
    """

    since: datetime | None = None
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None

    def takes(self, row: RowFacts) -> bool:
        """Whether a row of its runs is wanted, too."""
        return self.task_id is None or any(
            task.task_id == self.task_id and self.map_index in {None, task.map_index} for task in row.tasks
        )


class Rows:
    """Reads rows; keeps how the tasks of DAGs hang together."""

    def __init__(self) -> None:
        self._versions = DagVersions()

    def read(self, session: Session, window: Window) -> tuple[list[RowFacts], bool]:
        """The rows of a window, those of the newest runs first, and whether there are more."""
        wanted = _runs().order_by(func.coalesce(DagRun.start_date, DagRun.run_after).desc()).limit(MOST_RUNS + 1)
        if window.since is not None:
            wanted = wanted.where(or_(DagRun.state.in_(_ALIVE), DagRun.end_date >= window.since))
        if window.dag_id is not None:
            wanted = wanted.where(DagRun.dag_id == window.dag_id)
        if window.run_id is not None:
            wanted = wanted.where(DagRun.run_id == window.run_id)
        runs = session.execute(wanted).all()
        rows = [row for row in self._rows(session, runs[:MOST_RUNS]) if window.takes(row)]
        return rows[:MOST_ROWS], len(rows) > MOST_ROWS or len(runs) > MOST_RUNS

    def read_one(self, session: Session, key: RowKey) -> RowFacts | None:
        """One row as it is now; None when its run is gone, or its task is no row of it."""
        found, _ = self.read(session, Window(dag_id=key.dag_id, run_id=key.run_id))
        return next((row for row in found if row.id == key.text), None)

    def read_those(self, session: Session, runs: Collection[tuple[str, str]]) -> list[RowFacts]:
        """The rows of these runs, by the ids of their DAGs and their own."""
        found = []
        for dag_id in {dag_id for dag_id, _ in runs}:
            run_ids = [run_id for other, run_id in runs if other == dag_id]
            found += self.read_runs(
                session, select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(run_ids))
            )
        return found

    def read_runs(self, session: Session, wanted: Select[Any]) -> list[RowFacts]:
        """The rows of the runs that a query selects by `DagRun.id`."""
        ids = session.scalars(wanted).all()  # MySQL knows no limit in a subquery
        return self._rows(session, session.execute(_runs().where(DagRun.id.in_(ids))).all())

    def _rows(self, session: Session, runs: Sequence[Any]) -> list[RowFacts]:
        ids = [run.id for run in runs]
        tasks = _tasks(session, ids)
        versions = {version for of_run in tasks.values() for version, _ in of_run}
        structures = self._versions.read(session, versions)
        rows = []
        for run in runs:
            of_run = tasks.get(run.id, ())
            structure = self._versions.together(structures[version] for version, _ in of_run if version in structures)
            facts = RunFacts(run.dag_id, run.run_id, run.state or "", run.run_after, run.conf or {}, run.content or "")
            rows += rows_of(facts, [with_written(task, structure) for _, task in of_run], structure)
        return rows


def _runs() -> Select[Any]:
    """Runs in which a task of ours is, or one that has published a job: a studio's own operator."""
    ours = exists().where(
        TaskInstance.dag_id == DagRun.dag_id,
        TaskInstance.run_id == DagRun.run_id,
        TaskInstance.operator.like(_OURS),
    )
    published = exists().where(XComModel.dag_run_id == DagRun.id, XComModel.key == xcom_keys.JOB_ID)
    return (
        select(
            DagRun.id,
            DagRun.dag_id,
            DagRun.run_id,
            DagRun.state.label("state"),
            DagRun.run_after,
            DagRun.conf,
            DagRunNote.content,
        )
        .outerjoin(DagRunNote, DagRunNote.dag_run_id == DagRun.id)
        .where(or_(ours, published))
    )


def _tasks(session: Session, ids: Collection[int]) -> dict[int, list[tuple[Any, TaskFacts]]]:
    """By run, its tasks and the versions of their DAG."""
    columns = (
        *(TaskInstance.id, TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index),
        *(TaskInstance.operator, TaskInstance.state, TaskInstance.try_number, TaskInstance.max_tries),
        *(TaskInstance.start_date, TaskInstance.end_date, TaskInstance.dag_version_id),
        cast("ColumnElement[str | None]", TaskInstance.rendered_map_index).label("label"),
        DagRun.id.label("dag_run_id"),
    )
    of_run = and_(DagRun.dag_id == TaskInstance.dag_id, DagRun.run_id == TaskInstance.run_id)
    found = session.execute(select(*columns).join(DagRun, of_run).where(DagRun.id.in_(ids))).all()
    roles = {(ti.operator, ti.task_id): role_of(ti.operator or "", ti.task_id) for ti in found}
    with_result = {task_id for (_, task_id), role in roles.items() if role in _WITH_RESULT}
    xcoms = _xcoms(session, ids, with_result)
    fields = _fields(session, ids, {task_id for (_, task_id), role in roles.items() if role is not Role.OTHER})
    records = _records(session, ids)
    tasks: dict[int, list[tuple[Any, TaskFacts]]] = defaultdict(list)
    for ti in found:
        place = (ti.dag_run_id, ti.task_id, ti.map_index)
        facts = TaskFacts(
            id=str(ti.id),
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=ti.map_index,
            operator=ti.operator or "",
            role=roles[ti.operator, ti.task_id],
            state=None if ti.state is None else str(ti.state),
            try_number=ti.try_number or 0,
            max_tries=ti.max_tries or 0,
            started=ti.start_date,
            ended=ti.end_date,
            label=None if ti.label == str(ti.map_index) else ti.label,
            fields=fields.get(place, {}),
        )
        tasks[ti.dag_run_id].append(
            (ti.dag_version_id, with_xcoms(facts, xcoms.get(place, {}), records.get(place, ())))
        )
    return tasks


def _xcoms(session: Session, ids: Collection[int], with_result: Collection[str]) -> dict[Any, dict[str, Any]]:
    wanted = or_(
        XComModel.key.in_((xcom_keys.JOB_ID, xcom_keys.CONFIG, xcom_keys.QUOTE, xcom_keys.REASON)),
        and_(XComModel.key == RESULT, XComModel.task_id.in_(with_result)),
    )
    columns = (XComModel.dag_run_id, XComModel.task_id, XComModel.map_index, XComModel.key, XComModel.value)
    found: dict[Any, dict[str, Any]] = defaultdict(dict)
    for run, task_id, index, key, value in session.execute(
        select(*columns).where(XComModel.dag_run_id.in_(ids), wanted)
    ):
        found[run, task_id, index][key] = plain(value)
    return found


def _fields(session: Session, ids: Collection[int], ours: Collection[str]) -> dict[Any, dict[str, Any]]:
    model = RenderedTaskInstanceFields
    of_run = and_(DagRun.dag_id == model.dag_id, DagRun.run_id == model.run_id)
    query = (
        select(DagRun.id, model.task_id, model.map_index, model.rendered_fields)
        .join(DagRun, of_run)
        .where(DagRun.id.in_(ids), model.task_id.in_(ours))
    )
    return {(run, task_id, index): fields or {} for run, task_id, index, fields in session.execute(query)}


def _records(session: Session, ids: Collection[int]) -> dict[Any, list[Mapping[str, Any]]]:
    model = TaskStateStoreModel
    if model is None:
        return {}
    query = select(model.dag_run_id, model.task_id, model.map_index, model.value).where(
        model.dag_run_id.in_(ids), model.key.in_(_RECORDS)
    )
    found: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for run, task_id, index, text in session.execute(query):
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, Mapping):
            found[run, task_id, index].append(record)
    return found
