"""What tasks leave in Airflow: XComs, records, template fields. Pure, and never an error.

Also not for a text of brackets alone: one task must not take the night from everybody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from renderjuice_provider import xcom_keys
from renderjuice_provider.api.redact import storable
from renderjuice_provider.wall._structure import Structure
from renderjuice_provider.wall.facts import Left, TaskFacts
from renderjuice_provider.wall.models import RowState
from renderjuice_provider.wall.roles import Role, role_of

RESULT = "return_value"
_ABSURD = 1e12
"""Of seconds, a number that nobody has rendered."""
_LEFT_STATES = {
    **{str(state): state for state in (RowState.FAILED, RowState.REJECTED, RowState.STOPPED, RowState.SKIPPED)},
    "waiting": RowState.WAITING,
    "held": RowState.SKIPPED,  # not rendered this night
}
"""What a task says became of its row, and what the row is then."""


def with_xcoms(task: TaskFacts, xcoms: Mapping[str, Any], records: Iterable[Any]) -> TaskFacts:
    """With what a task has left: its jobs, its result, and why it failed."""
    result = xcoms.get(RESULT)
    results = result if isinstance(result, Mapping) else {}
    jobs: dict[str, float | None] = {}
    job_id = _text(xcoms.get(xcom_keys.JOB_ID)) or _text(results.get("job_id"))
    if task.role is Role.CREATE:
        job_id = job_id or _text(result)
    for record in records:
        done = record.get("done")
        for each in done if isinstance(done, list) else ():
            if isinstance(each, Mapping) and (earlier := _text(each.get("job_id"))):
                jobs[earlier] = _number(each.get("normalized_seconds"))
        job_id = job_id or _text(record.get("job_id"))
    if isinstance(billed := results.get("jobs"), Mapping):
        jobs |= {job: _number(seconds) for job, seconds in billed.items()}
    if task.role in {Role.RENDER, Role.WAIT, Role.VALIDATE, Role.CANCEL, Role.DOWNLOAD}:
        job_id = job_id or _text(task.fields.get("job_id"))
    has_job = xcom_keys.JOB_ID in xcoms
    return replace(
        task,
        role=role_of(task.operator, task.task_id, has_job=has_job) if task.role is Role.OTHER else task.role,
        job_id=job_id,
        config=_config(xcoms.get(xcom_keys.CONFIG)) or _config(task.fields.get("render_config")),
        results=results,
        jobs=jobs,
        left=_left(xcoms.get(xcom_keys.REASON)),
        quote=_quote(xcoms.get(xcom_keys.QUOTE)),
    )


def with_written(task: TaskFacts, structure: Structure) -> TaskFacts:
    """With what the DAG file says, where Airflow has not kept what was rendered."""
    written = structure.fields.get(task.task_id)
    if written is None and task.role is Role.OTHER:
        return task
    fields = {**(written or {}), **task.fields}
    return replace(
        task,
        fields=fields,
        conn_id=_text(fields.get("renderjuice_conn_id")) or "",
        config=task.config or _config(fields.get("render_config")),
    )


def plain(value: Any) -> Any:
    """An XCom as it was left: Airflow's own `XComModel.set` keeps it as JSON text."""
    if isinstance(value, str) and value.startswith(('"', "{", "[")):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _config(value: Any) -> Mapping[str, Any]:
    """A render configuration, as it is or as JSON text; empty where it is not whole."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}


def _left(value: Any) -> Left | None:
    if not isinstance(value, Mapping) or _text(value.get("state")) not in _LEFT_STATES:
        return None
    held = "Held: " if value["state"] == "held" else ""
    return Left(_LEFT_STATES[value["state"]], held + str(value.get("reason") or ""), str(value.get("next_step") or ""))


def _quote(value: Any) -> Mapping[str, float]:
    if not isinstance(value, Mapping):
        return {}
    found = {name: _number(value.get(name)) for name in ("likely", "share", "ceiling")}
    return {name: seconds for name, seconds in found.items() if seconds is not None}


def _text(value: Any) -> str | None:
    """One that can be written: Airflow's database may hold half of a character."""
    return storable(value) if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < _ABSURD else None
