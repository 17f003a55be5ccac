"""Facts for tests of the pure parts of the wall: a task, a row, a job, as a test says they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from renderjuice_provider.wall._grouping import RowKey
from renderjuice_provider.wall.facts import JobFacts, Left, Look, RowFacts, TaskFacts
from renderjuice_provider.wall.models import Connection, RowState
from renderjuice_provider.wall.roles import role_of

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
JOB = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
OTHER_JOB = "11111111-0d44-4b50-8888-8dd25736052a"
CONN = "renderjuice_default"
OPERATORS = {
    "upload": "RenderjuiceUploadOperator",
    "create": "RenderjuiceCreateJobOperator",
    "validate": "RenderjuiceValidateJobOperator",
    "render": "RenderjuiceRenderFramesOperator",
    "render_job": "RenderjuiceRenderJobOperator",
    "run": "RenderjuiceRunJobOperator",
    "wait": "RenderjuiceJobSensor",
    "cancel": "RenderjuiceCancelJobOperator",
    "download": "RenderjuiceDownloadOperator",
}


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def task(task_id: str, state: str | None = "success", map_index: int = -1, **more: Any) -> TaskFacts:
    """A task instance; its operator by its id, where the test does not name one."""
    operator = more.pop("operator", OPERATORS.get(task_id, "_PythonDecoratedOperator"))
    facts = TaskFacts(
        id=f"{task_id} {map_index}",
        dag_id="a_dag",
        run_id="a_run",
        task_id=task_id,
        map_index=map_index,
        operator=operator,
        role=role_of(operator, task_id),
        state=state,
        started=None if state in {None, "scheduled", "queued", "skipped", "upstream_failed"} else ago(20),
        ended=ago(10) if state in {"success", "failed"} else None,
        conn_id=CONN if operator.startswith("Renderjuice") else "",
    )
    return replace(facts, **more)


def row(*tasks: TaskFacts, heart: str = "", conf: Mapping[str, Any] | None = None, **more: Any) -> RowFacts:
    """A row: a shot, unless it has a heart."""
    key = RowKey("a_dag", "a_run", heart, tasks[0].map_index if heart else -1)
    facts = RowFacts(
        id=key.text,
        dag_id="a_dag",
        run_id="a_run",
        run_state="running",
        run_after=ago(30),
        conf={"shot": "ab_010"} if conf is None and not heart else conf or {},
        tasks=tasks,
        is_shot=not heart,
        heart=heart,
    )
    return replace(facts, **more)


def shot(**states: str | None) -> RowFacts:
    """A run of the example pipeline with one layer; tasks that are not named have succeeded."""
    names = ("take_order", "upload", "create", "validate", "decide", "reject", "render", "composite", "deliver")
    mapped = {"upload", "create", "validate", "render"}
    found = {name: states.get(name, "skipped" if name == "reject" else "success") for name in names}
    tasks = []
    for name, state in found.items():
        index = 0 if name in mapped else -1
        job_id = JOB if name in {"create", "validate", "render"} and state not in {None, "skipped"} else None
        tasks.append(task(name, state, index, job_id=job_id, label="base" if index == 0 else None))
    over = not {None, "running", "deferred", "scheduled", "queued", "up_for_retry"} & set(found.values())
    failed = bool({"failed", "upstream_failed"} & set(found.values()))
    return row(*tasks, run_state="failed" if over and failed else "success" if over else "running")


def job(status: str = "rendering", job_id: str = JOB, **more: Any) -> JobFacts:
    return JobFacts(job_id=job_id, status=status, **more)


def look(*jobs: JobFacts, **more: Any) -> Look:
    return Look({each.job_id: each for each in jobs}, (Connection(connection=CONN, answers=True, age=1.0),), **more)


def left(reason: str, state: RowState = RowState.FAILED, next_step: str = "") -> Left:
    return Left(state, reason, next_step)
