"""A folder of frames is made whole in rounds, and no frame that is there is paid again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import fsspec
import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach

from renderjuice_emulator.fast import FastRenderer
from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import (
    RenderjuiceError,
    RenderjuiceIncompleteError,
    RenderjuiceInputError,
    RenderjuiceJobError,
)
from renderjuice_provider.api.report import DownloadedFile, DownloadReport
from renderjuice_provider.compat import AirflowFailException, TaskDeferred
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.operators import _kills as kills
from renderjuice_provider.operators._frame_folder import FilesOfFrames
from renderjuice_provider.operators.renderjuice import RenderjuiceJobOverError, RenderjuiceRenderFramesOperator
from tests.support.crash import Crash, Died
from tests.support.runner import CONFIG, Runner, needs_store

FAST = {"poll_interval": 0.02}
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "on the worker"])


@pytest.fixture
def crash(monkeypatch):
    return Crash(monkeypatch)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def render(scene, out, **arguments: Any) -> RenderjuiceRenderFramesOperator:
    given = {"task_id": "render", "file_path": str(scene), "render_config": CONFIG, "destination": str(out)}
    return RenderjuiceRenderFramesOperator(**given | FAST | arguments)


@both_modes
def test_one_job_fills_an_empty_folder(emulator, runner, scene, out, deferrable):
    found = runner.run(render(scene, out, deferrable=deferrable))
    assert (found["complete"], found["rounds"], found["frames_ordered"]) == (True, 1, 3)
    assert sorted(path.name for path in (out / "frames").iterdir()) == ["0001.png", "0002.png", "0003.png"]
    (noted,) = json.loads((out / "jobs.json").read_text())
    assert noted["job_id"] == found["job_id"] == runner.ti.xcoms["renderjuice_job_id"]
    assert found["jobs"] == {found["job_id"]: found["normalized_seconds"]}
    assert json.loads((out / "manifest.json").read_text())["complete"]


@both_modes
def test_a_folder_that_is_whole_orders_nothing(emulator, runner, scene, out, deferrable):
    runner.run(render(scene, out, deferrable=deferrable))
    runner.store.values.clear()
    found = runner.run(render(scene, out, deferrable=deferrable))
    assert (found["complete"], found["rounds"], found["jobs"]) == (True, 0, {})
    assert emulator.ledger.renders_started() == 1


@both_modes
def test_two_tasks_upload_the_scene_once(emulator, runner, scene, out, deferrable):
    slug = RenderjuiceHook().client.upload(scene).slug
    probe = CONFIG | {"frameRanges": ["2"]}
    runner.run(render(scene, out, slug=slug, render_config=probe, deferrable=deferrable))
    runner.store.values.clear()
    found = runner.run(render(scene, out, slug=slug, deferrable=deferrable))
    assert (found["complete"], found["frames_ordered"]) == (True, 2)
    assert emulator.ledger.count("create_upload") == 1


def test_a_slug_that_nobody_knows_any_more_is_uploaded_again(emulator, runner, scene, out):
    found = runner.run(render(scene, out, slug="gone.blend"))
    assert (found["complete"], emulator.ledger.count("create_upload")) == (True, 1)


def test_a_slug_is_one_text(scene, out):
    with pytest.raises(RenderjuiceInputError, match="slug must be what RenderjuiceUploadOperator returned"):
        render(scene, out, slug=["one", "two"])


def looks_wrong(paths: list[Path]) -> dict[Path, str]:
    """A frame that looks unlike the first of its output, as the emulator's `wrong` renders do."""
    return {path: "it is black" for path in paths if path.read_bytes().endswith(WRONG)}


WRONG = b"is black"


