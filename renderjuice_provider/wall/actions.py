"""What an action would do to a row, decided from facts: no Airflow, no HTTP.

    action     what happens in Airflow                          what it costs
    ---------  -----------------------------------------------  ------------------------------------
    stop       the row's tasks are marked as failed             what is rendered by then
    again      cleared from the task that makes the job; or a   all frames, once more
               new run, where the DAG has the param `again`
    missing    what failed is cleared: the render orders only   the frames that are missing
               what its folder lacks
    take_up    what failed is cleared: it goes on with its job  what is left of a job that renders
    settings   a new run with other settings, where the DAG     all frames, with these settings
               has a param for them

Only stop ends anything: everything else is refused while a row is under way. So no action makes two
renders of one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from renderjuice_provider.api.config import check_render_config
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.models import RENDER_STARTED, JobStatus
from renderjuice_provider.lifecycle.kill import ENDED
from renderjuice_provider.wall.facts import JobFacts, RowFacts, TaskFacts
from renderjuice_provider.wall.models import Action
from renderjuice_provider.wall.roles import RENDERS, Role

__all__ = [
    "Intent",
    "Kind",
    "decide",
    "possible",
    "runs",
]

_LOST = frozenset({JobStatus.FAILED, JobStatus.CANCELED})
_STUDIOS = frozenset({Role.COMPOSITE, Role.DELIVER, Role.OTHER})
"""Roles of tasks that are the studio's own."""
_CONFIGS = ("render", "config")
"""Params of a DAG that take fields of a render configuration."""
_SAID_ALONE = ("quality", "frames")
"""Settings that are params of their own, where a DAG has them."""
_SHORT = {"samples": "sampleCount"}
"""Other words for fields of a render configuration."""


class Kind(StrEnum):
    """What is asked of Airflow."""

    END = "end"
    CLEAR = "clear"
    START = "start"


@dataclass(frozen=True)
class Intent:
    """What an action would do to a row.

    Attributes:
        row: the row.
        will: in one line; empty when it is refused.
        refused: why nothing will happen, and what to do; empty when something will.
        kind: what is asked of Airflow; None when it is refused.
        tasks: that are ended or cleared: the latter with all that come after them.
        forgets: whether these tasks are to forget their jobs: else they would take them up.
        conf: of the new run.
        run_id: of the new run: the same for the same action, so that it is started once.
        mark: stands for what the person is asked about; it does not change while a render goes on.
    """

    row: RowFacts
    will: str = ""
    refused: str = ""
    kind: Kind | None = None
    tasks: tuple[TaskFacts, ...] = ()
    forgets: bool = False
    conf: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""
    mark: str = ""


class _Refused(Exception):  # noqa: N818 - it never leaves this module
    """Why nothing will happen, and what to do."""


def decide(
    action: Action, row: RowFacts, jobs: Mapping[str, JobFacts], settings: Mapping[str, Any] | None = None
) -> Intent:
    """What an action would do to a row.

    Args:
        action: of the person.
        row: as it is.
        jobs: by id, what is known of them.
        settings: for `settings`: fields of a render configuration, `quality` and `frames`.
    """
    try:
        match action:
            case Action.STOP:
                return _stop(row)
            case Action.AGAIN:
                return _again(_over(row))
            case Action.MISSING:
                return _missing(_over(row))
            case Action.TAKE_UP:
                return _take_up(_over(row), jobs)
            case Action.SETTINGS:
                return _with_settings(_over(row), settings or {})
    except _Refused as refused:
        return Intent(row, refused=str(refused), mark=str(refused))


def possible(row: RowFacts, jobs: Mapping[str, JobFacts]) -> list[Action]:
    """The actions that would do something to a row, for any settings that are right."""
    found = [action for action in list(Action) if not decide(action, row, jobs, {}).refused]
    return [*found, Action.SETTINGS] if not is_under_way(row) and _takes_settings(row) else found


