"""`stuck_after`: a job that hangs is reported once, and where it is wanted the rest is rendered."""

from __future__ import annotations

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceIncompleteError, RenderjuiceInputError
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCeilingError,
    RenderjuiceJobOverError,
    RenderjuiceRenderFramesOperator,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
)
from tests.support.both_clients import connect, validated
from tests.support.crash import Crash, Died
from tests.support.runner import needs_store

both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "on the worker"])
CONFIG = {"colorManagementPreset": "default", "frameRanges": ["1-12"]}
STUCK = {"stuck_after": 8, "poll_interval": 0.02, "render_config": CONFIG}
"""A frame takes 40 ms of real time, and the job hangs at the ninth."""


@pytest.fixture
def hanging(emulator, tmp_path):
    """A scene of which the first render hangs, and nobody knows before its end what it has cost."""
    emulator.switches.hangs_at = {"ice.blend": 9}
    emulator.switches.seconds_while_rendering = False
    return write_scene(tmp_path / "ice.blend", frame_end=12, seconds_per_frame=40)


@pytest.fixture
def reported():
    return []


@pytest.fixture
def frames(hanging, tmp_path, reported):
    def task(**more):
        given = {"task_id": "render", "file_path": str(hanging), "destination": str(tmp_path / "out")}
        callback = {"on_stuck_callback": lambda context: reported.append(context["reason"])}
        return RenderjuiceRenderFramesOperator(**given | STUCK | callback | {"cancel_stuck": True} | more)

    return task


def ordered(emulator):
    return [job.requested_config["frameRanges"] for job in emulator.jobs.values() if job.requested_config]


def ends(emulator):
    return [str(account.status) for account in emulator.ledger.accounts.values()]


@needs_store
@both_modes
def test_a_stuck_job_is_cancelled_and_only_what_is_missing_is_rendered_again(
    emulator, runner, frames, reported, deferrable, capsys
):
    found = runner.run(frames(deferrable=deferrable))
    assert found["complete"]
    assert ordered(emulator) == [["1-12"], ["9-12"]]
    assert ends(emulator) == ["canceled", "completed"]
    assert len(found["jobs"]) == 2
    assert emulator.ledger.jobs_left_running() == []
    (reason,) = reported
    assert "has been stuck: no new frame for" in reason
    assert "8 of 12 frames" in reason
    assert capsys.readouterr().out.count("has been stuck") == 2  # the report, and why the round ended


@needs_store
@both_modes
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_death_after_it_was_seen_reports_once_and_pays_no_frame_twice(
    emulator, runner, frames, reported, deferrable, after, monkeypatch
):
    crash = Crash(monkeypatch)
    dies_once = []

    def report(context):
        reported.append(context["reason"])
        if not dies_once:
            dies_once.append(True)
            crash.arm(1 + len(reported), after=after)

    task = frames(deferrable=deferrable, on_stuck_callback=report)
    with pytest.raises(Died):
        runner.run(task)
    assert runner.run(task)["complete"]
    assert ordered(emulator) == [["1-12"], ["9-12"]]
    assert len(reported) == 1
    assert emulator.ledger.jobs_left_running() == []


@needs_store
@both_modes
def test_a_stuck_job_that_is_only_reported_is_waited_for_and_a_retry_does_not_report_it_again(
    emulator, runner, frames, reported, deferrable, monkeypatch
):
    crash = Crash(monkeypatch)

    def report(context):
        reported.append(context["reason"])
        crash.arm(4, after=False)

    task = frames(deferrable=deferrable, cancel_stuck=False, on_stuck_callback=report)
    with pytest.raises(Died):  # the job hangs for ever
        runner.run(task)
    crash.at = 0
    (job,) = emulator.jobs.values()
    crash.arm(60, after=False)
    with pytest.raises(Died):
        runner.run(task)
    assert len(reported) == 1
    assert str(job.status) == "rendering"
    assert ordered(emulator) == [["1-12"]]