class Wrong:
    """Which frames look wrong, and what takes longer: by the number of a render, from 1."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.frames: dict[int, set[int]] = {}
        self.seconds: dict[int, float] = {}
        self.renders = 0
        render = FastRenderer.render

        async def wrong(renderer: FastRenderer, order: Any) -> Any:
            self.renders += 1
            number = self.renders
            async for file in render(renderer, order):
                await renderer._clock.sleep(self.seconds.get(number, 0))
                if file.frame in self.frames.get(number, set()):
                    file.path.write_bytes(file.path.read_bytes() + WRONG)
                yield file

        monkeypatch.setattr(FastRenderer, "render", wrong)


@pytest.fixture
def wrong(monkeypatch):
    return Wrong(monkeypatch)


def test_a_suspicious_frame_is_rendered_again_alone(emulator, runner, scene, out, wrong):
    wrong.frames = {1: {2}}
    found = runner.run(render(scene, out, check_frames=looks_wrong))
    assert (found["complete"], found["rounds"], found["frames_ordered"]) == (True, 2, 4)
    assert (found["remarks"], found["again"]) == ({}, ["frames/0002.png"])
    assert not (out / "frames/0002.png").read_bytes().endswith(WRONG)
    assert (out / "suspicious/frames/0002.png").read_bytes().endswith(WRONG)
    assert json.loads((out / "manifest.json").read_text())["remarks"] == {}


def test_what_is_meant_to_look_so_is_rendered_again_once_and_stays_with_a_remark(emulator, runner, scene, out, wrong):
    wrong.frames = {number: {2} for number in range(1, 9)}
    remark = {"frames/0002.png": "it is black; rendered again, and still so"}
    for clears in range(2):
        runner.ti.max_tries = clears
        found = runner.run(render(scene, out, check_frames=looks_wrong))
        assert (found["complete"], found["remarks"]) == (True, remark)
        assert json.loads((out / "manifest.json").read_text())["remarks"] == remark
    runner.store.values.clear()
    assert runner.run(render(scene, out, check_frames=looks_wrong))["remarks"] == remark
    assert emulator.ledger.renders_started() == 2


@pytest.mark.parametrize("most", [{"rounds": 1}, {"max_normalized_seconds": 6}], ids=["rounds", "ceiling"])
def test_no_limit_is_passed_for_a_suspicious_frame(emulator, runner, scene, out, wrong, most):
    wrong.frames = {1: {2}}
    found = runner.run(render(scene, out, check_frames=looks_wrong, **most))
    assert (found["complete"], found["rounds"], found["again"]) == (True, 1, [])
    assert found["remarks"]["frames/0002.png"].startswith("it is black; not rendered again: ")
    assert (out / "frames/0002.png").read_bytes().endswith(WRONG)


@both_modes
def test_a_ceiling_that_ends_the_second_render_spoils_no_delivery(emulator, runner, scene, out, wrong, deferrable):
    wrong.frames, wrong.seconds = {1: {2, 3}}, {2: 1500}
    looks = {"check_frames": looks_wrong, "deferrable": deferrable}
    found = runner.run(render(scene, out, max_normalized_seconds=1000, **looks))
    assert (found["complete"], found["rounds"], found["again"]) == (True, 2, ["frames/0002.png"])
    assert list(found["remarks"]) == ["frames/0003.png"]
    assert found["remarks"]["frames/0003.png"].startswith("it is black; not rendered again: ")
    assert (out / "frames/0003.png").read_bytes().endswith(WRONG)
    assert emulator.ledger.jobs_left_running() == []


def test_a_suspicious_frame_that_never_comes_again_is_put_back(emulator, runner, scene, out, wrong, losses):
    wrong.frames = {1: {2}}
    losses.lost = {2: {2}, 3: {2}}
    found = runner.run(render(scene, out, check_frames=looks_wrong))
    assert (found["complete"], found["rounds"], found["again"]) == (True, 3, [])
    assert found["remarks"] == {"frames/0002.png": "it is black; not rendered again: all rounds are used"}
    assert (out / "frames/0002.png").read_bytes().endswith(WRONG)


def test_a_folder_in_a_store_sets_aside_and_puts_back(emulator, runner, scene, wrong, losses):
    attach("memory", fs=fsspec.filesystem("memory"))
    place = "memory://again/sh010"
    wrong.frames = {1: {1, 2}}
    losses.lost = {2: {2}, 3: {2}}
    found = runner.run(render(scene, place, check_frames=looks_wrong))
    assert (found["complete"], found["again"]) == (True, ["frames/0001.png"])
    assert list(found["remarks"]) == ["frames/0002.png"]


def test_frames_of_a_release_that_kept_no_list_of_jobs_are_not_ordered_again(emulator, runner, scene, out):
    runner.run(render(scene, out))
    for name in ("jobs.json", "frames/0002.png"):
        (out / name).unlink()
    runner.store.values.clear()
    found = runner.run(render(scene, out, render_config=CONFIG | {"frameRanges": ["1-3"]}))
    assert (found["complete"], found["frames_ordered"]) == (True, 1)


class Losses:
    """What the emulator's renders lose and damage: by the number of a render, from 1, its frames.

    A frame can be named with its view or node: `(2, "right")`.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lost: dict[int, set[Any]] = {}
        self.empty: dict[int, set[Any]] = {}
        self.renders = 0
        render = FastRenderer.render

        async def losing(renderer: FastRenderer, order: Any) -> Any:
            self.renders += 1
            number = self.renders
            async for file in render(renderer, order):
                names = {file.frame, (file.frame, file.view or file.node)}
                if names & self.lost.get(number, set()):
                    continue
                if names & self.empty.get(number, set()):
                    file.path.write_bytes(b"")
                yield file

        monkeypatch.setattr(FastRenderer, "render", losing)


