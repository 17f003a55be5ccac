"""What the web UI makes of the DAGs.

It sorts the members of each task group, and sees a group among them as one thing.
"""

from __future__ import annotations

import json
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from airflow.sdk import DAG, TaskGroup, task, task_group

from tests.support.pages import blocks

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

ROOT = Path(__file__).parents[2]
FOLDERS = ("dags", "proofs/chaos/dags", "benchmarks/dags", "documentation")


@pytest.fixture(params=FOLDERS)
def dags(request, tmp_path):
    """All DAGs of a folder, or of the documentation."""
    from airflow.dag_processing.dagbag import DagBag

    folder = ROOT / request.param
    if request.param == "documentation":
        folder = tmp_path
        for block in blocks("python"):
            if block.kind == "dag":
                (tmp_path / f"{block.name}.py").write_text(block.code)
    bag = DagBag(str(folder))
    assert (bag.import_errors, bag.captured_warnings) == ({}, {})
    assert bag.dags
    return bag.dags.values()


def members(group, node):
    """Which member of `group` this task is, or is in; None when it is outside."""
    while node is not None and node.node_id not in group.children:
        node = node.task_group
    return node and node.node_id


def sort_groups(dag):
    """Sort the members of every group by all edges between their tasks.

    Raises:
        CycleError: when one cannot be sorted: a group holds tasks both before and after another
            member.
    """
    for group in dag.task_group.get_task_group_dict().values():
        before = {name: set() for name in group.children}
        for each in dag.tasks:
            for upstream in each.upstream_list:
                first, then = members(group, upstream), members(group, each)
                if first and then and first != then:
                    before[then].add(first)
        TopologicalSorter(before).prepare()


def grid_and_graph(dag):
    """What the routes of the grid and of the graph answer, from the DAG as Airflow stores it."""
    from airflow.api_fastapi.core_api.services.ui.task_group import task_group_to_dict, task_group_to_dict_grid
    from airflow.serialization.serialized_objects import DagSerialization

    stored = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    groups = stored.task_group.get_task_group_dict()
    top = stored.task_group.topological_sort(group_dict=groups)
    return [[show(node, group_dict=groups) for node in top] for show in (task_group_to_dict_grid, task_group_to_dict)]


def task_ids(nodes):
    """Of all tasks below `nodes`; the graph has nodes that join edges as well."""
    for node in nodes:
        if node.get("children"):
            yield from task_ids(node["children"])
        elif node.get("type") != "join":
            yield node["id"]


def test_grid_and_graph_show_every_task_of_every_dag(dags):
    for dag in dags:
        for shown in grid_and_graph(dag):
            assert sorted(task_ids(shown)) == sorted(dag.task_ids)


def test_the_members_of_every_task_group_can_be_put_in_order(dags):
    for dag in dags:
        sort_groups(dag)


def test_a_group_with_tasks_before_and_after_another_would_be_found():
    with DAG("entangled", schedule=None) as dag:

        @task
        def step(after=None):
            return after

        @task_group
        def shot():
            with TaskGroup("layer") as layer:
                first = step.override(task_id="first")()
            decision = step.override(task_id="decide")(first)
            with layer:
                step.override(task_id="last")(decision)

        shot()

    with pytest.raises(CycleError):
        sort_groups(dag)