def is_under_way(row: RowFacts) -> bool:
    """Whether anything of a row happens, or will happen by itself."""
    return row.run_state in {"queued", "running"} and bool(_unfinished(row))


def runs(job: JobFacts | None) -> bool:
    """Whether a job renders, or waits for a machine to render on: it costs money, or will."""
    return job is not None and job.status in RENDER_STARTED and not _is_over(job)


def _is_over(job: JobFacts) -> bool:
    return job.status in {*_LOST, JobStatus.COMPLETED}


# Stop


def _stop(row: RowFacts) -> Intent:
    unfinished = _unfinished(row)
    ours = [task for task in unfinished if task.role not in _STUDIOS]
    under_way = [task for task in ours if task.state] or [task for task in unfinished if task.state]
    # What was not reached yet ends by itself, but for the other layers of a task that was.
    reached = {task.task_id for task in under_way or unfinished[:1]}
    tasks = tuple(task for task in unfinished if task.task_id in reached)
    if not is_under_way(row):
        raise _Refused("It is over already: there is nothing to stop.")
    # By what Airflow knows: the job itself may be read only after somebody was asked.
    is_paid = any(task.role in RENDERS and task.job_id for task in tasks)
    what = "its job is cancelled" if is_paid else "nothing of it renders"
    return Intent(
        row, will=f"{_names(tasks)} will be marked as failed; {what}.", kind=Kind.END, tasks=tasks, mark=f"{is_paid}"
    )


# Render


def _again(row: RowFacts) -> Intent:
    if "again" in row.conf:
        return _start(row, {"again": True}, "again", "A new run renders all frames again")
    creators = tuple(task for task in row.tasks if task.role is Role.CREATE)
    makers = _makers(row)
    if any(_fills_a_folder(task) for task in makers):
        raise _Refused(
            "Its frames are kept in a folder, and only what is missing there is rendered. "
            "To render all of them again, remove that folder, or choose other settings."
        )
    if not creators and not makers:
        raise _Refused("None of its tasks makes a job: start it again in Airflow.")
    tasks = creators or makers
    forgets = not creators and any(task.fields.get("on_clear") != "resubmit" for task in makers)
    return _clear(row, tasks, f"{_names(tasks)} will run again, with a new job", forgets=forgets)


def _missing(row: RowFacts) -> Intent:
    makers = _makers(row)
    if not any(_fills_a_folder(task) for task in makers):
        raise _Refused("Its tasks render a whole job: take it up, or render it again.")
    if all(task.state == "skipped" for task in makers):
        raise _Refused("It was not rendered: see why it was rejected or skipped, and start it again.")
    tasks = tuple(task for task in row.tasks if task.state == "failed")
    if not tasks:
        raise _Refused("Nothing of it failed: all its frames are there.")
    return _clear(row, tasks, f"{_names(tasks)} will run again, and order only what is missing")


def _take_up(row: RowFacts, jobs: Mapping[str, JobFacts]) -> Intent:
    makers = [task for task in _makers(row) if task.job_id]
    if not makers:
        raise _Refused("It has no job to take up: render it again.")
    if any(task.fields.get("on_clear") == "resubmit" for task in makers):
        raise _Refused("Its DAG renders again whenever its task is cleared (on_clear).")
    for task in makers:
        job = jobs.get(task.job_id or "")
        if job is None:
            raise _Refused("Renderjuice has not said yet what became of its job: try again in a moment.")
        if job.status in _LOST:
            raise _Refused(f"Its job is {job.status}, so there is nothing to take up: render it again.")
    tasks = tuple(task for task in row.tasks if task.state == "failed")
    if not tasks:
        raise _Refused("None of its tasks failed: there is nothing to take up.")
    return _clear(row, tasks, f"{_names(tasks)} will run again, and go on with the job that there is")