@pytest.fixture
def losses(monkeypatch):
    return Losses(monkeypatch)


def ordered(emulator) -> list[Any]:
    """What each render was ordered, in order."""
    return [job.requested_config.get("frameRanges") for job in emulator.jobs.values() if job.requested_config]


def manifest_of(out) -> dict[str, Any]:
    return json.loads((out / "manifest.json").read_text())


@both_modes
@needs_store
def test_a_next_round_orders_only_what_was_lost_or_is_empty(emulator, runner, out, scene, losses, deferrable):
    losses.lost, losses.empty = {1: {1}}, {1: {3}, 2: {3}}
    found = runner.run(render(scene, out, deferrable=deferrable))
    assert ordered(emulator) == [["1-3"], ["1", "3"], ["3"]]
    assert (found["complete"], found["rounds"], found["frames_ordered"], found["missing"]) == (True, 3, 6, [])
    assert list(found["jobs"]) == [each["job_id"] for each in json.loads((out / "jobs.json").read_text())]
    assert found["normalized_seconds"] == pytest.approx(sum(found["jobs"].values()))
    assert runner.ti.xcoms["renderjuice_job_id"] == found["job_id"] == list(found["jobs"])[-1]
    assert emulator.ledger.count("put_upload") == 1
    manifest = manifest_of(out)
    assert (manifest["complete"], manifest["requested_frames"]) == (True, [1, 2, 3])
    hashes = {file["place"]: file["sha256"] for file in manifest["files"]}
    assert hashes == {
        f"frames/000{frame}.png": hashlib.sha256((out / "frames" / f"000{frame}.png").read_bytes()).hexdigest()
        for frame in (1, 2, 3)
    }


@both_modes
@needs_store
def test_a_frame_that_the_author_cannot_use_is_replaced(emulator, runner, out, scene, deferrable):
    looked_at: list[str] = []

    def is_whole(path: Path) -> bool:
        looked_at.append(path.name)
        return looked_at.count("0002.png") != 1 or path.name != "0002.png"

    found = runner.run(render(scene, out, deferrable=deferrable, is_whole=is_whole))
    assert found["complete"]
    assert emulator.ledger.renders_started() <= 2
    assert set(looked_at) == {"0001.png", "0002.png", "0003.png"}


def test_a_frame_that_came_again_is_asked_about_again_whatever_its_store_says_of_it(out):
    frame = out / "frames/0001.png"
    frame.parent.mkdir(parents=True)

    def put(content):
        frame.write_bytes(content)
        os.utime(frame, (0, 0))

    folder = FilesOfFrames(str(out), lambda path: path.read_bytes() == b"whole")
    put(b"holes")
    assert not folder.has_frames()
    put(b"whole")
    folder.add(DownloadReport("job", (DownloadedFile("frames/0001.png", "frame", 5, "00", None, None),)))
    assert folder.has_frames()


@both_modes
@needs_store
def test_a_view_that_lost_a_frame_is_rendered_again_and_a_node_alone_is_reported(
    emulator, runner, out, tmp_path, losses, deferrable
):
    scene = write_scene(tmp_path / "eyes.blend", frame_end=3, views=("left", "right"), compositor_outputs=("Depth",))
    losses.lost = {1: {(2, "right"), (3, "Depth")}}
    found = runner.run(render(scene, out, deferrable=deferrable))
    assert ordered(emulator) == [["1-3"], ["2"]]
    assert (found["complete"], found["missing"]) == (False, [{"node": "Depth", "frames": [3]}])
    assert manifest_of(out)["missing"] == [{"node": "Depth", "frames": [3]}]


