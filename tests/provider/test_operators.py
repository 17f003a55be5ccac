"""The operators, deferred and on the worker, against an emulator."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from airflow.sdk import DAG

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api._money import bill_of, sentence
from renderjuice_provider.api.errors import (
    RenderjuiceEventError,
    RenderjuiceIncompleteError,
    RenderjuiceInputError,
    RenderjuiceJobError,
    RenderjuiceTimeoutError,
    RetryEffect,
)
from renderjuice_provider.api.models import Job
from renderjuice_provider.compat import AirflowFailException, TaskDeferralTimeout, TaskDeferred
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCancelJobOperator,
    RenderjuiceCreateJobOperator,
    RenderjuiceDownloadOperator,
    RenderjuiceJobOverError,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)
from tests.support.runner import CONFIG, Runner

FAST = {"poll_interval": 0.02}
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "on the worker"])


@pytest.fixture
def job_id(emulator, scene, runner):
    slug = runner.run(RenderjuiceUploadOperator(task_id="upload", file_path=str(scene)))
    return runner.run(RenderjuiceCreateJobOperator(task_id="create", slug=slug))


@pytest.fixture
def validated(job_id, runner):
    runner.run(RenderjuiceValidateJobOperator(task_id="validate", job_id=job_id, **FAST))
    return job_id


def render(job_id: str, **arguments: Any) -> RenderjuiceRenderJobOperator:
    return RenderjuiceRenderJobOperator(
        **{"task_id": "render", "job_id": job_id, "render_config": CONFIG} | FAST | arguments
    )


@both_modes
def test_a_shot_goes_step_by_step_from_a_file_to_frames(emulator, job_id, runner, tmp_path, deferrable):
    found = runner.run(RenderjuiceValidateJobOperator(task_id="validate", job_id=job_id, deferrable=deferrable, **FAST))
    assert found["status"] == "validated"
    assert found["analysis"]["frameEnd"] == 3

    rendered = runner.run(render(job_id, deferrable=deferrable))
    assert rendered["status"] == "completed"
    assert rendered["normalized_seconds"] > 0
    assert (rendered["frames_requested"], rendered["frames_delivered"], rendered["frames_missing"]) == (3, 3, [])

    out = tmp_path / "out"
    manifest = runner.run(RenderjuiceDownloadOperator(task_id="download", job_id=job_id, destination=str(out)))
    assert manifest["complete"]
    assert manifest["frames"] == 3
    assert sorted(path.name for path in (out / "frames").iterdir()) == ["0001.png", "0002.png", "0003.png"]
    assert len(json.loads((out / "manifest.json").read_text())["files"]) == manifest["frames"] + manifest["composites"]
    assert emulator.ledger.renders_started() == 1
    assert bool(runner.triggers) is deferrable


@both_modes
def test_one_task_runs_a_whole_job(emulator, scene, runner, deferrable):
    operator = RenderjuiceRunJobOperator(
        task_id="run", file_path=str(scene), render_config=CONFIG, deferrable=deferrable, **FAST
    )
    summary = runner.run(operator)
    assert (summary["status"], summary["frames_delivered"]) == ("completed", 3)
    assert runner.ti.xcoms["renderjuice_job_id"] == summary["job_id"]
    assert [trigger["target"] for trigger in runner.triggers] == (["validated", "completed"] if deferrable else [])
    assert emulator.ledger.renders_started(file_name="shot.blend") == 1


@both_modes
def test_a_render_that_fails_says_why_and_what_a_retry_costs(emulator, runner, tmp_path, deferrable):
    broken = write_scene(tmp_path / "broken.blend", frame_end=3, fail_at_frame=2)
    operator = RenderjuiceRunJobOperator(
        task_id="run", file_path=str(broken), render_config=CONFIG, deferrable=deferrable, **FAST
    )
    with pytest.raises(
        RenderjuiceJobError,
        match=r"^broken\.blend failed: .+ billed. A retry starts a new job: clear this task. \(job ",
    ) as caught:
        runner.run(operator)
    assert not isinstance(caught.value, AirflowFailException)
    assert caught.value.job.failed_reason is not None


@both_modes
def test_a_given_job_that_failed_is_not_retried_since_it_cannot_succeed(emulator, runner, tmp_path, deferrable):
    broken = write_scene(tmp_path / "broken.blend", frame_end=3, fail_at_frame=2)
    slug = runner.run(RenderjuiceUploadOperator(task_id="upload", file_path=str(broken)))
    job_id = runner.run(RenderjuiceCreateJobOperator(task_id="create", slug=slug))
    runner.run(RenderjuiceValidateJobOperator(task_id="validate", job_id=job_id, **FAST))
    with pytest.raises(RenderjuiceJobOverError, match=r"A retry cannot help") as caught:
        runner.run(render(job_id, deferrable=deferrable))
    assert isinstance(caught.value, AirflowFailException)


@both_modes
def test_validation_that_fails_says_why(emulator, runner, tmp_path, deferrable):
    broken = write_scene(tmp_path / "broken.blend", fail_validation=("the file is from the future", "SCENE_UNREADABLE"))
    slug = runner.run(RenderjuiceUploadOperator(task_id="upload", file_path=str(broken)))
    job_id = runner.run(RenderjuiceCreateJobOperator(task_id="create", slug=slug))
    with pytest.raises(RenderjuiceJobOverError, match=r"^The job failed: .+from the future.+nothing is billed"):
        runner.run(RenderjuiceValidateJobOperator(task_id="validate", job_id=job_id, deferrable=deferrable, **FAST))


def test_a_job_that_failed_in_validation_does_not_cost_again(emulator, runner, tmp_path):
    broken = write_scene(tmp_path / "broken.blend", fail_validation=("the file is from the future", "SCENE_UNREADABLE"))
    slug = runner.run(RenderjuiceUploadOperator(task_id="upload", file_path=str(broken)))
    with DAG("shot", schedule=None):
        create = RenderjuiceCreateJobOperator(task_id="create", slug=slug)
        validate = RenderjuiceValidateJobOperator(task_id="validate", job_id=create.output, **FAST)
    validate.job_id = runner.run(create)
    with pytest.raises(RenderjuiceJobOverError, match=r"nothing is billed.+clear this shot from `create` on\.") as it:
        runner.run(validate)
    assert "again" not in str(it.value)


def test_a_job_that_cannot_succeed_any_more_says_which_task_to_clear(emulator, validated, runner):
    with DAG("shot", schedule=None):
        create = RenderjuiceCreateJobOperator(task_id="create", slug="s")
        rendering = render(create.output)
    rendering.job_id = validated
    RenderjuiceHook().client.cancel_job(validated)
    with pytest.raises(RenderjuiceJobOverError, match=r"clear this shot from `create` on.+\(job .+\)$"):
        runner.run(rendering)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"normalizedSeconds": 12.5}, "12.5 normalized seconds are billed"),
        ({"normalizedSeconds": 0}, "nothing was rendered, so nothing is billed"),
        ({"requestedConfig": {}}, "what was rendered is billed"),
        ({}, "what was rendered, if anything, is billed"),
    ],
)
def test_a_bill_that_nobody_knows_is_never_said_to_be_nothing(fields, words):
    job = Job.model_validate({"id": "j", "status": "failed"} | fields)
    end = sentence(bill_of(job), RetryEffect.CANNOT_HELP, normalized_seconds=job.normalized_seconds)
    assert end == f"Nothing is running; {words}. A retry cannot help."
    end = sentence(bill_of(Job(id="j", status="failed"), render_ordered=False), RetryEffect.CANNOT_HELP)
    assert end == "Nothing is running; nothing was rendered, so nothing is billed. A retry cannot help."


@pytest.mark.parametrize(("label", "name"), [("sq010_sh020", "sq010_sh020"), (None, "broken.blend")])
def test_a_message_begins_with_the_shot_and_the_reason(emulator, runner, tmp_path, label, name):
    broken = write_scene(tmp_path / "broken.blend", frame_end=3, fail_at_frame=2)
    runner.ti.rendered_map_index = label
    with pytest.raises(RenderjuiceJobError, match=rf"^{name} failed: "):
        runner.run(RenderjuiceRunJobOperator(task_id="run", file_path=str(broken), render_config=CONFIG, **FAST))


def test_rendering_a_job_that_nobody_validated_says_what_to_do(job_id, runner):
    with pytest.raises(RenderjuiceInputError, match="RenderjuiceValidateJobOperator"):
        runner.run(render(job_id))


def test_validating_twice_is_not_an_error(validated, runner):
    again = runner.run(RenderjuiceValidateJobOperator(task_id="again", job_id=validated, **FAST))
    assert again["status"] == "validated"


def test_rendering_again_takes_up_what_was_rendered(emulator, validated, runner):
    runner.run(render(validated))
    assert runner.run(render(validated))["status"] == "completed"
    assert emulator.ledger.renders_started(validated) == 1


def test_without_waiting_the_task_ends_once_the_order_is_given(emulator, validated, runner):
    summary = runner.run(render(validated, wait=False))
    assert summary["status"] in {"booting", "rendering", "finalizing", "completed"}
    assert emulator.ledger.renders_started(validated) == 1


@both_modes
def test_our_deadline_cancels_the_job_and_says_what_it_cost(emulator, runner, tmp_path, deferrable):
    slow = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)
    operator = RenderjuiceRunJobOperator(
        task_id="run", file_path=str(slow), render_config=CONFIG, deferrable=deferrable, timeout=0.6, **FAST
    )
    with pytest.raises(
        RenderjuiceJobError, match=r"^slow\.blend timed out \(timeout\): not completed .+cancelled.+billed"
    ):
        runner.run(operator)
    assert emulator.ledger.jobs_left_running() == []


def test_a_deadline_may_leave_the_job_running(emulator, runner, tmp_path):
    slow = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)
    arguments = {"timeout": 0.6, "cancel_on_timeout": False} | FAST
    with pytest.raises(RenderjuiceTimeoutError, match="left running: a retry re-attaches"):
        runner.run(RenderjuiceRunJobOperator(task_id="run", file_path=str(slow), render_config=CONFIG, **arguments))
    assert len(emulator.ledger.jobs_left_running()) == 1


def test_a_deferral_that_airflow_times_out_does_not_leave_the_job_running(emulator, runner, tmp_path):
    slow = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)
    operator = RenderjuiceRunJobOperator(
        task_id="run", file_path=str(slow), render_config=CONFIG, deferrable=False, **FAST
    )
    operator.wait = False
    runner.run(operator)
    assert emulator.ledger.jobs_left_running()
    with pytest.raises(RenderjuiceJobError, match="cancelled"):
        operator.resume_execution("__fail__", {"error": "Trigger timeout"}, runner.context)
    assert emulator.ledger.jobs_left_running() == []


def test_a_timeout_of_a_task_that_has_no_job_yet_stays_a_timeout(emulator, runner, scene):
    operator = RenderjuiceRunJobOperator(task_id="run", file_path=str(scene), render_config=CONFIG)
    with pytest.raises(TaskDeferralTimeout):
        operator.resume_execution("__fail__", {"error": "Trigger timeout"}, runner.context)


def test_killing_the_task_on_the_worker_cancels_the_render(emulator, validated, runner):
    operator = render(validated, wait=False)
    runner.run(operator)
    operator.on_kill()
    assert emulator.ledger.jobs_left_running() == []


def test_a_kill_may_leave_the_render_running(emulator, runner, tmp_path):
    slow = write_scene(tmp_path / "slow.blend", seconds_per_frame=1e6)
    operator = RenderjuiceRunJobOperator(
        task_id="run",
        file_path=str(slow),
        render_config=CONFIG,
        wait=False,
        deferrable=False,
        cancel_on_kill=False,
        **FAST,
    )
    runner.run(operator)
    operator.on_kill()
    assert len(emulator.ledger.jobs_left_running()) == 1


def test_canceling_returns_the_status_after(emulator, job_id, runner):
    cancel = RenderjuiceCancelJobOperator(task_id="cancel", job_id=job_id)
    assert runner.run(cancel) == "canceled"
    assert runner.run(cancel) == "canceled"


@pytest.mark.parametrize("event", [None, {}, {"ending": "reached"}, "success", {"version": 2, "ending": "reached"}])
def test_an_event_that_is_not_ours_never_passes_for_a_success(emulator, validated, runner, event):
    with pytest.raises(RenderjuiceEventError):
        render(validated).execute_complete(runner.context, event)


class MixedUp(Runner):
    """An Airflow that first resumes the task with the event of another task's trigger."""

    other = "00000000-0000-4000-8000-000000000000"

    async def fire(self, trigger):
        if len(self.events) > 0:
            return await super().fire(trigger)
        times = {"started": 0.0, "deadline": 4e9}
        return Outcome(ending=Ending.REACHED, job_id=self.other, status="completed", **times).to_event()


