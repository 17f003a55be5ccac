"""What a row is doing, by what its tasks and its jobs are doing."""

from __future__ import annotations

from typing import Any

import pytest

from renderjuice_provider.wall._stages import stages_of, state_of, state_of_layer
from renderjuice_provider.wall.facts import JobFacts, RowFacts
from renderjuice_provider.wall.models import RowState, Stage
from tests.wall.facts import JOB, job, left, row, shot, task


def state(facts: RowFacts, *jobs: JobFacts) -> str:
    known = {each.job_id: each for each in jobs}
    return str(state_of(facts, stages_of(facts, known), known))


def stages(facts: RowFacts, *jobs: JobFacts) -> dict[str, str]:
    return {stage.name: stage.state for stage in stages_of(facts, {each.job_id: each for each in jobs})}


LATER = {"render": None, "composite": None, "deliver": None, "reject": None}


@pytest.mark.parametrize(
    ("states", "status", "expected"),
    [
        (dict.fromkeys(("take_order", "upload", "create", "validate", "decide"), None) | LATER, None, "waiting"),
        ({"take_order": "running", "upload": None, "create": None, "validate": None} | LATER, None, "waiting"),
        ({"upload": "running", "create": None, "validate": None, "decide": None} | LATER, None, "uploading"),
        ({"create": "running", "validate": None, "decide": None} | LATER, None, "uploading"),
        ({"validate": "deferred", "decide": None} | LATER, "validating", "validating"),
        ({"render": "scheduled", "composite": None, "deliver": None}, "validated", "waiting"),
        ({"render": "deferred", "composite": None, "deliver": None}, "validated", "queued"),
        ({"render": "deferred", "composite": None, "deliver": None}, "booting", "queued"),
        ({"render": "deferred", "composite": None, "deliver": None}, "rendering", "rendering"),
        ({"render": "deferred", "composite": None, "deliver": None}, "finalizing", "finishing"),
        ({"render": "running", "composite": None, "deliver": None}, "completed", "finishing"),
        ({"render": "deferred", "composite": None, "deliver": None}, None, "rendering"),
        ({"render": "deferred", "composite": None, "deliver": None}, "a status of tomorrow", "rendering"),
        ({"composite": None, "deliver": None}, "completed", "compositing"),
        ({"composite": "running", "deliver": None}, "completed", "compositing"),
        ({"deliver": "running"}, "completed", "delivering"),
        ({}, "completed", "delivered"),
        ({"render": "failed", "composite": "upstream_failed", "deliver": "upstream_failed"}, "failed", "failed"),
        ({"render": "failed", "composite": "upstream_failed", "deliver": "upstream_failed"}, "canceled", "stopped"),
        ({"composite": "failed", "deliver": "upstream_failed"}, "completed", "failed"),
        (dict.fromkeys(("upload", "create", "validate", "decide", "render", "composite", "deliver"), "skipped"),
         None, "skipped"),
        ({"render": "up_for_retry", "composite": None, "deliver": None}, "rendering", "rendering"),
        ({"upload": "up_for_retry", "create": None, "validate": None, "decide": None} | LATER, None, "uploading"),
    ],
)  # fmt: skip
def test_a_shot_is_where_its_tasks_and_its_job_are(
    states: dict[str, str | None], status: str | None, expected: str
) -> None:
    assert state(shot(**states), *([job(status)] if status else [])) == expected


def test_a_shot_has_all_five_stages_and_each_names_its_task() -> None:
    found = stages_of(shot(render="deferred", composite=None, deliver=None), {JOB: job()})
    assert [(stage.name, stage.state) for stage in found] == [
        ("uploaded", "done"),
        ("validated", "done"),
        ("rendered", "running"),
        ("composited", "waiting"),
        ("delivered", "waiting"),
    ]
    assert found[2] == Stage(name="rendered", state="running", task_id="render", map_index=0)


@pytest.mark.parametrize(
    ("task_state", "status", "facts", "expected"),
    [
        (None, None, {}, {"uploaded": "waiting", "validated": "waiting", "rendered": "waiting"}),
        ("running", None, {"job_id": None}, {"uploaded": "running", "validated": "waiting", "rendered": "waiting"}),
        ("deferred", "validating", {}, {"uploaded": "done", "validated": "running", "rendered": "waiting"}),
        ("deferred", "rendering", {}, {"uploaded": "done", "validated": "done", "rendered": "running"}),
        ("success", "completed", {}, {"uploaded": "done", "validated": "done", "rendered": "done"}),
        ("failed", None, {"job_id": None}, {"uploaded": "failed", "validated": "skipped", "rendered": "skipped"}),
        ("failed", "failed", {}, {"uploaded": "done", "validated": "failed", "rendered": "skipped"}),
    ],
)
def test_a_task_that_does_all_of_it_has_the_stages_of_its_job(
    task_state: str | None, status: str | None, facts: dict[str, Any], expected: dict[str, str]
) -> None:
    more: dict[str, Any] = {"job_id": JOB} | facts
    run = task("run", task_state, **more)
    assert stages(row(run, heart="run"), *([job(status)] if status else [])) == expected


