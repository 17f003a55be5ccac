"""What the DAG files say, without running them."""

from __future__ import annotations

import copy
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import ParamValidationError

# Airflow reads .airflowignore with a class that pathspec will rename.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

DAGS = Path(__file__).parents[2] / "dags"
IDS = {
    "renderjuice_quickstart",
    "renderjuice_shot",
    "renderjuice_nightly",
    "renderjuice_bulk",
    "renderjuice_reel",
    "renderjuice_on_complete",
}
RENDERING = {"renderjuice_quickstart": "render", "renderjuice_shot": "render", "renderjuice_bulk": "render"}
LONGEST = 90
"""Lines of a DAG file: it is read, and copied."""


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
from airflow.dag_processing.dagbag import DagBag  # first: Airflow sends warnings to its log from here on
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    warnings.filterwarnings("ignore", "GitWildMatchPattern")
    bag = DagBag({str(DAGS)!r})
ours = [str(each.message) for each in caught]
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

    for name, wrong in (
        *(("quality", "great"), ("shots", "juice"), ("dry_run", "yes"), ("date", 7)),
        *(("ceiling", [1]), ("ask_above", True)),
    ):
        with pytest.raises(ParamValidationError):
            params[name] = wrong


def test_a_shot_can_be_started_by_its_form_and_what_is_filled_in_is_checked(dags):
    params = copy.deepcopy(dags["renderjuice_shot"].params)
    params.validate()  # which shot it is, `take_order` asks: a form cannot say "one of two"

    names = ["shot", "file", "frames", "shot_list", "quality", "render", "again", "ask_above"]
    names += ["date", "destination", "work"]
    assert [*params] == names
    wrong_values = {"quality": "great", "shot": 7, "date": 7, "frames": ["1-3"], "render": "8 samples", "again": "yes"}
    wrong_values |= {"ask_above": [1]}
    for name, wrong in wrong_values.items():
        with pytest.raises(ParamValidationError):
            params[name] = wrong


def test_runs_of_shots_begin_as_soon_as_they_are_started_hundreds_at_once(dags):
    """A paused DAG would let the nightly wait for ever; Airflow's default is 16 runs at once."""
    shot = dags["renderjuice_shot"]

    assert (shot.is_paused_upon_creation, shot.schedule, shot.catchup) == (False, None, False)
    assert shot.max_active_runs >= 300


def rule_of(task):
    return str(getattr(task.trigger_rule, "value", task.trigger_rule))


def kept(task, name):
    return (task.partial_kwargs if hasattr(task, "partial_kwargs") else vars(task)).get(name, True)


def test_every_render_stops_the_bill_when_its_task_is_ended(dags):
    """What starts a render waits for it: a sensor leaves alone what something else has started."""
    found = {
        (dag.dag_id, task.task_id): task for dag in dags.values() for task in dag.tasks if "render" in task.task_id
    }

    assert found.keys() == RENDERING.items()
    for render in found.values():
        assert kept(render, "wait") is kept(render, "cancel_on_kill") is kept(render, "cancel_on_timeout") is True


def test_what_a_shot_pays_for_asks_whether_its_run_still_has_the_shot_and_a_share(dags):
    """A run whose render is cleared may have lost it to another one."""
    from stages.tasks import keep_share

    for task_id in ("probe", "render"):
        assert kept(dags["renderjuice_shot"].get_task(task_id), "pre_execute") is keep_share


def test_every_dag_runs_in_an_airflow_that_nobody_has_prepared(dags):
    """A pool that does not exist lets nothing run, and says nothing."""
    assert {task.pool for dag in dags.values() for task in dag.tasks} == {"default_pool"}


def test_every_render_is_in_the_pool_that_was_asked_for_and_nothing_else_is(monkeypatch):
    from airflow.dag_processing.dagbag import DagBag
    from stages import defaults

    assert defaults.pool_note() == ""
    monkeypatch.setattr(defaults, "POOL", "farm")

    for dag_id in ("renderjuice_shot", "renderjuice_nightly", "renderjuice_bulk"):
        for task in DagBag(str(DAGS / f"{dag_id}.py")).dags[dag_id].tasks:
            assert task.pool == ("farm" if task.task_id in {"render", "probe"} else "default_pool"), task.task_id
    assert 'airflow pools set farm 8 "Renders at once" --include-deferred' in defaults.pool_note()


