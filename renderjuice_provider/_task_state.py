"""What Airflow says of a task instance right now: a process that it stops has to know why."""

from __future__ import annotations

from typing import Any

from renderjuice_provider.lifecycle.kill import DELETED, GONE

RECORD_KEY = "renderjuice"
"""Under which a task's state store keeps the record of its job."""
DEADLINE_KEY = "renderjuice_deadline"
"""XCom key under which a task that waits says until when. Airflow wipes XComs at each new try."""


def task_state(ti: Any) -> str:
    """The state of this task instance in Airflow's database; "None" without one, as after a clear.

    It blocks for requests. Beside Airflow's states it returns `GONE` and `DELETED`.

    Args:
        ti: anything that names a task instance, on a worker or in the triggerer.
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
    )
    for state in (states.get(ti.run_id) or {}).values():
        return str(state)
    return DELETED if RuntimeTaskInstance.get_dr_count(dag_id=ti.dag_id, run_ids=[ti.run_id]) else GONE


def waits_until(ti: Any) -> float | None:
    """Until when this task instance waits, in seconds since the epoch; None where it does not say.

    It blocks for a request.
    """
    from airflow.sdk.execution_time.xcom import XCom

    value = XCom.get_one(
        key=DEADLINE_KEY, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index
    )
    return float(value) if isinstance(value, (int, float)) else None


def is_in_process() -> bool:
    """Whether scheduler, worker and triggerer are this one process.

    So it is in `dag.test()` and `airflow tasks test`. What such a process leaves behind, no other
    takes up.
    """
    from airflow.sdk.execution_time import task_runner

    return type(getattr(task_runner, "SUPERVISOR_COMMS", None)).__name__ == "InProcessSupervisorComms"