@both_modes
@needs_store
def test_what_a_failed_job_has_rendered_is_not_ordered_again(emulator, runner, out, tmp_path, deferrable):
    scene = write_scene(tmp_path / "shot.blend", frame_end=6, fail_at_frame=4)
    config = CONFIG | {"frameRanges": ["1-6"]}
    with pytest.raises(RenderjuiceIncompleteError) as caught:
        runner.run(render(scene, out, deferrable=deferrable, render_config=config))
    assert ordered(emulator) == [["1-6"], ["4-6"], ["4-6"]]
    message = str(caught.value)
    assert message.startswith("Frames 4-6 of shot.blend are missing after 3 rounds. What is there is in")
    assert "frame 4 could not be rendered" in message
    assert "The render is paid and kept: clear this task, which then orders only" in message
    assert isinstance(caught.value, AirflowFailException)
    assert manifest_of(out)["missing_frames"] == [4, 5, 6]


@needs_store
def test_a_clear_allows_as_many_rounds_again(emulator, runner, out, scene, losses):
    losses.lost = {number: set(range(number + 1, 7)) for number in range(1, 6)}
    config = CONFIG | {"frameRanges": ["1-6"]}
    for _ in range(2):
        with pytest.raises(RenderjuiceIncompleteError, match=r"^Frames 4-6 .+ after 3 rounds"):
            runner.run(render(scene, out, render_config=config))
        assert emulator.ledger.renders_started() == 3
    runner.ti.max_tries += 1
    found = runner.run(render(scene, out, render_config=config))
    assert ordered(emulator) == [["1-6"], ["2-6"], ["3-6"], ["4-6"], ["5-6"], ["6"]]
    assert (found["complete"], found["rounds"], len(found["jobs"])) == (True, 6, 6)


@needs_store
def test_a_number_of_rounds_is_the_authors_choice(emulator, runner, out, scene, losses):
    losses.lost = {1: {2}}
    with pytest.raises(RenderjuiceIncompleteError, match=r"after 1 round\. "):
        runner.run(render(scene, out, rounds="1"))


def validated(scene) -> str:
    with RenderjuiceHook().client as client:
        job_id = client.create_job(client.upload(scene).slug).id
        client.validate_job(job_id)
        while client.get_job(job_id).status != "validated":
            pass
    return job_id


@both_modes
@needs_store
def test_a_given_job_is_the_first_rounds_and_a_next_one_uploads_once(emulator, runner, out, scene, losses, deferrable):
    job_id = validated(scene)
    losses.lost = {1: {1, 2}, 2: {1}}
    found = runner.run(render(scene, out, deferrable=deferrable, job_id={"job_id": job_id}))
    assert next(iter(found["jobs"])) == job_id
    assert ordered(emulator) == [["1-3"], ["1-2"], ["1"]]
    assert emulator.ledger.count("put_upload") == 2


def test_a_given_job_is_left_where_nothing_is_missing(emulator, runner, out, scene):
    runner.run(render(scene, out))
    job_id = validated(scene)
    runner.store.values.clear()
    assert runner.run(render(scene, out, job_id=job_id))["jobs"] == {}
    assert emulator.jobs[job_id].status == "validated"


@both_modes
@needs_store
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [*range(1, 24, 2)])
def test_a_death_at_any_call_of_any_round_pays_no_frame_again(
    emulator, runner, crash, out, scene, losses, deferrable, after, at
):
    losses.lost = {1: {2}}
    crash.arm(at, after=after)
    try:
        found = runner.run(render(scene, out, deferrable=deferrable))
    except Died:
        crash.arm(0, after=False)
        found = runner.run(render(scene, out, deferrable=deferrable))
    assert found["complete"]
    assert ordered(emulator) == [["1-3"], ["2"]]
    assert emulator.ledger.jobs_left_running() == []


@needs_store
def test_a_deferred_round_goes_on_in_another_process(emulator, runner, out, scene, losses):
    losses.lost = {1: {3}}
    found, next_process = None, lambda: render(scene, out).execute(runner.context)
    while found is None:
        try:
            found = next_process()
        except TaskDeferred as deferral:
            next_process = resumption(render(scene, out), runner, deferral)
    assert found["complete"]
    assert len(runner.triggers) == 4
    assert ordered(emulator) == [["1-3"], ["3"]]