def test_the_event_of_another_task_is_not_about_our_job(emulator, scene):
    runner = MixedUp()
    operator = RenderjuiceRunJobOperator(task_id="run", file_path=str(scene), render_config=CONFIG, **FAST)
    summary = runner.run(operator)
    assert runner.events[0]["job_id"] != summary["job_id"]
    assert (summary["status"], summary["frames_delivered"]) == ("completed", 3)
    assert emulator.ledger.renders_started() == 1
    assert len({arguments["deadline"] for arguments in runner.triggers}) == 1


def test_bad_input_is_refused_before_anything_is_sent(emulator, runner, scene, tmp_path):
    for arguments in (
        {"file_path": str(tmp_path / "none.blend")},
        {"render_config": {}},
        {"render_config": {"fps": 24}},
    ):
        operator = RenderjuiceRunJobOperator(
            **{"task_id": "r", "file_path": str(scene), "render_config": CONFIG} | arguments
        )
        with pytest.raises(RenderjuiceInputError):
            runner.run(operator)
    with pytest.raises(RenderjuiceInputError, match="UUID"):
        runner.run(render("../jobs"))
    assert emulator.ledger.entries == []


@pytest.mark.parametrize("arguments", [{"poll_interval": 0}, {"timeout": -1}, {"poll_interval": "soon"}])
def test_waits_that_make_no_sense_are_refused_when_the_dag_is_read(arguments):
    with pytest.raises(RenderjuiceInputError):
        render("3c90c3cc-0d44-4b50-8888-8dd25736052a", **arguments)


