"""Writes a night of `renderjuice_shot` into Airflow's database: runs, tasks, XComs, triggers.

    python -m benchmarks.wall_seed <night.json>

`night.json` is a list of shots, each with `name`, `job_id`, `frames` and a state of `TASKS`. No
scheduler runs, so everything stays as it was written. `AIRFLOW_HOME` names the database, which
holds the DAG already (`airflow dags reserialize`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

SHOT = "renderjuice_shot"
_MAPPED = ("upload", "create", "validate", "probe", "render")
_BEFORE = dict.fromkeys(("take_order", "upload", "create", "validate", "decide"), "success")
_NO_CEILING = dict.fromkeys(("reject", "probe", "share"), "skipped")
_RENDERED = _BEFORE | _NO_CEILING | {"render": "success"}
_UPSTREAM_FAILED = dict.fromkeys(("composite", "deliver", "tell_tracker"), "upstream_failed")
TASKS: Mapping[str, Mapping[str, str]] = {
    "waiting": {"take_order": "running"},
    "uploading": {"take_order": "success", "upload": "running"},
    "validating": {"take_order": "success", "upload": "success", "create": "success", "validate": "deferred"},
    "rendering": _BEFORE | _NO_CEILING | {"render": "deferred"},
    "compositing": _RENDERED | {"composite": "running"},
    "delivered": _RENDERED | dict.fromkeys(("composite", "deliver", "tell_tracker"), "success"),
    "failed": _BEFORE | _NO_CEILING | {"render": "failed"} | _UPSTREAM_FAILED,
    "rejected": _BEFORE
    | {"reject": "success"}
    | dict.fromkeys(("probe", "share", "render", "composite", "deliver", "tell_tracker"), "skipped"),
}
"""The states of a shot's tasks; those that are not named have none yet."""
_OVER = {"delivered": "success", "rejected": "success", "failed": "failed"}
_LEAVES = {True: {"success"}, False: {"success", "deferred", "failed"}}
"""The states of tasks that have left a result, and any other XCom."""
_MINUTES = {"success": 2.0, "failed": 20.0, "skipped": 0.0, "upstream_failed": 0.0}


def main() -> None:
    """Write the night that the file describes."""
    shots = json.loads(Path(sys.argv[1]).read_text())
    write_night(shots, datetime.now(UTC) - timedelta(hours=2))


def write_night(shots: Sequence[Mapping[str, Any]], began: datetime) -> None:
    """A run for each shot, one second after another."""
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        found = SerializedDagModel.get(SHOT, session=session)
        if found is None:
            raise SystemExit(f"The database has no DAG {SHOT}: airflow dags reserialize")
        for number, shot in enumerate(shots):
            _write_run(session, found.dag, shot, began + timedelta(seconds=number))


def _write_run(session: Any, dag: Any, shot: Mapping[str, Any], began: datetime) -> None:
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    state = shot["state"]
    run = dag.create_dagrun(
        run_id=f"{shot['name']}__{began:%Y-%m-%dT%H:%M:%S}",
        logical_date=began,
        data_interval=(began, began),
        run_after=began,
        start_date=began,
        conf={"shot": shot["name"]},
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.REST_API,
        state=DagRunState(_OVER.get(state, "running")),
        session=session,
    )
    session.flush()
    tasks = {task.task_id: task for task in run.get_task_instances(session=session)}
    moment = began
    for name in [name for name in dag.task_dict if name in TASKS[state]]:
        moment = _write_task(session, tasks[name], TASKS[state][name], shot, moment)
    if state in _OVER:
        run.end_date = moment
    _write_xcoms(session, run.run_id, shot)
    _write_fields(session, run.run_id, shot)