def _with_settings(row: RowFacts, settings: Mapping[str, Any]) -> Intent:
    if not _takes_settings(row):
        raise _Refused("Its DAG takes no other settings: change them in its DAG file or its shot list.")
    if not settings:
        raise _Refused("No setting was given: say which are to be other.")
    named = {_SHORT.get(name, name): value for name, value in settings.items()}
    conf = {name: value for name, value in named.items() if name in _SAID_ALONE and name in row.conf}
    config = {name: value for name, value in named.items() if name not in conf}
    if config:
        place = next((name for name in _CONFIGS if isinstance(row.conf.get(name), Mapping)), None)
        if place is None:
            raise _Refused(f"Its DAG has no param for {', '.join(sorted(config))}.")
        conf[place] = _laid_over(row.conf[place], _checked(config))
    said = ", ".join(f"{name} {value}" for name, value in sorted(named.items()))
    return _start(row, conf, "settings", f"A new run renders it with {said}")


def _takes_settings(row: RowFacts) -> bool:
    """Whether a run more is a render of this row, with settings of its own."""
    is_alone = row.is_shot or all(task.map_index < 0 for task in row.tasks)
    return is_alone and any(isinstance(row.conf.get(name), Mapping) for name in _CONFIGS)


def _checked(config: Mapping[str, Any]) -> dict[str, Any]:
    try:
        found = check_render_config({"colorManagementPreset": "default"} | dict(config))
    except RenderjuiceInputError as error:
        raise _Refused(error.what) from None
    if found.model_extra:
        raise _Refused(f"Renderjuice has no setting {', '.join(sorted(found.model_extra))}.")
    return {name: value for name, value in found.to_json().items() if name in config}


def _laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on `under`, also inside nested settings such as `outputSettings`."""
    both = {
        name: _laid_over(under[name], value)
        if isinstance(value, Mapping) and isinstance(under.get(name), Mapping)
        else value
        for name, value in over.items()
    }
    return {**under, **both}


# What all have in common


def _over(row: RowFacts) -> RowFacts:
    if is_under_way(row):
        raise _Refused("It is still under way: stop it first, or wait until it is over.")
    return row


def _clear(row: RowFacts, tasks: tuple[TaskFacts, ...], will: str, *, forgets: bool = False) -> Intent:
    mark = ",".join(sorted(f"{task.id}:{task.state}" for task in tasks))
    return Intent(row, will=f"{will}.", kind=Kind.CLEAR, tasks=tasks, forgets=forgets, mark=mark)


def _start(row: RowFacts, changes: Mapping[str, Any], why: str, will: str) -> Intent:
    conf = {**row.conf, **changes}
    found = json.dumps([row.run_id, conf], sort_keys=True, default=str)
    run_id = f"{row.run_id[:200]}__{why}__{hashlib.sha256(found.encode()).hexdigest()[:8]}"
    tasks = _makers(row)
    return Intent(row, will=f"{will}.", kind=Kind.START, tasks=tasks, conf=conf, run_id=run_id, mark=run_id)


def _unfinished(row: RowFacts) -> list[TaskFacts]:
    return [task for task in row.tasks if task.state not in ENDED]


def _makers(row: RowFacts) -> tuple[TaskFacts, ...]:
    """The tasks that pay."""
    return tuple(task for task in row.tasks if task.role in RENDERS)


def _fills_a_folder(task: TaskFacts) -> bool:
    """Also a studio's own subclass does."""
    return task.role is Role.FRAMES or {"destination", "rounds"} <= task.fields.keys()


def _names(tasks: Sequence[TaskFacts]) -> str:
    """`render`, or `render (base, over)`."""
    layers: dict[str, list[str]] = {}
    for task in tasks:
        label = task.label or (str(task.map_index) if task.map_index >= 0 else "")
        layers.setdefault(task.task_id, []).extend([label] if label else [])
    return ", ".join(f"{name} ({', '.join(found)})" if found else name for name, found in layers.items())
