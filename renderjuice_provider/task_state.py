"""What Airflow says of a task instance right now: whoever is told to stop must know why."""

from __future__ import annotations

from typing import Any

ENDED = frozenset({"failed", "success", "skipped", "upstream_failed", "removed"})
"""The states of a task instance that no process goes on with."""


def task_state(ti: Any) -> str | None:
    """The state of this task instance in Airflow's database; None when it has none. It blocks for a request.

    Args:
        ti: anything that names a task instance, on a worker or in the triggerer.
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(
        dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
    )
    return next((str(state) for state in states.get(ti.run_id, {}).values()), None)
