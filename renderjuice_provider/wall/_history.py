"""A row's past: the same shot in other nights, and what it was rendered with. Blocks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import or_, select

from renderjuice_provider.api.redact import storable
from renderjuice_provider.wall._database import Rows
from renderjuice_provider.wall.facts import Look, RowFacts
from renderjuice_provider.wall.models import Change, Configs, Past
from renderjuice_provider.wall.roles import RENDERS
from renderjuice_provider.wall.rows import make_row

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

MOST_NIGHTS = 30
"""Of the past, the newest."""
_NOT_COMPARED = frozenset({"notes"})


def read(session: Session, rows: Rows, row: RowFacts) -> tuple[list[Past], Configs]:
    """The other nights of a row, the newest first, and its configuration against the one before."""
    found = rows.read_runs(session, _runs_of_the_same(row))
    same = [other for other in found if other.id != row.id and _is_the_same(other, row)]
    same.sort(key=lambda other: other.run_after or datetime.min.replace(tzinfo=UTC), reverse=True)
    before = next((config for other in same if _before(other, row) and (config := _config(other))), None)
    return [_past(other) for other in same[:MOST_NIGHTS]], compare(_config(row), before)


def compare(now: Mapping[str, Any], before: Mapping[str, Any] | None) -> Configs:
    """Two configurations, field by field; of nested ones as `outputSettings.colorDepth`."""
    flat, old = _flat(now), _flat(before or {})
    changes = [
        Change(field=name, before=old.get(name), now=flat.get(name))
        for name in sorted(flat.keys() | old.keys())
        if before is not None and flat.get(name) != old.get(name) and name not in _NOT_COMPARED
    ]
    return Configs(
        now=storable(dict(now)), before=storable(dict(before)) if before is not None else None, changes=changes
    )


def _runs_of_the_same(row: RowFacts) -> Any:
    """Runs in which the same shot, or the same mapped task, may be: the newest."""
    query = select(DagRun.id).where(DagRun.dag_id == row.dag_id)
    if row.is_shot:
        named = [(name, str(row.conf[name])) for name in ("shot", "file") if row.conf.get(name)]
        query = query.where(or_(*(DagRun.conf[name].as_string() == value for name, value in named)))
    else:
        heart = next((task for task in row.tasks if task.task_id == row.heart), row.tasks[-1])
        label: Any = TaskInstance.rendered_map_index
        is_labelled = heart.label and heart.map_index >= 0
        same = label == heart.label if is_labelled else TaskInstance.map_index == heart.map_index
        query = query.join(
            TaskInstance, (TaskInstance.dag_id == DagRun.dag_id) & (TaskInstance.run_id == DagRun.run_id)
        ).where(TaskInstance.task_id == heart.task_id, same)
    return query.order_by(DagRun.run_after.desc()).limit(MOST_NIGHTS + 1)


def _is_the_same(other: RowFacts, row: RowFacts) -> bool:
    if other.is_shot is not row.is_shot or other.heart != row.heart:
        return False
    return row.is_shot or _label(other) == _label(row)


def _label(row: RowFacts) -> tuple[str | None, int]:
    """What distinguishes one task of a mapping from the others: its label, or its place."""
    heart = next((task for task in row.tasks if task.task_id == row.heart), row.tasks[-1])
    return (heart.label, 0) if heart.label and heart.map_index >= 0 else (None, heart.map_index)


def _before(other: RowFacts, row: RowFacts) -> bool:
    return other.run_after is None or row.run_after is None or other.run_after < row.run_after


def _past(row: RowFacts) -> Past:
    made = make_row(row, Look(), datetime.now(UTC))
    frames, seconds = made.frames, made.normalized_seconds
    night = row.conf.get("date") or (row.run_after.date().isoformat() if row.run_after else "")
    return Past(
        night=storable(str(night)),
        run_id=row.run_id,
        state=made.state,
        frames=frames.done if frames else None,
        normalized_seconds=seconds,
        seconds_per_frame=round(seconds / frames.done, 3) if seconds is not None and frames and frames.done else None,
        elapsed=made.elapsed,
        link=made.links.run,
    )


def _config(row: RowFacts) -> dict[str, Any]:
    """What the row's first layer renders with; a shot's layers differ in their scenes."""
    return next((dict(task.config) for task in row.tasks if task.role in RENDERS and task.config), {})


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= (
            _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": storable(value)}
        )
    return found