def test_missing_frames_are_named_and_the_delivery_is_not_called_complete(emulator, runner, tmp_path):
    holes = write_scene(tmp_path / "holes.blend", frame_end=5, missing_output_frames=(2, 4))
    config = CONFIG | {"frameRanges": ["1-5"]}
    summary = runner.run(RenderjuiceRunJobOperator(task_id="run", file_path=str(holes), render_config=config, **FAST))
    assert summary["frames_missing"] == [2, 4]
    arguments = {"task_id": "download", "job_id": summary["job_id"], "destination": str(tmp_path / "out")}
    with pytest.raises(RenderjuiceIncompleteError, match="Frames 2, 4 are missing"):
        runner.run(RenderjuiceDownloadOperator(**arguments))
    manifest = runner.run(RenderjuiceDownloadOperator(**arguments, allow_missing=True))
    assert (manifest["frames"], manifest["missing_frames"], manifest["complete"]) == (3, [2, 4], False)


def a_job(runner, tmp_path, config=CONFIG, **description):
    scene = write_scene(tmp_path / "job.blend", frame_end=3, **description)
    return runner.run(RenderjuiceRunJobOperator(task_id="run", file_path=str(scene), render_config=config, **FAST))


def download(job_id, tmp_path, **arguments):
    return RenderjuiceDownloadOperator(
        task_id="download", job_id=job_id, destination=str(tmp_path / "out"), **arguments
    )


