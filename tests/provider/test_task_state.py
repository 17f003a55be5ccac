"""What Airflow says of a task instance, each state distinguished.

A state, none, a row that is gone, a run that is gone.
"""

from __future__ import annotations

import pytest
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from renderjuice_provider._task_state import task_state
from renderjuice_provider.lifecycle.kill import DELETED, GONE
from tests.support.runner import FakeTaskInstance


class Airflow:
    """Its answers about the task instances and the DAG runs that it has."""

    def __init__(self, states, runs=()):
        self.states, self.runs = states, runs

    def get_task_states(self, *, dag_id, task_ids, run_ids, map_index):
        assert (dag_id, task_ids, run_ids, map_index) == ("dag", ["task"], ["run"], -1)
        return self.states

    def get_dr_count(self, *, dag_id, run_ids):
        return len({(dag_id, run_id) for run_id in run_ids} & set(self.runs))


@pytest.mark.parametrize(
    ("airflow", "state"),
    [
        (Airflow({"run": {"task": "deferred"}}, [("dag", "run")]), "deferred"),
        (Airflow({"run": {"task_3": "failed"}}, [("dag", "run")]), "failed"),
        (Airflow({"run": {"task": None}}, [("dag", "run")]), "None"),
        (Airflow({}, [("dag", "run")]), DELETED),
        (Airflow({"run": {}}, [("dag", "run")]), DELETED),
        (Airflow({}, [("other", "run"), ("dag", "later")]), GONE),
    ],
    ids=["a state", "a mapped task", "cleared", "row deleted", "row deleted, empty entry", "DAG or run deleted"],
)
def test_a_row_that_is_gone_is_not_a_row_without_a_state(monkeypatch, airflow, state):
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", airflow.get_task_states)
    monkeypatch.setattr(RuntimeTaskInstance, "get_dr_count", airflow.get_dr_count)
    assert task_state(FakeTaskInstance()) == state
