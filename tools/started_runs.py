"""`dag.test()` for a DAG that starts runs of other DAGs and waits for them.

There is no scheduler that would perform these. So where a task waits for one, it is performed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def performed(dags: Mapping[str, Any]) -> Iterator[None]:
    """Within it, every wait for a run performs that run, if it has not begun yet.

    Args:
        dags: by id, those that may be started.
    """
    from airflow.providers.standard.triggers.external_task import DagStateTrigger
    from airflow.sdk.definitions import dag as dag_test

    waits: Any = dag_test._run_inline_trigger  # noqa: SLF001 - no other way leads between starting and waiting

    def wait(trigger: Any, *more: Any) -> Any:
        if isinstance(trigger, DagStateTrigger):
            for run_id in trigger.run_ids or ():
                perform(dags[trigger.dag_id], run_id)
        return waits(trigger, *more)

    with patch.object(dag_test, "_run_inline_trigger", wait):
        yield


def perform(dag: Any, run_id: str, conf: Mapping[str, Any] | None = None) -> Any:
    """Perform a run of this id, which replaces one that was queued; nothing for any other.

    Args:
        dag: its DAG.
        run_id: its id.
        conf: of the run. None for that of the queued one.
    """
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        there = session.scalar(select(DagRun).where(DagRun.dag_id == dag.dag_id, DagRun.run_id == run_id))
        if there is not None:
            if there.state != "queued":
                return None
            conf = there.conf if conf is None else conf
            session.delete(there)
    with patch.object(DagRun, "generate_run_id", lambda **_: run_id):
        return dag.test(run_conf=dict(conf or {}))