def lose(emulator, job_id, lost):
    outputs = emulator.jobs[job_id].outputs
    outputs[:] = [file for file in outputs if not lost(file)]


def manifest_of(tmp_path):
    return json.loads((tmp_path / "out" / "manifest.json").read_text())


def test_a_delivery_that_lacks_an_eye_is_not_complete_and_says_which(emulator, runner, tmp_path):
    job_id = a_job(runner, tmp_path, views=("left", "right"))["job_id"]
    lose(emulator, job_id, lambda file: file.view == "right" and file.frame > 1)

    with pytest.raises(RenderjuiceIncompleteError, match=r"^Frames 2, 3 of view right are missing"):
        runner.run(download(job_id, tmp_path))
    assert manifest_of(tmp_path)["missing"] == [{"view": "right", "frames": [2, 3]}]

    lose(emulator, job_id, lambda file: file.view == "right")
    found = runner.run(download(job_id, tmp_path, allow_missing=True))
    assert (found["complete"], found["missing_frames"]) == (False, [1, 2, 3])


@pytest.mark.parametrize("relative_path", ["path", "folder"])
def test_a_compositor_node_that_lost_frames_or_wrote_nothing_is_reported(emulator, runner, tmp_path, relative_path):
    emulator.switches.relative_path = relative_path
    job = a_job(runner, tmp_path, compositor_outputs=("Beauty", "Depth"))
    assert (job["complete"], job["missing"]) == (True, [])
    assert runner.run(download(job["job_id"], tmp_path))["complete"] is True

    lose(emulator, job["job_id"], lambda file: file.node == "Depth" and file.frame > 1)
    with pytest.raises(RenderjuiceIncompleteError, match=r"^Frames 2, 3 of node Depth are missing"):
        runner.run(download(job["job_id"], tmp_path))

    lose(emulator, job["job_id"], lambda file: file.node == "Beauty")
    assert manifest_of(tmp_path)["complete"] is False
    found = runner.run(download(job["job_id"], tmp_path, allow_missing=True))
    assert {"node": "Beauty", "frames": [1, 2, 3]} in found["missing"]