@needs_store
@both_modes
def test_what_a_stuck_job_has_cost_counts_for_the_ceiling(emulator, runner, frames, reported, deferrable):
    with pytest.raises((RenderjuiceCeilingError, RenderjuiceIncompleteError), match="max_normalized_seconds"):
        runner.run(frames(deferrable=deferrable, max_normalized_seconds=100.0))
    assert ordered(emulator) == [["1-12"]]
    assert len(reported) <= 1
    assert emulator.ledger.jobs_left_running() == []


@needs_store
def test_a_job_that_hangs_in_each_round_ends_the_task_and_names_the_frames(emulator, runner, frames):
    with pytest.raises(RenderjuiceIncompleteError, match=r"Frames 9-12 of ice.blend are missing after 1 round"):
        runner.run(frames(rounds=1))
    assert ends(emulator) == ["canceled"]


@both_modes
def test_a_slow_job_is_not_stuck(emulator, runner, frames, reported, deferrable):
    emulator.switches.hangs_at = {}
    assert runner.run(frames(deferrable=deferrable, stuck_after=30))["rounds"] == 1
    assert reported == []


@both_modes
def test_a_run_of_a_scene_that_hangs_is_cancelled_and_a_retry_renders_it_again(
    emulator, runner, hanging, reported, deferrable
):
    task = RenderjuiceRunJobOperator(
        task_id="run",
        file_path=str(hanging),
        deferrable=deferrable,
        cancel_stuck=True,
        on_stuck_callback=reported.append,
        **STUCK,
    )
    with pytest.raises(RenderjuiceError, match=r"has been stuck.*A retry starts a new job"):
        runner.run(task)
    assert runner.run(task)["complete"]
    assert ends(emulator) == ["canceled", "completed"]
    assert len(reported) == 1


@both_modes
def test_the_render_of_a_given_job_that_hangs_is_cancelled_too(emulator, runner, tmp_path, deferrable):
    emulator.switches.hangs_at = {"shot.blend": 9}
    emulator.switches.seconds_while_rendering = False
    client = connect("blocking", emulator)
    job = validated(client, tmp_path, frame_end=12, seconds_per_frame=40)
    client.close()
    with pytest.raises(RenderjuiceJobOverError, match="has been stuck"):
        runner.run(
            RenderjuiceRenderJobOperator(
                task_id="render", job_id=job.id, deferrable=deferrable, cancel_stuck=True, **STUCK
            )
        )
    assert ends(emulator) == ["canceled"]


@both_modes
def test_a_callback_that_fails_does_not_fail_the_render(emulator, runner, frames, deferrable, capsys):
    def fails(context):
        raise ValueError("no chat")

    assert runner.run(frames(deferrable=deferrable, on_stuck_callback=fails))["complete"]
    assert "on_stuck_callback failed: ValueError: no chat" in capsys.readouterr().out


@needs_store
def test_a_trigger_is_given_only_what_it_needs(emulator, runner, frames):
    runner.run(frames(deferrable=True, seconds_per_frame=0.01))
    first, *_, last = [each for each in runner.triggers if each["target"] == "completed"]
    assert (first["stuck_after"], first["seconds_per_frame"], first["cancel_stuck"]) == (8, 0.01, True)
    assert last["job_id"] != first["job_id"]
    assert all("stuck_after" not in each for each in runner.triggers if each["target"] == "validated")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("stuck_after", 1), ("stuck_after", "soon"), ("seconds_per_frame", 0), ("seconds_per_frame", float("nan"))),
        *(("cancel_stuck", "maybe"), ("on_stuck_callback", "call me")),
    ],
)
def test_what_cannot_be_right_is_refused_when_the_dag_is_read(name, value):
    given = {"task_id": "t", "file_path": "a.blend", "render_config": CONFIG, name: value}
    with pytest.raises(RenderjuiceInputError, match=name):
        RenderjuiceRunJobOperator(**given)


def test_a_text_of_a_number_and_none_are_read():
    task = RenderjuiceRunJobOperator(
        task_id="t", file_path="a.blend", render_config=CONFIG, stuck_after="10", seconds_per_frame="None"
    )
    assert (task.stuck_after, task.seconds_per_frame) == (10.0, None)
