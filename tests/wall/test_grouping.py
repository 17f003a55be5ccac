"""Which tasks of a run make a row."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_provider.wall._grouping import RowKey, RunFacts, rows_of
from renderjuice_provider.wall._structure import Structure
from renderjuice_provider.wall.facts import TaskFacts
from tests.wall.facts import JOB, OPERATORS, ago, task


def structure(*chains: str, **operators: str) -> Structure:
    """From chains such as `upload > create > render`; operators by the ids of the tasks."""
    tasks = {name for chain in chains for name in chain.split(" > ")}
    after: dict[str, set[str]] = {name: set() for name in tasks}
    for chain in chains:
        names = chain.split(" > ")
        for name, following in itertools.pairwise(names):
            after[name].add(following)
    known = {name: operators.get(name) or OPERATORS.get(name, "_PythonDecoratedOperator") for name in tasks}
    return Structure(known, {name: frozenset(others) for name, others in after.items()}, {})


def rows(dag: Structure, *tasks: TaskFacts, conf: Mapping[str, object] | None = None) -> dict[str, list[str]]:
    """The tasks of each row, by the row's heart and map index."""
    run = RunFacts("a_dag", "a_run", "running", ago(30), conf or {})
    found = rows_of(run, tasks, dag)
    assert all(each.id for each in found)
    assert len({each.id for each in found}) == len(found)
    keys = [RowKey.parse(each.id) for each in found]
    return {
        f"{key.task_id} {key.map_index}": [_named(each) for each in row.tasks]
        for key, row in zip(keys, found, strict=True)
        if key
    }


def _named(each: TaskFacts) -> str:
    return f"{each.task_id} {each.map_index}" if each.map_index >= 0 else each.task_id


STEPS = structure("upload > create > validate > render_job > download > collect")


def test_the_steps_of_one_render_are_one_row_and_other_tasks_are_not_in_it() -> None:
    tasks = [task(name) for name in ("download", "upload", "render_job", "create", "validate", "collect")]
    assert rows(STEPS, *tasks) == {"render_job -1": ["upload", "create", "validate", "render_job", "download"]}


def test_a_run_that_names_a_shot_or_a_file_is_one_row_with_all_its_tasks() -> None:
    tasks = [task("upload", map_index=0), task("render_job", map_index=1), task("collect")]
    for conf in ({"shot": "ab_010"}, {"file": "/a/b.blend"}):
        assert rows(STEPS, *tasks, conf=conf) == {" -1": ["upload 0", "render_job 1", "collect"]}
    assert len(rows(STEPS, *tasks, conf={"shot": None, "file": ""})) == 2


def test_the_dags_own_default_names_a_shot_too() -> None:
    named = Structure(STEPS.operators, STEPS.after, {"shot": "ab_010"})
    assert list(rows(named, task("upload"), task("render_job"))) == [" -1"]


def test_of_a_mapped_task_each_map_index_is_a_row() -> None:
    bulk = structure("find > run > collect")
    tasks = [task("run", map_index=index) for index in range(3)]
    assert rows(bulk, task("find"), *tasks, task("collect")) == {
        "run 0": ["run 0"],
        "run 1": ["run 1"],
        "run 2": ["run 2"],
    }


def test_a_mapped_task_that_is_not_expanded_yet_is_one_row_that_waits() -> None:
    assert rows(structure("find > run"), task("find", "running"), task("run", None)) == {"run -1": ["run"]}


def test_a_row_keeps_its_id_while_task_after_task_is_expanded() -> None:
    before = rows(STEPS, task("upload", map_index=0), task("create", None), task("render_job", None))
    after = rows(STEPS, task("upload", map_index=0), task("create", map_index=0), task("render_job", map_index=0))
    assert list(before) == list(after) == ["render_job 0"]


def test_two_renders_in_a_row_are_two_rows() -> None:
    two = structure("first > second", first=OPERATORS["run"], second=OPERATORS["run"])
    tasks = [task(name, operator=OPERATORS["run"]) for name in ("first", "second")]
    assert rows(two, *tasks) == {"first -1": ["first"], "second -1": ["second"]}


def test_what_prepares_belongs_to_the_next_render_and_what_fetches_to_the_last() -> None:
    tasks_of = {
        "upload_a": OPERATORS["upload"],
        "a": OPERATORS["run"],
        "get_a": OPERATORS["download"],
        "b": OPERATORS["run"],
    }
    dag = structure("upload_a > a > get_a", "a > b", **tasks_of)
    assert rows(dag, *(task(name, operator=operator) for name, operator in tasks_of.items())) == {
        "a -1": ["upload_a", "a", "get_a"],
        "b -1": ["b"],
    }


def test_a_task_between_them_does_not_part_a_render_from_its_preparation() -> None:
    dag = structure("create > decide > render_job")
    assert rows(dag, task("create"), task("decide"), task("render_job")) == {"render_job -1": ["create", "render_job"]}


def test_where_nothing_renders_the_row_is_about_what_comes_last() -> None:
    dag = structure("upload > create > validate")
    assert rows(dag, task("upload"), task("create"), task("validate")) == {
        "validate -1": ["upload", "create", "validate"]
    }
    assert rows(structure("wait > collect"), task("wait"), task("collect")) == {"wait -1": ["wait"]}


def test_a_task_that_only_cancels_is_no_row() -> None:
    assert rows(structure("cancel > collect"), task("cancel"), task("collect")) == {}


def test_a_studios_own_operator_is_known_by_the_job_that_it_has_published() -> None:
    dag = structure("find > ours", ours="StudioRenderOperator")
    own = task("ours", operator="StudioRenderOperator", job_id=JOB)
    assert rows(dag, task("find"), own) == {"ours -1": ["ours"]}


def test_removed_tasks_are_no_rows() -> None:
    assert rows(structure("run > x"), task("run", "removed", 1), task("run", map_index=0)) == {"run 0": ["run 0"]}


def test_a_run_of_a_version_that_is_gone_still_has_its_row() -> None:
    unknown = Structure({}, {}, {})
    tasks = [task(name) for name in ("upload", "create", "render_job", "collect")]
    assert rows(unknown, *tasks) == {"render_job -1": ["upload", "create", "render_job"]}
    two = [task("one", operator=OPERATORS["run"]), task("two", operator=OPERATORS["run"])]
    assert rows(unknown, *two) == {"one -1": ["one"], "two -1": ["two"]}


def test_tasks_that_wait_for_each_other_are_no_endless_loop() -> None:
    circle = Structure({"run": OPERATORS["run"], "b": "x"}, {"run": frozenset({"b"}), "b": frozenset({"run"})}, {})
    assert rows(circle, task("run")) == {"run -1": ["run"]}


@given(st.text(), st.text(), st.text(), st.integers(-1, 10_000))
def test_an_id_stands_for_its_row_and_is_safe_in_a_url(dag_id: str, run_id: str, task_id: str, index: int) -> None:
    key = RowKey(dag_id[:250], run_id[:250], task_id[:250], index)
    assert set(key.text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert RowKey.parse(key.text) in {key, None if len(key.text) > 2000 else key}


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    ["", "x", "!", "é", "A" * 5000, _encoded({}), _encoded([1, 2, 3, 4]), _encoded(["a", "b", "c", True]),
     _encoded(["a", "b", "c", 1]) + "=", _encoded("[" * 1000)],
)  # fmt: skip
def test_what_is_no_id_stands_for_nothing(text: str) -> None:
    assert RowKey.parse(text) is None