def test_a_render_s_summary_names_what_is_missing_by_node_too(emulator, runner, tmp_path):
    holes = {"compositor_outputs": ("Depth",), "missing_output_frames": (2,)}
    job = a_job(runner, tmp_path, CONFIG | {"frameRanges": ["1-3"]}, **holes)

    assert (job["complete"], job["frames_missing"]) == (False, [2])
    assert job["missing"] == [{"frames": [2]}, {"node": "Depth", "frames": [2]}]


def test_a_file_without_a_byte_is_not_there(emulator, runner, tmp_path):
    job_id = a_job(runner, tmp_path)["job_id"]
    next(file for file in emulator.jobs[job_id].outputs if file.frame == 2).path.write_bytes(b"")

    with pytest.raises(
        RenderjuiceIncompleteError, match=r"^1 files are empty \(frames/0002.png\); frames 2 are missing"
    ):
        runner.run(download(job_id, tmp_path))
    found = runner.run(download(job_id, tmp_path, allow_missing=True))
    assert (found["complete"], found["missing_frames"], found["empty"]) == (False, [2], ["frames/0002.png"])
    assert (manifest_of(tmp_path)["complete"], manifest_of(tmp_path)["empty"]) == (False, ["frames/0002.png"])


def test_whether_a_delivery_is_complete_is_unknown_when_nobody_knows_the_order(emulator, runner, tmp_path):
    job_id = a_job(runner, tmp_path)["job_id"]
    job = emulator.jobs[job_id]
    job.requested_config = job.final_config = {"frameRanges": ["every other"]}

    found = runner.run(download(job_id, tmp_path))
    assert (found["frames"], found["missing_frames"], found["complete"]) == (3, [], None)
    assert (manifest_of(tmp_path)["complete"], manifest_of(tmp_path)["requested_frames"]) == (None, None)
    assert runner.run(download(job_id, tmp_path, expected_frames="1-3"))["complete"] is True
    with pytest.raises(RenderjuiceIncompleteError, match=r"^Frames 4 are missing"):
        runner.run(download(job_id, tmp_path, expected_frames=["1-4"]))


@pytest.mark.parametrize("frames", ["all", ["1..3"], [], 1.5])
def test_expected_frames_that_are_not_ranges_are_refused_before_anything_is_downloaded(
    emulator, runner, tmp_path, frames
):
    with pytest.raises(RenderjuiceInputError, match="expected_frames"):
        runner.run(download("3c90c3cc-0d44-4b50-8888-8dd25736052a", tmp_path, expected_frames=frames))
    assert emulator.ledger.entries == []


def test_the_default_is_to_defer_unless_the_configuration_says_otherwise(monkeypatch):
    job_id = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
    assert render(job_id).deferrable
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "False")
    assert not render(job_id).deferrable
    assert render(job_id, deferrable=True).deferrable


def test_the_deadline_is_the_triggers_and_airflows_own_comes_later(emulator, validated):
    with pytest.raises(TaskDeferred) as deferral:
        render(validated, timeout=100).execute({})
    trigger, backstop = deferral.value.trigger, deferral.value.timeout.total_seconds()
    assert 95 < trigger.deadline - time.time() <= 100
    assert 300 < backstop <= 400


def test_nothing_secret_reaches_an_event_or_a_trigger(emulator, scene, runner: Runner):
    runner.run(RenderjuiceRunJobOperator(task_id="run", file_path=str(scene), render_config=CONFIG, **FAST))
    kept = json.dumps([runner.events, runner.triggers, runner.ti.xcoms])
    assert emulator.api_key not in kept
    assert "?" not in kept