def test_a_job_that_nobody_has_read_yet_is_not_said_to_render() -> None:
    run = row(task("run", "deferred", job_id=JOB), heart="run")
    assert stages(run) == {"uploaded": "done", "validated": "running", "rendered": "waiting"}
    assert state(run) == "validating"
    assert state_of_layer(run.tasks[0], None) == "validating"
    assert state(run, job("validated")) == "queued"
    assert state(run, job("rendering")) == "rendering"


def test_a_job_that_failed_while_it_rendered_was_validated() -> None:
    run = row(task("run", "failed", job_id=JOB), heart="run")
    rendered = job("failed", queue_seconds=3.0, frames_done=2)
    assert stages(run, rendered) == {"uploaded": "done", "validated": "done", "rendered": "failed"}


def test_a_render_without_a_delivery_is_rendered() -> None:
    assert state(row(task("run", job_id=JOB), heart="run", run_state="success"), job("completed")) == "rendered"
    fetched = row(task("run", job_id=JOB), task("download"), heart="run", run_state="success")
    assert state(fetched, job("completed")) == "delivered"


def test_a_render_that_a_person_marked_as_successful_was_stopped() -> None:
    assert state(row(task("run", job_id=JOB), heart="run", run_state="success"), job("canceled")) == "stopped"


def test_a_cancelled_job_of_a_task_that_says_why_it_failed_is_a_failure() -> None:
    late = task("run", "failed", job_id=JOB, left=left("It took longer than a day, and was cancelled."))
    assert state(row(late, heart="run"), job("canceled")) == "failed"


def test_a_rejected_shot_is_rejected_whatever_its_tasks_are() -> None:
    tasks = list(shot(render="skipped", composite="skipped", deliver="skipped", reject="success").tasks)
    tasks[5] = task("reject", left=left("no usable camera", RowState.REJECTED))
    assert state(row(*tasks, run_state="success")) == "rejected"


def test_what_was_left_before_a_clear_counts_no_more() -> None:
    again = task("run", "queued", job_id=JOB, left=left("no camera", RowState.REJECTED))
    assert state(row(again, heart="run")) == "waiting"


def test_a_layer_that_failed_makes_a_failed_shot_while_another_still_renders() -> None:
    layers = (task("render", "failed", 0, job_id=JOB), task("render", "deferred", 1, job_id="other"))
    assert state(row(*layers), job("failed"), job("rendering", "other")) == "failed"


def test_of_several_layers_the_shot_does_what_costs_most() -> None:
    layers = (task("render", "deferred", 0, job_id=JOB), task("render", "deferred", 1, job_id="other"))
    assert state(row(*layers), job("booting"), job("rendering", "other")) == "rendering"


def test_a_task_whose_run_ended_before_it_began_has_failed() -> None:
    assert state(row(task("run", None), heart="run", run_state="failed")) == "failed"
    assert state(row(task("run", "upstream_failed"), heart="run", run_state="failed")) == "failed"


def test_what_only_validates_renders_nothing() -> None:
    assert state(row(task("validate", job_id=JOB), heart="validate", run_state="success")) == "skipped"


@pytest.mark.parametrize(
    ("task_state", "status", "expected"),
    [
        ("success", "completed", "rendered"),
        ("success", "canceled", "stopped"),
        ("failed", "canceled", "stopped"),
        ("failed", "failed", "failed"),
        ("skipped", "validated", "skipped"),
        ("deferred", "booting", "queued"),
        ("scheduled", "validated", "waiting"),
    ],
)
def test_a_layer_has_a_state_of_its_own(task_state: str, status: str, expected: str) -> None:
    assert state_of_layer(task("render", task_state, job_id=JOB), job(status)) == expected


def test_a_layer_that_says_why_it_failed_is_what_it_says() -> None:
    rejected = task("render", "failed", left=left("no camera", RowState.REJECTED))
    assert state_of_layer(rejected, None) == "rejected"
