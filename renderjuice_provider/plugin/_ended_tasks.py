"""The jobs of tasks that people have ended: the last to see to it that none of them renders on.

A job is stopped by the process that has its task: a worker, or the triggerer. But a task that waits
for its next try is in no process, and a process may be dead. When somebody ends such a task, in
Airflow's pages, by its API or on the render wall, the API server alone learns of it. So it looks
after a while whether the job is over, and stops it if not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from airflow.listeners import hookimpl
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from renderjuice_provider._arguments import truth
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import Job
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle.kill import ENDED
from renderjuice_provider.lifecycle.stopping import HOW_TO_STOP, stop_all
from renderjuice_provider.plugin._refusals import named
from renderjuice_provider.wall.roles import RENDERS, role_of
from renderjuice_provider.xcom_keys import JOB_ID

log = logging.getLogger(__name__)

GRACE = 15.0
"""Seconds for the process that has the task: a worker learns within ten that its task was ended."""
PATIENCE = 600.0
"""Seconds in which a job must be over once its cancel was ordered."""
_POLL_INTERVAL = 5.0


@dataclass(frozen=True)
class _Ended:
    """A task instance that somebody has ended; of a run that somebody has, all that it skipped."""

    due: float
    dag_id: str
    run_id: str
    task_id: str | None = None
    map_index: int = -1


class EndedTasks:
    """Hears from Airflow which tasks people end, and stops the jobs that nobody else stops.

    Only the API server has one: elsewhere tasks end by themselves.

    Args:
        grace: seconds for the process that has the task.
    """

    def __init__(self, grace: float = GRACE) -> None:
        self._grace = grace
        self._ended: SimpleQueue[_Ended] = SimpleQueue()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    @hookimpl
    def on_task_instance_failed(self, task_instance: Any) -> None:
        """Somebody has marked a task as failed. The mark is not committed yet."""
        self._note(task_instance)

    @hookimpl
    def on_task_instance_success(self, task_instance: Any) -> None:
        """Somebody has marked a task as successful."""
        self._note(task_instance)

    @hookimpl
    def on_task_instance_skipped(self, task_instance: Any) -> None:
        """Somebody has marked a task as skipped."""
        self._note(task_instance)

    @hookimpl
    def on_dag_run_failed(self, dag_run: Any) -> None:
        """Somebody has marked a run as failed: what was to be tried again is skipped."""
        self._add(_Ended(time.monotonic() + self._grace, dag_run.dag_id, dag_run.run_id))

    @hookimpl
    def on_dag_run_success(self, dag_run: Any) -> None:
        """Somebody has marked a run as successful: likewise."""
        self._add(_Ended(time.monotonic() + self._grace, dag_run.dag_id, dag_run.run_id))

    def _note(self, ti: Any) -> None:
        self._add(_Ended(time.monotonic() + self._grace, ti.dag_id, ti.run_id, ti.task_id, ti.map_index))

    def _add(self, ended: _Ended) -> None:
        self._ended.put(ended)
        with self._start:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="renderjuice-ended-tasks", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        waiting: deque[_Ended] = deque()
        while True:
            waiting.extend(self._ended.get() for _ in range(max(self._ended.qsize(), not waiting)))
            time.sleep(max(0.0, waiting[0].due - time.monotonic()))
            jobs: dict[str, set[str]] = {}
            while waiting and waiting[0].due <= time.monotonic():
                for job_id, conn_id in _jobs_of(waiting.popleft()):
                    jobs.setdefault(conn_id, set()).add(job_id)
            for conn_id, job_ids in jobs.items():  # one that does not answer does not keep the others waiting
                threading.Thread(target=_stop, args=(conn_id, job_ids), daemon=True).start()


def _jobs_of(ended: _Ended) -> list[tuple[str, str]]:
    """The jobs that ended tasks may have left, each with its connection."""
    try:
        return _read_jobs(ended)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next task is to be looked after
        log.warning("Whether ended tasks of %s left a job is not known: %s", ended.run_id, named(error))
        return []


def _read_jobs(ended: _Ended) -> list[tuple[str, str]]:
    """Only of tasks that are still ended: one that was cleared meanwhile has its job again."""
    query = select(TaskInstance).where(TaskInstance.dag_id == ended.dag_id, TaskInstance.run_id == ended.run_id)
    if ended.task_id is None:
        query = query.where(TaskInstance.state == "skipped")
    else:
        query = query.where(TaskInstance.task_id == ended.task_id, TaskInstance.map_index == ended.map_index)
    with create_session(scoped=False) as session:
        tasks = [ti for ti in session.scalars(query) if str(ti.state) in ENDED]
        found = [(ti, _job_of(ti, session), _fields_of(ti, session)) for ti in tasks]
    return [
        (job_id, str(fields.get("renderjuice_conn_id") or "renderjuice_default"))
        for ti, job_id, fields in found
        if job_id and _is_to_stop(ti.operator, fields)
    ]


def _job_of(ti: TaskInstance, session: Any) -> str | None:
    query = XComModel.get_many(
        key=JOB_ID, dag_ids=ti.dag_id, run_id=ti.run_id, task_ids=ti.task_id, map_indexes=ti.map_index
    )
    entry = session.scalar(query)
    value = None if entry is None else XComModel.deserialize_value(entry)
    return value if isinstance(value, str) else None


def _fields_of(ti: TaskInstance, session: Any) -> Mapping[str, Any]:
    """Its rendered arguments. Airflow keeps those of the newest runs of a DAG only."""
    return RenderedTaskInstanceFields.get_templated_fields(ti, session=session) or {}


def _is_to_stop(operator: str | None, fields: Mapping[str, Any]) -> bool:
    """Whether the task has paid for its job, and its author wants it to be cancelled."""
    if "cancel_on_kill" in fields:
        return truth(fields["cancel_on_kill"], "cancel_on_kill")
    return role_of(operator or "") in RENDERS


def _stop(conn_id: str, job_ids: Collection[str]) -> None:
    """Stop those of the jobs that are not over. Blocks until they are, or for `PATIENCE`."""
    try:
        client = RenderjuiceHook(conn_id).client
        with client:
            left = [job_id for job_id in job_ids if not client.get_job(job_id).is_over]
            until = time.time() + PATIENCE
            found = client.run(
                stop_all(client.operations, left, poll_interval=_POLL_INTERVAL, until=until, log=log.info)
            )
    except Exception as error:  # noqa: BLE001 - whatever it is, somebody is to hear of it
        found = dict.fromkeys(job_ids, RenderjuiceError(named(error)))
    for job_id, seen in found.items():
        if isinstance(seen, Job) and seen.is_over:
            log.info("The task of job %s was ended, and no process stopped the job: it is %s now", job_id, seen.status)
        else:
            why = seen.status if isinstance(seen, Job) else seen.what
            log.warning("Job %s may be running (%s), and costs money: %s", job_id, why, HOW_TO_STOP)
