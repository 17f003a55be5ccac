"""What Airflow knows of other runs, asked from a task."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError

from stages.compat import AirflowFailException

OVER = frozenset({"success", "failed"})
_WELL = frozenset({"success", "skipped"})


def run_state(ti: Any, dag_id: str, run_id: str) -> str | None:
    """The state of a run; None when there is no such run."""
    if not ti.get_dr_count(dag_id=dag_id, run_ids=[run_id]):
        return None
    state: str = ti.get_dagrun_state(dag_id=dag_id, run_id=run_id)
    return str(getattr(state, "value", state))


def is_paused(ti: Any, dag_id: str) -> bool:
    """Whether a DAG is paused. Before Airflow 3.2 a task cannot know, and this is False.

    Raises:
        AirflowFailException: when there is no such DAG.
    """
    if not hasattr(ti, "get_dag"):
        return False
    try:
        return bool(ti.get_dag(dag_id).is_paused)
    except AirflowRuntimeError as error:
        if (error.error.detail or {}).get("status_code") != HTTPStatus.NOT_FOUND:
            raise
        raise AirflowFailException(
            f"Airflow has no DAG {dag_id}: put its file into the DAG folder, or correct its import error; then clear this task"
        ) from error


def tasks_not_well(ti: Any, dag_id: str, run_id: str) -> list[str]:
    """The tasks of a run that failed or did not run. Those that failed come first."""
    found: Mapping[str, Mapping[str, str | None]] = ti.get_task_states(dag_id=dag_id, run_ids=[run_id])
    states = found.get(run_id, {})
    wrong = [task for task, state in states.items() if state == "failed"]
    return wrong or [task for task, state in states.items() if state not in _WELL]


def refusal(ti: Any, dag_id: str, run_id: str) -> str:
    """Why a shot's run did not take its order; empty when that is not known."""
    found = ti.xcom_pull(task_ids="take_order", dag_id=dag_id, run_id=run_id, key="refused")
    return found if isinstance(found, str) else ""
