"""A row of the wall, from what Airflow and Renderjuice say of it. Pure: it is given the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from renderjuice_provider.api.redact import redact
from renderjuice_provider.wall import _counts
from renderjuice_provider.wall._reasons import reason_of
from renderjuice_provider.wall._stages import UNDER_WAY, is_over, stages_of, state_of, state_of_layer
from renderjuice_provider.wall.actions import possible
from renderjuice_provider.wall.facts import JobFacts, Look, RowFacts, TaskFacts
from renderjuice_provider.wall.models import Frames, Layer, Links, Night, Remaining, Row, RowState, Stage
from renderjuice_provider.wall.roles import RENDERS, Role

__all__ = [
    "layers_of",
    "make_night",
    "make_row",
    "name_of",
    "over_jobs",
    "picture_key",
]

_LONGEST_NAME = 250
_NEVER_BEGUN = frozenset({None, "skipped", "upstream_failed"})
"""A mapped task of which nobody knows how many there will be, or would have been, is no layer."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def make_night(rows: Sequence[RowFacts], look: Look, now: datetime, *, more: bool = False) -> Night:
    """All rows, the newest first, and what they come to.

    Args:
        rows: as Airflow has them.
        look: what is known of their jobs.
        now: the time.
        more: whether there are more rows than these.
    """
    made = sorted((make_row(row, look, now) for row in rows), key=lambda row: row.started or _EARLIEST, reverse=True)
    unknown = sum(_counts.unknown_costs(row, look.jobs) for row in rows)
    return Night(
        now=now,
        rows=made,
        more=more,
        farms=list(look.connections),
        total=_counts.total_of(made, unknown, now).model_copy(update=_counts.quotes_of(rows, look)),
    )


def make_row(row: RowFacts, look: Look, now: datetime) -> Row:
    """One row as it is now."""
    jobs = {job_id: look.jobs[job_id] for job_id in row.job_ids if job_id in look.jobs}
    current = {task.job_id: jobs[task.job_id] for task in row.tasks if task.job_id and task.job_id in jobs}
    stages = stages_of(row, current)
    state = state_of(row, stages, current)
    opened = _task_to_open(row, state, stages)
    hearts = _one_of_each_folder([task for task in row.tasks if task.role in RENDERS])
    layers = [task for task in hearts if row.is_shot and (task.map_index >= 0 or task.state not in _NEVER_BEGUN)]
    frames = {task.id: _counts.frames_of_task(task, current.get(task.job_id or "")) for task in hearts}
    seconds = _counts.seconds_of(row, jobs)
    started = min((task.started for task in row.tasks if task.started), default=None)
    ended = max((task.ended for task in row.tasks if task.ended), default=None) if is_over(state) else None
    reason, next_step = reason_of(row, state, current)
    queued = [job.queue_seconds for job in jobs.values() if job.queue_seconds is not None]
    newest = max(jobs.values(), key=lambda job: (job.picture is not None, job.last_sign or _EARLIEST), default=None)
    return Row(
        id=row.id,
        dag_id=row.dag_id,
        run_id=row.run_id,
        task_id=opened.task_id,
        map_index=opened.map_index,
        name=name_of(row),
        sequence=sequence_of(row),
        layers=[_layer(task, current.get(task.job_id or ""), frames[task.id]) for task in layers],
        state=state,
        stages=stages,
        frames=_counts.together(frames.values()),
        started=started,
        ended=ended,
        elapsed=max(0.0, ((ended or now) - started).total_seconds()) if started else None,
        remaining=_remaining(hearts, frames, current, now) if state is RowState.RENDERING else None,
        queue_seconds=round(sum(queued), 1) if queued else None,
        normalized_seconds=_counts.sum_of(seconds),
        money=_counts.money_of(seconds, row, look),
        **_counts.quote_of(row, look),
        last_sign=_last_sign(row.tasks, jobs),
        reason=reason,
        next_step=next_step,
        picture=picture_key(row.id, newest.picture) if newest and newest.picture else None,
        links=_links(row, opened),
        can=possible(row, current),
    )


def _one_of_each_folder(hearts: Sequence[TaskFacts]) -> list[TaskFacts]:
    """A probe and a render fill the same folder of frames: the one that began last counts."""
    found: dict[str, TaskFacts] = {}
    for task in hearts:
        folder = task.fields.get("destination") if task.role is Role.FRAMES else None
        place = str(folder) if folder and task.started else task.id
        before = found.get(place)
        if before is None or (task.started or _EARLIEST) >= (before.started or _EARLIEST):
            found[place] = task
    return list(found.values())


def layers_of(row: RowFacts) -> list[tuple[str, str, list[str]]]:
    """The render tasks of a row: the name, the connection and the jobs of each, the newest last."""
    hearts = [task for task in row.tasks if task.role in RENDERS] or [task for task in row.tasks if task.job_id][:1]
    return [
        (_layer_name(task), task.conn_id, list(dict.fromkeys(job for job in (*task.jobs, task.job_id) if job)))
        for task in hearts
        if task.conn_id
    ]