def resumption(operator, runner, deferral):
    """What Airflow does when the trigger of a deferral has fired."""
    event = json.loads(json.dumps(asyncio.run(runner.fire(deferral.trigger))))
    kwargs = json.loads(json.dumps(deferral.kwargs)) | {"event": event}
    return lambda: operator.resume_execution(deferral.method_name, kwargs, runner.context)


def slow_scene(tmp_path):
    return write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)


def rendering(emulator, runner, scene, out, **arguments):
    """A deferred task whose job renders, and the deferral."""
    operator = render(scene, out, **arguments)
    with pytest.raises(TaskDeferred) as deferral:
        operator.execute(runner.context)
    goes_on = resumption(operator, runner, deferral.value)
    with pytest.raises(TaskDeferred) as deferral:
        goes_on()
    assert len(emulator.ledger.jobs_left_running()) == 1
    return operator, deferral.value


@needs_store
def test_a_job_that_renders_for_a_run_that_died_is_taken_up(emulator, runner, out, tmp_path):
    scene = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=300)
    rendering(emulator, runner, scene, out)
    other = Runner()
    other.ti.run_id = "the next night"
    found = other.run(render(scene, out))
    assert (found["complete"], found["rounds"]) == (True, 1)
    assert emulator.ledger.renders_started() == 1
    assert other.ti.xcoms["renderjuice_job_id"] == runner.ti.xcoms["renderjuice_job_id"]


@needs_store
def test_a_job_that_somebody_canceled_is_the_end(emulator, runner, out, tmp_path):
    _, deferral = rendering(emulator, runner, slow_scene(tmp_path), out)
    RenderjuiceHook().client.cancel_job(runner.ti.xcoms["renderjuice_job_id"])
    with pytest.raises(RenderjuiceJobOverError, match=r"is canceled.+clear this task, which then orders only"):
        runner.resume(render(tmp_path / "slow.blend", out), deferral)
    assert emulator.ledger.renders_started() == 1


@needs_store
@both_modes
def test_the_deadline_is_the_end_and_stops_the_render(emulator, runner, out, tmp_path, deferrable):
    with pytest.raises(RenderjuiceJobOverError, match=r"timed out \(timeout\)"):
        runner.run(render(slow_scene(tmp_path), out, timeout=1, deferrable=deferrable))
    assert emulator.ledger.jobs_left_running() == []
    assert emulator.ledger.renders_started() == 1


@needs_store
def test_a_deferral_that_airflow_itself_has_ended_stops_the_job_of_the_round(emulator, runner, out, tmp_path):
    operator, _ = rendering(emulator, runner, slow_scene(tmp_path), out)
    with pytest.raises(RenderjuiceJobOverError, match="its trigger did not answer in time"):
        operator.resume_execution("__fail__", {"error": "Trigger timeout"}, runner.context)
    assert emulator.ledger.jobs_left_running() == []


def test_without_a_store_a_mapped_deferral_that_airflow_has_ended_stops_its_own_job(emulator, runner, out, tmp_path):
    runner.context.pop("task_state_store", None)
    runner.ti.map_index = 1
    operator, _ = rendering(emulator, runner, slow_scene(tmp_path), out)
    with pytest.raises(RenderjuiceJobOverError, match="its trigger did not answer in time"):
        operator.resume_execution("__fail__", {"error": "Trigger timeout"}, runner.context)
    assert emulator.ledger.jobs_left_running() == []


@needs_store
@pytest.mark.parametrize(("state", "running"), [("failed", 0), ("restarting", 1)])
def test_a_kill_is_about_the_job_of_the_round(emulator, runner, out, tmp_path, monkeypatch, state, running):
    operator, _ = rendering(emulator, runner, slow_scene(tmp_path), out)
    monkeypatch.setattr(kills, "task_state", lambda _ti: state)
    operator.on_kill()
    assert len(emulator.ledger.jobs_left_running()) == running
    with pytest.raises(RenderjuiceError, match="killed"):
        operator.execute(runner.context)
    assert emulator.ledger.renders_started() == 1


