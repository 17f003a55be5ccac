"""The stages of a row and its state: one table each, first row that fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.wall.facts import JobFacts, RowFacts, TaskFacts
from renderjuice_provider.wall.models import OVER, RowState, Stage, StageState
from renderjuice_provider.wall.roles import RENDERS, Role

_ROLES: dict[str, frozenset[Role]] = {
    "uploaded": frozenset({Role.UPLOAD, Role.CREATE}),
    "validated": frozenset({Role.VALIDATE}),
    "rendered": RENDERS | {Role.WAIT},
    "composited": frozenset({Role.COMPOSITE}),
    "delivered": frozenset({Role.DELIVER, Role.DOWNLOAD}),
}
_AT_WORK = frozenset({"running", "deferred", "restarting", "up_for_reschedule", "awaiting_input", "up_for_retry"})
"""Between two tries its job goes on, and the next try takes it up."""
UNDER_WAY = _AT_WORK | {"queued", "scheduled"}
"""Airflow's states of a task that will go on by itself."""
_SETTLED = frozenset({"failed", "success", "skipped"})
"""In other states, what a task has left is of before a clear."""
_IN_VALIDATION = frozenset({JobStatus.CREATED, JobStatus.VALIDATING, JobStatus.DEBUGGING})
_BY_STATUS: dict[str, RowState] = {
    JobStatus.CREATED: RowState.VALIDATING,
    JobStatus.VALIDATING: RowState.VALIDATING,
    JobStatus.DEBUGGING: RowState.VALIDATING,
    JobStatus.VALIDATED: RowState.QUEUED,
    JobStatus.BOOTING: RowState.QUEUED,
    JobStatus.SUSPENDED: RowState.QUEUED,
    JobStatus.RENDERING: RowState.RENDERING,
    JobStatus.FINALIZING: RowState.FINISHING,
    JobStatus.COMPLETED: RowState.FINISHING,
    JobStatus.FAILED: RowState.FINISHING,
    JobStatus.CANCELED: RowState.FINISHING,
}
_FURTHEST_FIRST = (RowState.RENDERING, RowState.QUEUED, RowState.VALIDATING, RowState.FINISHING, RowState.UPLOADING)
"""Of a shot's layers, what the shot is said to do: what costs most."""


def stages_of(row: RowFacts, jobs: Mapping[str, JobFacts]) -> list[Stage]:
    """The stages that a row's tasks lead to, in their order."""
    found = []
    hearts = [task for task in row.tasks if task.role in RENDERS]
    for name, roles in _ROLES.items():
        tasks = [task for task in row.tasks if task.role in roles]
        inside = [_inside(name, task, jobs.get(task.job_id or "")) for task in hearts]
        if tasks and not (name == "uploaded" and all(task.role is Role.CREATE for task in tasks)):
            states = inside if name == "rendered" and inside else [_of_task(task) for task in tasks]
        elif hearts and name in {"uploaded", "validated"}:
            tasks, states = hearts, inside
        else:
            continue
        state = _together(states)
        shown = next((task for task, each in zip(tasks, states, strict=False) if each == state), tasks[0])
        found.append(Stage(name=name, state=state, task_id=shown.task_id, map_index=shown.map_index))
    return found


def state_of(row: RowFacts, stages: Sequence[Stage], jobs: Mapping[str, JobFacts]) -> RowState:
    """What a row is doing, or what became of it."""
    failed = [task for task in row.tasks if task.state == "failed"]
    if not failed and _goes_on(row):
        return _under_way(row, stages, jobs)
    left = {task.left.state for task in row.tasks if task.left and task.state in _SETTLED}
    for state in (RowState.REJECTED, RowState.STOPPED, RowState.SKIPPED):
        if state in left and not (state is RowState.SKIPPED and failed):
            return state
    if failed:
        stopped = any(job.status == JobStatus.CANCELED for job in jobs.values())
        return RowState.STOPPED if stopped and not any(task.left for task in failed) else RowState.FAILED
    if any(task.state in {"upstream_failed", None} for task in row.tasks):
        return RowState.FAILED
    return _without_failure(row, stages, jobs)


def _goes_on(row: RowFacts) -> bool:
    states = {task.state for task in row.tasks}
    if states & UNDER_WAY:
        return True
    return None in states and "upstream_failed" not in states and row.run_state in {"queued", "running"}