def picture_key(row_id: str, key: str) -> str:
    """The farm's key of a picture, with the row that it belongs to: who may see that may see it."""
    return f"{row_id}~{key}"


def name_of(row: RowFacts) -> str:
    """What the artist calls it: the shot, the label of a mapped task, or the scene's file."""
    shot = row.conf.get("shot") if row.is_shot else None
    heart = next((task for task in row.tasks if task.task_id == row.heart), None) or row.tasks[0]
    label = None if row.is_shot else next((task.label for task in (heart, *row.tasks) if task.label), None)
    scenes = [row.conf.get("file")] if row.is_shot else [task.fields.get("file_path") for task in row.tasks]
    file = next((str(scene) for scene in scenes if scene), "").replace("\\", "/").rpartition("/")[2]
    unnamed = heart.task_id if heart.map_index < 0 else f"{heart.task_id} {heart.map_index}"
    return redact(str(shot or label or file or unnamed), longest=_LONGEST_NAME)


def sequence_of(row: RowFacts) -> str | None:
    """The sequence of a shot: as it is named, or what stands before the first `_` of its name."""
    if not row.is_shot:
        return None
    before, _, after = str(row.conf.get("shot") or "").partition("_")
    named = row.conf.get("sequence") or (before if after else "")
    return redact(str(named), longest=_LONGEST_NAME) or None


def over_jobs(rows: Iterable[RowFacts]) -> set[str]:
    """Jobs whose tasks are over: nothing is new about them."""
    at_work = {task.job_id for row in rows for task in row.tasks if task.state in UNDER_WAY}
    return {job for row in rows for job in row.job_ids} - at_work


def _task_to_open(row: RowFacts, state: RowState, stages: Sequence[Stage]) -> TaskFacts:
    """What failed, or says why the row is as it is; else what is at work; else what was last."""
    if state in {RowState.REJECTED, RowState.SKIPPED}:
        saying = [task for task in row.tasks if task.left and task.left.state is state]
        if saying:
            return saying[0]
    for states in ({"failed"}, {"up_for_retry"}, {"upstream_failed"}):
        if found := [task for task in row.tasks if task.state in states and task.task_id]:
            return found[0]
    stage = next((stage for stage in stages if stage.state == "running"), None)
    stage = stage or next((stage for stage in reversed(stages) if stage.state == "done"), None)
    if stage is not None:
        key = (stage.task_id, stage.map_index)
        if found := [task for task in row.tasks if (task.task_id, task.map_index) == key]:
            return found[0]
    return next((task for task in row.tasks if task.role in RENDERS), row.tasks[0])


def _layer(task: TaskFacts, job: JobFacts | None, frames: Frames | None) -> Layer:
    return Layer(
        name=_layer_name(task),
        state=state_of_layer(task, job),
        job_id=task.job_id,
        frames_done=frames.done if frames else None,
        frames_total=frames.total if frames else None,
    )


def _layer_name(task: TaskFacts) -> str:
    index = "" if task.map_index < 0 else f" {task.map_index}"
    return redact(task.label or f"{task.task_id}{index}", longest=_LONGEST_NAME)


def _remaining(
    hearts: Iterable[TaskFacts], frames: Mapping[str, Frames | None], jobs: Mapping[str, JobFacts], now: datetime
) -> Remaining | None:
    found = []
    for task in hearts:
        job, count = jobs.get(task.job_id or ""), frames[task.id]
        if job is not None and count is not None and task.state in UNDER_WAY:
            left = count.total - count.done - count.failed
            found.append(_counts.remaining_of_job(job, left, task.started or job.rendering_since, now))
    return _counts.longest(found)


def _last_sign(tasks: Iterable[TaskFacts], jobs: Mapping[str, JobFacts]) -> datetime | None:
    signs = [job.last_sign for job in jobs.values()]
    signs += [moment for task in tasks for moment in (task.started, task.ended)]
    return max((sign for sign in signs if sign is not None), default=None)


def _links(row: RowFacts, opened: TaskFacts) -> Links:
    delivered = next(
        (task for task in row.tasks if task.role in {Role.DELIVER, Role.DOWNLOAD} and task.state == "success"), None
    )
    page = task_page(opened)
    return Links(
        task=f"{page}/details",
        log=page,
        run=run_page(row.dag_id, row.run_id),
        delivery=f"{task_page(delivered)}/xcom" if delivered else None,
    )


def run_page(dag_id: str, run_id: str) -> str:
    """Airflow's page of a run, relative to `document.baseURI`."""
    return f"dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"


def task_page(task: TaskFacts) -> str:
    """Airflow's page of a task instance, which shows its log."""
    mapped = f"/mapped/{task.map_index}" if task.map_index >= 0 else ""
    return f"{run_page(task.dag_id, task.run_id)}/tasks/{quote(task.task_id, safe='')}{mapped}"
