"""What the DAG files say, without running them."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.sdk.exceptions import ParamValidationError

# Airflow reads .airflowignore with a class that pathspec will rename.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

DAGS = Path(__file__).parents[2] / "dags"
IDS = {"renderjuice_quickstart", "renderjuice_nightly", "renderjuice_bulk", "renderjuice_rerender_failed"}


@pytest.fixture(scope="module")
def dags():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS))
    assert bag.import_errors == {}
    return bag.dags


@pytest.mark.slow
def test_all_dags_import_without_a_warning_and_without_heavy_libraries(airflow_home):
    """In a fresh process, as the DAG processor does it.

    Airflow's own deprecations count when our lines cause them.
    """
    code = f"""
import sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from airflow.dag_processing.dagbag import DagBag
    bag = DagBag({str(DAGS)!r})
ours = [str(each.message) for each in caught if {str(DAGS.parent)!r} in each.filename and "/site-" not in each.filename]
captured = [warning for warnings in bag.captured_warnings.values() for warning in warnings]
heavy = sorted(set(sys.modules) & {{"OpenImageIO", "av", "numpy"}})
print(bag.import_errors, sorted(bag.dags), ours, captured, heavy, sep="|")
"""
    done = subprocess.run([sys.executable, "-c", code], env=airflow_home, capture_output=True, text=True, check=True)
    errors, found, ours, captured, heavy = done.stdout.strip().splitlines()[-1].split("|")

    assert (errors, ours, captured, heavy) == ("{}", "[]", "[]", "[]")
    assert set(eval(found)) == IDS


def test_the_nightly_is_scheduled_in_its_time_zone_and_catches_nothing_up(dags):
    nightly = dags["renderjuice_nightly"]

    assert "expression='0 22 * * *', timezone='Europe/Berlin'" in repr(nightly.timetable)
    assert (nightly.catchup, nightly.max_active_runs) == (False, 1)


def test_the_nightly_can_be_started_without_filling_in_anything_and_checks_what_is_filled_in(dags):
    params = copy.deepcopy(dags["renderjuice_nightly"].params)
    params.validate()

    for name, wrong in (("quality", "great"), ("shots", "juice"), ("dry_run", "yes"), ("date", 7)):
        with pytest.raises(ParamValidationError):
            params[name] = wrong


def test_every_render_stops_the_bill_when_its_task_is_ended(dags):
    """What starts a render waits for it: a sensor leaves alone what something else has started."""
    for dag in dags.values():
        renders = [task for task in dag.tasks if task.task_id.rpartition(".")[2].startswith("render")]
        assert renders, dag.dag_id
        for render in renders:
            kept = render.partial_kwargs if hasattr(render, "partial_kwargs") else vars(render)
            assert (kept.get("wait", True), kept.get("cancel_on_kill", True)) == (True, True), render.task_id


def test_every_dag_runs_in_an_airflow_that_nobody_has_prepared(dags):
    """A pool that does not exist lets nothing run, and says nothing."""
    assert {task.pool for dag in dags.values() for task in dag.tasks} == {"default_pool"}


def test_every_render_is_in_the_pool_that_was_asked_for_and_nothing_else_is(monkeypatch):
    from airflow.dag_processing.dagbag import DagBag
    from stages import defaults

    assert defaults.pool_note() == ""
    monkeypatch.setattr(defaults, "POOL", "farm")

    for dag_id in IDS - {"renderjuice_quickstart"}:  # one render, with nothing around it that has to be set up
        for task in DagBag(str(DAGS / f"{dag_id}.py")).dags[dag_id].tasks:
            renders = task.task_id.rpartition(".")[2].startswith("render")
            assert task.pool == ("farm" if renders else "default_pool"), task.task_id
    assert 'airflow pools set farm 8 "Renders at once" --include-deferred' in defaults.pool_note()


@pytest.mark.parametrize("dag_id", ["renderjuice_nightly", "renderjuice_rerender_failed"])
def test_every_task_of_a_shot_shows_its_name_is_guarded_and_notes_its_failure(dags, dag_id):
    from stages.tasks import SHOT_NAME, guard, note_failure

    for task in dags[dag_id].tasks:
        if task.task_id.startswith("shot."):
            assert task.map_index_template == SHOT_NAME
            assert task._pre_execute_hook is guard
            assert task.on_failure_callback == [note_failure]


def test_no_example_renders_what_comes_by_mapping(dags):
    from renderjuice_provider._templates import OnlyWrittenTemplates

    mapped = {task.task_id: task for dag in dags.values() for task in dag.tasks if hasattr(task, "expand_input")}

    assert set(mapped) == {"render"}  # what a mapped group hands to its tasks, Airflow renders for nobody
    assert all(issubclass(task.operator_class, OnlyWrittenTemplates) for task in mapped.values())


def test_whatever_comes_after_the_decision_is_directly_downstream_of_it(dags):
    """Only then can the branch skip it, and `guard` know of it."""
    nightly = dags["renderjuice_nightly"]

    after = nightly.get_task("shot.decide").downstream_task_ids
    assert after == {
        "shot.reject",
        "shot.composite",
        "shot.deliver",
        *(
            f"shot.render_{layer}.{task}"
            for layer in ("base", "over")
            for task in ("render_final", "render_economical", "download")
        ),
    }


@pytest.mark.parametrize("dag_id", ["renderjuice_nightly", "renderjuice_rerender_failed"])
def test_no_task_of_a_shot_waits_for_other_shots(dags, dag_id):
    """These rules make Airflow wait for the tasks of all shots before it expands the next."""
    waiting = {"one_success", "one_failed", "one_done", "none_failed_min_one_success"}

    assert {task.trigger_rule.value for task in dags[dag_id].tasks} & waiting == set()


def test_what_is_begun_goes_before_what_is_not(dags):
    """By Airflow's default the first tasks weigh most.

    All shots would be uploaded before the first is rendered.
    """
    assert {str(task.weight_rule) for task in dags["renderjuice_nightly"].tasks} == {"upstream"}


def test_the_summary_always_runs_and_alone_decides_the_state_of_the_run(dags):
    for dag_id in ("renderjuice_nightly", "renderjuice_rerender_failed"):
        (leaf,) = dags[dag_id].leaves
        assert (leaf.task_id, leaf.trigger_rule.value) == ("summarize", "all_done")


def test_layers_of_the_dags_are_those_of_the_shot_list(dags):
    from stages.shot_models import LAYERS

    groups = {task.task_id.split(".")[1] for task in dags["renderjuice_nightly"].tasks if task.task_id.count(".") == 2}
    assert groups == {f"{stage}_{layer}" for stage in ("check", "render") for layer in LAYERS}


def test_the_dag_files_are_short_enough_to_be_read_and_copied():
    for dag_id in IDS:
        code = [line for line in (DAGS / f"{dag_id}.py").read_text().splitlines() if line.strip()]
        assert len(code) <= 115, dag_id
