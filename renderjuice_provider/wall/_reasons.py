"""Why a row is as it is, in one line, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.api.redact import redact
from renderjuice_provider.wall._stages import UNDER_WAY
from renderjuice_provider.wall.facts import JobFacts, Left, RowFacts, TaskFacts
from renderjuice_provider.wall.models import RowState
from renderjuice_provider.wall.roles import RENDERS, Role

LONGEST = 600
"""Characters of a reason: a line on a wide screen, and what a title shows."""
_NOTE = "failed: "
"""How the note of a run begins in which a shot failed."""


def reason_of(row: RowFacts, state: RowState, jobs: Mapping[str, JobFacts]) -> tuple[str, str]:
    """Why a row failed, was rejected, stopped or skipped, or waits for another try; and what next.

    Returns:
        Both are one line of plain text, and empty where there is nothing to say.
    """
    match state:
        case RowState.FAILED | RowState.REJECTED | RowState.STOPPED | RowState.SKIPPED:
            reason, next_step = _of_the_end(row, state, jobs)
            return _line(reason), _line(next_step)
        case RowState.DELIVERED | RowState.RENDERED:
            return "", ""
    asked = next((task.left for task in row.tasks if task.state in UNDER_WAY and _waits(task)), None)
    if asked is not None:
        return _line(f"It {asked.reason}."), ""
    waiting = next((task for task in row.tasks if task.state == "up_for_retry" and task.left), None)
    if waiting is not None and waiting.left is not None:
        return _line(f"{waiting.left.reason} Airflow will try `{waiting.task_id}` again."), ""
    return "", ""


def _of_the_end(row: RowFacts, state: RowState, jobs: Mapping[str, JobFacts]) -> tuple[str, str]:
    left = [task.left for task in row.tasks if task.left and task.left.state is state and task.state != "up_for_retry"]
    if left:
        reasons = list(dict.fromkeys(each.reason for each in left))
        more = f" (and {len(reasons) - 1} more like it)" if len(reasons) > 1 else ""
        return reasons[0] + more, _next_step(row, state, left[0])
    if state is RowState.STOPPED:
        if jobs and not any(job.normalized_seconds is None or job.normalized_seconds > 0 for job in jobs.values()):
            return "Somebody has stopped it before anything was rendered.", "Render it again."
        return "Somebody has stopped it. What was rendered is billed, and kept.", _next_step(row, state)
    if state is RowState.SKIPPED:
        return "There was nothing to render for it in this run.", ""
    broken = next((job for job in jobs.values() if job.status == JobStatus.FAILED), None)
    if broken is not None:
        return f"Renderjuice: {broken.reason or 'the job failed, and no reason is given'}", _next_step(row, state)
    if row.note.startswith(_NOTE):
        return row.note.removeprefix(_NOTE), _next_step(row, state)
    failed = _failed(row)
    if failed is None:
        return "A task before it failed, so that it was never begun.", "Open the run, and clear the task that failed."
    return (
        f"`{failed.task_id}` failed, and left no reason: it was marked as failed, or its worker died.",
        _next_step(row, state) or "Open its log.",
    )


def _next_step(row: RowFacts, state: RowState, left: Left | None = None) -> str:
    if left is not None and left.next_step:
        return left.next_step
    failed = _failed(row)
    if state is RowState.REJECTED:
        return "Correct the scene, then render it again."
    if failed is not None and failed.role is Role.FRAMES:
        return "Render only what is missing: whole frames are paid and kept."
    if failed is not None and failed.role not in RENDERS and any(_is_done(task) for task in row.tasks):
        return f"Its frames are paid and kept: clear `{failed.task_id}` to go on."
    return "Render it again, which costs again." if state is RowState.STOPPED else ""


def _is_done(task: TaskFacts) -> bool:
    return task.role in RENDERS and task.state == "success"


def _failed(row: RowFacts) -> TaskFacts | None:
    return next((task for task in row.tasks if task.state == "failed"), None)


def _line(text: str) -> str:
    return redact(" ".join(text.split()), longest=LONGEST)


def _waits(task: TaskFacts) -> bool:
    """Whether a task waits for a share of the night's ceiling, or for a person."""
    return task.left is not None and task.left.state is RowState.WAITING