@needs_store
def test_a_user_who_ended_the_task_and_clears_it_gets_the_rest_rendered(emulator, runner, out, tmp_path, monkeypatch):
    scene = write_scene(tmp_path / "shot.blend", frame_end=3, seconds_per_frame=300)
    operator, _ = rendering(emulator, runner, scene, out)
    monkeypatch.setattr(kills, "task_state", lambda _ti: "failed")
    operator.on_kill()
    runner.ti.max_tries += 1
    assert runner.run(render(scene, out))["complete"]
    assert emulator.ledger.renders_started() == 2


@both_modes
def test_without_a_store_a_try_is_one_round_and_a_retry_orders_the_rest(
    emulator, runner, out, scene, losses, deferrable
):
    runner.context.pop("task_state_store", None)
    losses.lost = {1: {2}}
    with pytest.raises(RenderjuiceIncompleteError, match=r"after 1 round.+a retry starts a new job") as caught:
        runner.run(render(scene, out, deferrable=deferrable))
    assert not isinstance(caught.value, AirflowFailException)
    assert runner.run(render(scene, out, deferrable=deferrable))["complete"]
    assert ordered(emulator) == [["1-3"], ["2"]]


@both_modes
@needs_store
def test_frames_go_to_any_object_store(emulator, runner, scene, losses, tmp_path, deferrable):
    losses.lost, losses.empty = {1: {2}}, {1: {3}, 2: {3}}
    attach("memory", fs=fsspec.filesystem("memory"))
    out = f"memory://{tmp_path.name}-{deferrable}/out"
    seen: list[Path] = []

    def is_whole(path: Path) -> bool:
        seen.append(path)
        return path.read_bytes().startswith(b"\x89PNG")

    found = runner.run(render(scene, out, deferrable=deferrable, is_whole=is_whole))
    assert (found["complete"], found["destination"], found["manifest"]) == (True, out, f"{out}/manifest.json")
    assert ordered(emulator) == [["1-3"], ["2-3"], ["3"]]
    assert {path.name for path in seen} == {"0001.png", "0002.png", "0003.png"}
    manifest = json.loads(ObjectStoragePath(f"{out}/manifest.json").read_text())
    assert [file["place"] for file in manifest["files"]] == [f"frames/000{frame}.png" for frame in (1, 2, 3)]
    runner.store.values.clear()
    assert runner.run(render(scene, out, deferrable=deferrable))["jobs"] == {}
    ObjectStoragePath(f"{out}/frames/0002.png").write_bytes(b"")
    runner.run(render(scene, out, deferrable=deferrable))
    assert ordered(emulator) == [["1-3"], ["2-3"], ["3"]]  # it was fetched again, which is free
    assert json.loads(ObjectStoragePath(f"{out}/manifest.json").read_text())["files"] == manifest["files"]


def test_a_folder_that_cannot_be_written_says_so_and_nothing_is_ordered(emulator, runner, scene, out):
    out.write_text("a file, and not a folder")
    with pytest.raises(RenderjuiceError, match=r"Cannot read or write .+out"):
        runner.run(render(scene, out))
    assert emulator.ledger.renders_started() == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rounds": 0}, "rounds must be a whole number above 0"),
        ({"rounds": True}, "rounds must be"),
        ({"is_whole": "stages.pictures"}, "is_whole must be a function"),
        ({"render_config": {"colorManagementPreset": "default", "frameRanges": ["odd"]}}, "cannot be counted"),
        ({"destination": "None"}, "destination must be a folder"),
        ({"job_id": "7"}, "A job id is a UUID"),
        ({"render_config": {}}, "render_config is empty"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(emulator, runner, scene, out, arguments, words):
    with pytest.raises(RenderjuiceInputError, match=words):
        runner.run(render(scene, out, **arguments))
    assert emulator.ledger.entries == []


def test_a_scene_that_fails_validation_ends_it_without_another_round(emulator, runner, out, tmp_path):
    broken = write_scene(tmp_path / "broken.blend", fail_validation=("the file is from the future", "SCENE_UNREADABLE"))
    with pytest.raises(RenderjuiceJobError, match=r"from the future.+nothing is billed"):
        runner.run(render(broken, out))
    assert len(emulator.jobs) == 1
    assert not (out / "jobs.json").exists()
