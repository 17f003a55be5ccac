"""What an action would do to a row, and what it would cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from renderjuice_provider.wall.actions import Kind, decide, possible
from renderjuice_provider.wall.costs import money_sentence
from renderjuice_provider.wall.facts import JobFacts, Look, Rate, RowFacts, TaskFacts
from renderjuice_provider.wall.models import Action, WantedAction
from renderjuice_provider.wall.plans import GONE, make_plan
from renderjuice_provider.wall.roles import role_of

OPERATORS = {
    "upload": "RenderjuiceUploadOperator",
    "create": "RenderjuiceCreateJobOperator",
    "validate": "RenderjuiceValidateJobOperator",
    "render": "RenderjuiceRenderJobOperator",
    "frames": "RenderjuiceRenderFramesOperator",
    "run": "RenderjuiceRunJobOperator",
    "download": "RenderjuiceDownloadOperator",
}
RENDERS = JobFacts("job", "rendering", frames_total=24, frames_done=6, normalized_seconds=60.0)


def task(name: str, state: str | None, map_index: int = -1, **more: Any) -> TaskFacts:
    operator = OPERATORS.get(name, "PythonOperator")
    return TaskFacts(
        f"id of {name} {map_index}", "dag", "run", name, map_index, operator, role_of(operator, name), state, **more
    )


def row(*tasks: TaskFacts, run_state: str = "running", is_shot: bool = False, **conf: Any) -> RowFacts:
    return RowFacts("row", "dag", "run", run_state, conf=conf, tasks=tasks, is_shot=is_shot)


def chain(state: str | None, run_state: str = "failed", job_id: str | None = "job", **conf: Any) -> RowFacts:
    """One step after the other, up to a render in this state."""
    steps = [task(name, "success") for name in ("upload", "create", "validate")]
    return row(*steps, task("render", state, job_id=job_id, conn_id="farm"), run_state=run_state, **conf)


def named(tasks: tuple[TaskFacts, ...]) -> list[str]:
    return [f"{each.task_id} {each.map_index}" if each.map_index >= 0 else each.task_id for each in tasks]


# Stop


def test_stop_ends_what_is_under_way_and_leaves_the_rest_to_end_by_itself() -> None:
    intent = decide(Action.STOP, chain("deferred", "running"), {"job": RENDERS})
    assert (intent.kind, named(intent.tasks)) == (Kind.END, ["render"])
    assert intent.will == "render will be marked as failed; its job is cancelled."


def test_stop_ends_all_layers_of_a_shot_also_those_that_have_not_begun() -> None:
    tasks = [task("take_order", "success"), task("frames", "deferred", 0), task("frames", None, 1)]
    intent = decide(Action.STOP, row(*tasks, task("composite", None), is_shot=True), {})
    assert named(intent.tasks) == ["frames 0", "frames 1"]


def test_stop_of_what_waits_for_its_turn_ends_its_first_task() -> None:
    waiting = row(task("upload", None), task("create", None), run_state="queued")
    assert named(decide(Action.STOP, waiting, {}).tasks) == ["upload"]


def test_stop_ends_a_composite_that_is_under_way() -> None:
    rendered = row(task("frames", "success", 0), task("composite", "running"), task("deliver", None))
    assert named(decide(Action.STOP, rendered, {}).tasks) == ["composite"]


@pytest.mark.parametrize(("state", "run_state"), [("success", "success"), ("failed", "running"), (None, "failed")])
def test_what_is_over_cannot_be_stopped(state: str | None, run_state: str) -> None:
    assert "nothing to stop" in decide(Action.STOP, row(task("run", state), run_state=run_state), {}).refused


def test_a_plan_to_stop_stays_the_same_while_its_render_goes_on() -> None:
    deferred, resumed = chain("deferred", "running"), chain("running", "running")
    later = replace(RENDERS, frames_done=20, normalized_seconds=200.0)
    assert decide(Action.STOP, deferred, {"job": RENDERS}).mark == decide(Action.STOP, resumed, {"job": later}).mark
    assert decide(Action.STOP, deferred, {}).mark == decide(Action.STOP, resumed, {"job": later}).mark
    unpaid = chain("running", "running", job_id=None)
    assert decide(Action.STOP, unpaid, {}).mark != decide(Action.STOP, resumed, {}).mark


# Render


@pytest.mark.parametrize("action", [Action.AGAIN, Action.MISSING, Action.TAKE_UP, Action.SETTINGS])
def test_nothing_is_started_while_a_row_is_under_way(action: Action) -> None:
    assert "stop it first" in decide(action, chain("deferred", "running"), {"job": RENDERS}, {"samples": 8}).refused


def test_again_begins_with_the_task_that_makes_the_job() -> None:
    intent = decide(Action.AGAIN, chain("failed"), {})
    assert (intent.kind, named(intent.tasks), intent.forgets) == (Kind.CLEAR, ["create"], False)


@pytest.mark.parametrize(("on_clear", "forgets"), [("reattach", True), ("resubmit", False)])
def test_again_makes_a_task_forget_its_job_where_a_clear_would_take_it_up(on_clear: str, *, forgets: bool) -> None:
    done = row(task("run", "success", 3, fields={"on_clear": on_clear}), run_state="success")
    intent = decide(Action.AGAIN, done, {})
    assert (named(intent.tasks), intent.forgets) == (["run 3"], forgets)


def test_frames_that_are_kept_are_not_rendered_again_unless_the_dag_knows_how() -> None:
    shot = row(task("create", "success", 0), task("frames", "failed", 0), run_state="failed", is_shot=True)
    assert "only what is missing" in decide(Action.AGAIN, shot, {}).refused
    intent = decide(Action.AGAIN, replace(shot, conf={"shot": "s", "again": False}), {})
    assert (intent.kind, intent.conf) == (Kind.START, {"shot": "s", "again": True})


def test_a_row_without_a_task_that_makes_a_job_cannot_be_rendered_again() -> None:
    assert "start it again in Airflow" in decide(Action.AGAIN, row(task("download", "failed")), {}).refused


def test_missing_clears_what_failed_of_a_folder_of_frames() -> None:
    shot = row(task("frames", "success", 0), task("frames", "failed", 1), task("composite", "upstream_failed"))
    intent = decide(Action.MISSING, replace(shot, run_state="failed"), {})
    assert (intent.kind, named(intent.tasks)) == (Kind.CLEAR, ["frames 1"])


def test_nothing_is_missing_where_nothing_failed() -> None:
    done = row(task("frames", "success", 0), task("deliver", "success"), run_state="success")
    assert "all its frames are there" in decide(Action.MISSING, done, {}).refused


def test_missing_is_for_folders_of_frames_that_were_to_be_rendered() -> None:
    assert "whole job" in decide(Action.MISSING, chain("failed"), {}).refused
    rejected = row(task("frames", "skipped", 0), run_state="success")
    assert "rejected" in decide(Action.MISSING, rejected, {}).refused


def test_a_studios_own_operator_that_fills_a_folder_is_one() -> None:
    own = replace(task("other", "failed", job_id="job"), role=role_of("Own", has_job=True))
    own = replace(own, fields={"destination": "/out", "rounds": 3})
    assert named(decide(Action.MISSING, row(own, run_state="failed"), {}).tasks) == ["other"]


@pytest.mark.parametrize("status", ["rendering", "completed"])
def test_a_job_is_taken_up_that_renders_or_is_completed(status: str) -> None:
    intent = decide(Action.TAKE_UP, chain("failed"), {"job": replace(RENDERS, status=status)})
    assert (intent.kind, named(intent.tasks)) == (Kind.CLEAR, ["render"])


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_job_that_is_over_is_not_taken_up(status: str) -> None:
    refused = decide(Action.TAKE_UP, chain("failed"), {"job": replace(RENDERS, status=status)}).refused
    assert f"Its job is {status}" in refused


def test_a_job_of_which_nobody_knows_is_not_taken_up() -> None:
    assert "try again in a moment" in decide(Action.TAKE_UP, chain("failed"), {}).refused
    assert "no job" in decide(Action.TAKE_UP, chain("failed", job_id=None), {}).refused


def test_what_did_not_fail_or_renders_again_by_itself_is_not_taken_up() -> None:
    completed = {"job": replace(RENDERS, status="completed")}
    assert "None of its tasks failed" in decide(Action.TAKE_UP, chain("success", "success"), completed).refused
    again = row(task("run", "failed", job_id="job", fields={"on_clear": "resubmit"}), run_state="failed")
    assert "on_clear" in decide(Action.TAKE_UP, again, completed).refused


# Settings


def test_other_settings_are_laid_over_those_of_the_run() -> None:
    config = {"colorManagementPreset": "aces", "sampleCount": 64, "outputSettings": {"colorMode": "RGBA"}}
    wanted = {"samples": 128, "outputSettings": {"colorDepth": "16"}}
    intent = decide(Action.SETTINGS, chain("success", "success", config=config), {}, wanted)
    assert intent.kind is Kind.START
    assert intent.conf["config"] == {
        "colorManagementPreset": "aces",
        "sampleCount": 128,
        "outputSettings": {"colorMode": "RGBA", "colorDepth": "16"},
    }


def test_a_param_of_the_dag_comes_before_a_field_of_the_configuration() -> None:
    shot = row(task("frames", "failed", 0), run_state="failed", is_shot=True, render={}, quality="auto", frames=None)
    intent = decide(Action.SETTINGS, shot, {}, {"quality": "final", "frames": "1-8", "sampleCount": 9})
    assert intent.conf == {"render": {"sampleCount": 9}, "quality": "final", "frames": "1-8"}


def test_the_same_settings_are_the_same_run() -> None:
    done = chain("success", "success", config={})
    first, second, other = (decide(Action.SETTINGS, done, {}, {"samples": count}).run_id for count in (8, 8, 9))
    assert first == second != other
    assert first.startswith("run__settings__")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, "No setting"),
        ({"samples": 0}, "sampleCount"),
        ({"magic": 1}, "no setting magic"),
        ({"outputSettings": {"colorDepth": []}}, "outputSettings"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(settings: dict[str, Any], why: str) -> None:
    assert why in decide(Action.SETTINGS, chain("success", "success", config={}), {}, settings).refused


def test_a_dag_that_takes_no_settings_says_so() -> None:
    assert "takes no other settings" in decide(Action.SETTINGS, chain("failed"), {}, {"samples": 8}).refused
    bulk = row(task("run", "failed", 4), run_state="failed", config={})
    assert "takes no other settings" in decide(Action.SETTINGS, bulk, {}, {"samples": 8}).refused


def test_what_is_possible_is_what_is_not_refused() -> None:
    over = replace(RENDERS, status="completed")
    assert possible(chain("deferred", "running"), {"job": RENDERS}) == [Action.STOP]
    assert possible(chain("failed", config={}), {"job": over}) == [Action.AGAIN, Action.TAKE_UP, Action.SETTINGS]
    assert possible(row(task("frames", "failed"), run_state="failed"), {}) == [Action.MISSING]


# Money


def money(action: Action, *rows: RowFacts, settings: dict[str, Any] | None = None, **look: Any) -> str:
    found = Look(**look)
    return money_sentence(action, [decide(action, each, found.jobs, settings) for each in rows], found)


def test_a_stop_says_what_is_billed_and_what_is_saved() -> None:
    rates = {"farm": Rate(36.0, "EUR")}
    said = money(Action.STOP, chain("deferred", "running"), jobs={"job": RENDERS}, rates=rates)
    assert said == (
        "Until now 60 normalized seconds (0.60 EUR) are billed; about 180 normalized seconds (1.80 EUR) are saved."
    )


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (replace(RENDERS, normalized_seconds=None), "What has been rendered by then is billed, the rest is not."),
        (replace(RENDERS, frames_total=None), "Until now 60 normalized seconds are billed, the rest is not."),
        (replace(RENDERS, status="validated"), "Nothing of it renders now"),
        (None, "What has been rendered by then is billed, the rest is not."),
    ],
)
def test_a_stop_promises_nothing_that_nobody_knows(job: JobFacts | None, said: str) -> None:
    jobs = {"job": job} if job else {}
    assert money(Action.STOP, chain("deferred", "running"), jobs=jobs).startswith(said)


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (RENDERS, "Only what is missing is rendered and paid, 18 frames: about 180 normalized seconds."),
        (replace(RENDERS, frames_done=23), "Only what is missing is rendered and paid, 1 frame: about 3 normalized"),
        (replace(RENDERS, normalized_seconds=None), "Only what is missing is rendered and paid, 18 frames."),
        (replace(RENDERS, frames_done=24), "By Renderjuice's counters no frame is missing"),
        (None, "Only the frames that are missing are rendered and paid; how many"),
    ],
)
def test_missing_says_how_much_is_missing(job: JobFacts | None, said: str) -> None:
    failed = row(task("frames", "failed", 0, job_id="job", conn_id="farm"), run_state="failed")
    assert money(Action.MISSING, failed, jobs={"job": job} if job else {}).startswith(said)


def test_again_says_what_it_was_before_with_all_rounds() -> None:
    done = row(task("run", "success", job_id="b", jobs={"a": 100.0, "b": None}, conn_id="farm"), run_state="success")
    jobs = {"b": JobFacts("b", "completed", normalized_seconds=23.0)}
    assert money(Action.AGAIN, done, jobs=jobs) == "All frames are paid again. Before, it was 123 normalized seconds."
    assert money(Action.AGAIN, done) == "All frames are paid again. What it was before is not known."


def test_what_was_never_rendered_is_not_paid_again() -> None:
    failed = row(task("run", "failed", job_id="b", jobs={"a": 0.0}, conn_id="farm"), run_state="failed")
    jobs = {"b": JobFacts("b", "failed", normalized_seconds=0.0)}
    said = "All frames are paid. Nothing of it was rendered before."
    assert money(Action.AGAIN, failed, jobs=jobs) == said
    never_uploaded = row(task("run", "failed", conn_id="farm"), run_state="failed")
    assert money(Action.AGAIN, never_uploaded) == said


def test_currencies_are_not_added() -> None:
    done = row(
        task("run", "success", 0, jobs={"a": 3600.0}, conn_id="one"),
        task("run", "success", 1, jobs={"b": 3600.0}, conn_id="two"),
        run_state="success",
    )
    rates = {"one": Rate(1.0, "EUR"), "two": Rate(1.0, "USD")}
    assert money(Action.AGAIN, done, rates=rates).endswith("Before, it was 7,200 normalized seconds.")
    assert "(2.00 EUR)" in money(Action.AGAIN, done, rates=dict.fromkeys(rates, rates["one"]))


def test_the_other_actions_say_what_they_cost_too() -> None:
    over = {"job": replace(RENDERS, status="completed")}
    assert money(Action.TAKE_UP, chain("failed"), jobs=over).startswith("Nothing is paid twice")
    done = chain("success", "success", config={})
    assert "may cost more" in money(Action.SETTINGS, done, settings={"samples": 8}, jobs=over)
    assert money(Action.STOP, done, jobs=over) == "Nothing happens, so nothing is paid."


# Plans


def test_a_question_names_one_row_and_counts_several() -> None:
    rows = [replace(chain("deferred", "running", shot="sh010"), id=name, is_shot=True) for name in "abc"]
    over = replace(chain("failed", shot="sh020"), id="d", is_shot=True)

    def question(*chosen: RowFacts, action: Action = Action.STOP, ids: str = "") -> str:
        wanted = WantedAction(action=action, rows=list(ids) or [each.id for each in chosen])
        return make_plan(wanted, [decide(action, each, {}) for each in chosen], Look()).question

    assert question(rows[0]) == "Stop sh010?"
    assert question(*rows) == "Stop 3 rows?"
    assert question(*rows, over) == "Stop 3 rows, and leave 1 as it is?"
    assert question(over, action=Action.AGAIN) == "Render sh020 again?"
    assert question(over) == "sh020 cannot be stopped."
    assert question(rows[0], rows[1], action=Action.AGAIN) == "None of these rows can be rendered again."
    assert question(rows[0], ids="ax") == "Stop sh010, and leave 1 as it is?"


def test_a_row_that_is_gone_is_said_to_be() -> None:
    plan = make_plan(WantedAction(action=Action.STOP, rows=["gone", "gone"]), [], Look())
    assert [(each.id, each.refused) for each in plan.rows] == [("gone", GONE)]


def test_a_confirmation_is_for_one_action_on_the_same_tasks() -> None:
    done = chain("failed", config={})

    def confirm(found: RowFacts, action: Action = Action.AGAIN, **settings: Any) -> str:
        wanted = WantedAction(action=action, rows=[found.id], settings=settings or None)
        return make_plan(wanted, [decide(action, found, {}, settings)], Look()).confirm

    cleared = replace(done, tasks=tuple(replace(each, state=None) for each in done.tasks))
    assert confirm(done) == confirm(done)
    assert len({confirm(done), confirm(cleared), confirm(done, Action.SETTINGS, samples=8)}) == 3
    assert confirm(done, Action.SETTINGS, samples=8) != confirm(done, Action.SETTINGS, samples=9)