def _without_failure(row: RowFacts, stages: Sequence[Stage], jobs: Mapping[str, JobFacts]) -> RowState:
    hearts = [task for task in row.tasks if task.role in _ROLES["rendered"]]
    if all(task.state == "skipped" for task in hearts or row.tasks):
        return RowState.SKIPPED
    if hearts and all(_canceled(task, jobs) for task in hearts):
        return RowState.STOPPED
    if stages and stages[-1].name == "delivered" and stages[-1].state == "done":
        return RowState.DELIVERED
    return RowState.RENDERED if hearts else RowState.SKIPPED


def state_of_layer(task: TaskFacts, job: JobFacts | None) -> RowState:
    """The same for one render task of a shot."""
    if task.state == "success":
        return RowState.STOPPED if job and job.status == JobStatus.CANCELED else RowState.RENDERED
    if task.state == "failed":
        if task.left:
            return task.left.state
        return RowState.STOPPED if job and job.status == JobStatus.CANCELED else RowState.FAILED
    if task.state in {"upstream_failed", "skipped"}:
        return RowState.SKIPPED
    return _rendering(task, job) if task.state in _AT_WORK else RowState.WAITING


def is_over(state: RowState) -> bool:
    """Whether nothing happens any more unless a person acts."""
    return state in OVER


def _under_way(row: RowFacts, stages: Sequence[Stage], jobs: Mapping[str, JobFacts]) -> RowState:
    stage = next((stage for stage in stages if stage.state not in {"done", "skipped"}), None)
    if stage is None:
        return RowState.DELIVERING if stages and stages[-1].name == "delivered" else RowState.FINISHING
    match stage.name:
        case "composited":
            return RowState.COMPOSITING
        case "delivered":
            return RowState.DELIVERING
        case "rendered":
            tasks = [task for task in row.tasks if task.role in _ROLES["rendered"] and task.state in _AT_WORK]
            doing = {_rendering(task, jobs.get(task.job_id or "")) for task in tasks}
            return next((state for state in _FURTHEST_FIRST if state in doing), RowState.WAITING)
    if stage.state == "waiting":
        return RowState.WAITING
    return RowState.UPLOADING if stage.name == "uploaded" else RowState.VALIDATING


def _rendering(task: TaskFacts, job: JobFacts | None) -> RowState:
    """What a render task at work is doing.

    Of a job that nobody has read yet, no more is said than is sure: a task that does all of it
    publishes its job before that is validated.
    """
    if job is not None:
        return _BY_STATUS.get(job.status, RowState.RENDERING)
    if task.job_id is None:
        return RowState.UPLOADING
    return RowState.VALIDATING if task.role is Role.RUN else RowState.RENDERING


def _canceled(task: TaskFacts, jobs: Mapping[str, JobFacts]) -> bool:
    job = jobs.get(task.job_id or "")
    return job is not None and job.status == JobStatus.CANCELED


def _of_task(task: TaskFacts) -> StageState:
    if task.state == "success":
        return "done"
    if task.state == "failed":
        return "failed"
    if task.state in {"skipped", "upstream_failed"}:
        return "skipped"
    return "running" if task.state in _AT_WORK else "waiting"


def _inside(name: str, task: TaskFacts, job: JobFacts | None) -> StageState:
    """A stage of a task that uploads, validates and renders by itself, by the status of its job."""
    state = _of_task(task)
    if state in {"done", "skipped", "waiting"}:
        return state
    in_validation = task.role is Role.RUN if job is None else _in_validation(job)
    reached = "uploaded" if task.job_id is None else "validated" if in_validation else "rendered"
    names = list(_ROLES)
    distance = names.index(name) - names.index(reached)
    return "done" if distance < 0 else state if distance == 0 else "skipped" if state == "failed" else "waiting"


def _in_validation(job: JobFacts) -> bool:
    """Whether a job has not come further, such as one that failed before it was ordered."""
    never_ordered = job.queue_seconds is None and not job.normalized_seconds and not job.frames_done
    return job.status in _IN_VALIDATION or (job.status == JobStatus.FAILED and never_ordered)


def _together(states: Iterable[StageState]) -> StageState:
    """The state of several tasks as one."""
    found = set(states)
    for state in ("failed", "running"):
        if state in found:
            return state
    if found <= {"skipped"}:
        return "skipped"
    if found <= {"done", "skipped"}:
        return "done"
    return "running" if "done" in found else "waiting"