def _write_task(session: Any, task: Any, state: str, shot: Mapping[str, Any], began: datetime) -> datetime:
    """One task as it stands; returns when it ended."""
    from airflow.models.trigger import Trigger

    task.state, task.try_number, task.max_tries = state, 1, 1
    if task.task_id in _MAPPED and state not in {"upstream_failed", "skipped"}:
        task.map_index, task._rendered_map_index = 0, "base"  # noqa: SLF001 - what a worker writes there
    if state in {"skipped", "upstream_failed"}:
        task.start_date = task.end_date = began
        return began
    task.start_date = began
    if state in _MINUTES:
        task.end_date = began + timedelta(minutes=_MINUTES[state] * (10 if task.task_id == "render" else 1) / 10)
        task.duration = (task.end_date - task.start_date).total_seconds()
    if state == "deferred":
        target = "completed" if task.task_id == "render" else "validated"
        times = {"started": began.timestamp(), "deadline": began.timestamp() + 12 * 3600}
        kwargs = {"renderjuice_conn_id": "renderjuice_default", "job_id": shot["job_id"], "target": target}
        trigger = Trigger(
            "renderjuice_provider.triggers.renderjuice.RenderjuiceJobTrigger", kwargs | times | {"poll_interval": 30.0}
        )
        session.add(trigger)
        session.flush()
        task.trigger_id, task.next_method = trigger.id, "execute_complete"
    return task.end_date or began


def _write_xcoms(session: Any, run_id: str, shot: Mapping[str, Any]) -> None:
    from airflow.models.xcom import XComModel

    reached = TASKS[shot["state"]]
    scene = {"file_path": f"/shots/{shot['name']}.blend", "destination": f"/renders/{shot['name']}/base"}
    order = {"shot": shot["name"], "sequence": shot["name"].partition("_")[0], "layers": ["base"], "show": "citrus"}
    config = {"sampleCount": 64, "frameRanges": [f"1-{shot['frames']}"], "colorManagementPreset": "default"}
    decision = {"branch": "render", "reasons": [], "configs": {"base": config}}
    if shot["state"] == "rejected":
        decision = {"branch": "reject", "reasons": ["base: the scene has no usable camera"]}
    values: list[tuple[str, int, str, Any]] = [
        ("take_order", -1, "return_value", [scene]),
        ("take_order", -1, "layers", ["base"]),
        ("take_order", -1, "order", order),
        ("create", 0, "return_value", shot["job_id"]),
        ("create", 0, "renderjuice_job_id", shot["job_id"]),
        ("validate", 0, "renderjuice_job_id", shot["job_id"]),
        ("decide", -1, "configs", [config]),
        ("decide", -1, "decision", decision),
        ("render", 0, "renderjuice_job_id", shot["job_id"]),
        (
            "render",
            0,
            "return_value",
            {"job_id": shot["job_id"], "frames_requested": shot["frames"], "frames_missing": []},
        ),
        ("reject", -1, "renderjuice_reason", {"state": "rejected", "reason": "base: the scene has no usable camera"}),
    ]
    if reached.get("render") == "failed":
        reason = {"state": "failed", "reason": "RENDER_ERROR: frame 200 could not be rendered"}
        values[-2] = ("render", 0, "renderjuice_reason", reason)
    for task, index, key, value in values:
        if reached.get(task) in _LEAVES[key == "return_value"]:
            where = {"dag_id": SHOT, "run_id": run_id, "task_id": task, "map_index": index, "session": session}
            XComModel.set(key=key, value=value, serialize=False, **where)


def _write_fields(session: Any, run_id: str, shot: Mapping[str, Any]) -> None:
    """What Airflow keeps of the arguments of each task that a worker had."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    scene, folder = f"/shots/{shot['name']}.blend", f"/renders/{shot['name']}/base"
    config = {"sampleCount": 64, "frameRanges": [f"1-{shot['frames']}"], "colorManagementPreset": "default"}
    fields: Mapping[str, Mapping[str, Any]] = {
        "upload": {"file_path": scene},
        "create": {"slug": f"slug-of-{shot['name']}"},
        "validate": {"job_id": shot["job_id"], "timeout": "3600"},
        "render": {"job_id": shot["job_id"], "render_config": config, "destination": folder, "timeout": "43200"},
    }
    for task, values in fields.items():
        if TASKS[shot["state"]].get(task) in {"running", *_LEAVES[False]}:
            # Its constructor wants a task that a worker has rendered.
            session.execute(
                insert(RenderedTaskInstanceFields.__table__).values(
                    dag_id=SHOT,
                    run_id=run_id,
                    task_id=task,
                    map_index=0,
                    rendered_fields={"renderjuice_conn_id": "renderjuice_default", **values},
                )
            )


if __name__ == "__main__":
    main()