def test_every_task_of_a_shot_notes_its_failure_and_each_of_a_layer_shows_its_name(dags):
    from stages.tasks import LAYER, note_failure

    mapped = set()
    for task in dags["renderjuice_shot"].tasks:
        assert task.on_failure_callback == [note_failure], task.task_id
        if hasattr(task, "expand_input"):
            mapped.add(task.task_id)
            assert task.map_index_template == LAYER
    assert mapped == {"upload", "create", "validate", "probe", "render"}


def test_a_shot_of_one_layer_has_at_most_twelve_tasks(dags):
    """Each mapped task has one instance then, and no task is for a layer that is not there."""
    assert len(dags["renderjuice_shot"].tasks) == 12


def test_what_runs_on_completion_is_started_by_events_and_waits_for_nothing(dags):
    from renderjuice_provider.assets import completed_renders

    dag = dags["renderjuice_on_complete"]

    assert dag.timetable.asset_condition == completed_renders()
    assert [task.task_id for task in dag.tasks] == ["not_downloaded", "download"]
    dag.params.validate()  # an event fills in nothing


def test_no_example_renders_what_comes_by_mapping(dags):
    from renderjuice_provider._templates import OnlyWrittenTemplates

    mapped = {task.task_id: task for dag in dags.values() for task in dag.tasks if hasattr(task, "expand_input")}

    assert set(mapped) == {"upload", "create", "validate", "probe", "render", "shot", "download"}
    for task in mapped.values():
        operator = task.operator_class
        assert issubclass(operator, OnlyWrittenTemplates) or not operator.template_fields, task.task_id


def test_nothing_is_rendered_before_all_layers_are_valid_nor_after_a_rejection(dags):
    """Half a composite is money lost. The branch skips what is directly downstream of it."""
    shot = dags["renderjuice_shot"]

    assert shot.get_task("render").upstream_task_ids >= {"decide"}
    assert shot.get_task("decide").upstream_task_ids >= {"validate"}
    paid = {task.task_id for task in shot.tasks if rule_of(task) == "none_failed_min_one_success"}
    assert paid == {"probe", "share", "render"}  # the branch names which of them are needed, and skips the others
    assert all(shot.get_task(task_id).upstream_task_ids >= {"decide"} for task_id in paid)
    others = {rule_of(task) for task in shot.tasks if task.task_id not in paid}
    assert others == {"all_success"}  # so all else is skipped after it


def test_what_is_begun_goes_before_what_is_not_until_its_render_is_ordered(dags):
    """By Airflow's default the first tasks weigh most.

    All shots would be uploaded before the first is rendered. What comes after a render waits: a
    worker that composites orders no render.
    """
    shot, row = dags["renderjuice_shot"], dags["renderjuice_nightly"].get_task("shot")
    after = {"composite": -3, "deliver": -2, "tell_tracker": -1}
    assert {task.task_id for task in shot.tasks if str(task.weight_rule) == "upstream"} == shot.task_ids - after.keys()
    assert {name: shot.get_task(name).priority_weight for name in after} == after
    assert (str(row.weight_rule), row.partial_kwargs["priority_weight"]) == ("absolute", 0)


def test_where_a_round_is_a_try_a_render_has_three_of_them(monkeypatch):
    """Before Airflow 3.3, where nothing else is tried again."""
    from stages.defaults import round_defaults, task_defaults

    soon = {"retries": 2, "retry_delay": timedelta(seconds=15)}
    assert round_defaults() == ({} if task_defaults()["retries"] else soon)
    monkeypatch.setitem(sys.modules, "renderjuice_provider.retry_policy", None)
    assert (task_defaults()["retries"], round_defaults()) == (0, soon)


def test_the_report_always_runs_and_alone_decides_the_state_of_the_night(dags):
    (leaf,) = dags["renderjuice_nightly"].leaves
    assert (leaf.task_id, leaf.trigger_rule.value) == ("report", "all_done")


def test_the_dag_files_are_short_enough_to_be_read_and_copied():
    for path in DAGS.glob("*.py"):
        assert len(path.read_text().splitlines()) <= LONGEST, path.name


def test_the_night_that_the_bench_writes_has_no_task_but_those_of_the_dag(dags):
    from benchmarks.wall_seed import SHOT, TASKS

    tasks = set(dags[SHOT].task_dict)
    assert {task for states in TASKS.values() for task in states} == tasks
