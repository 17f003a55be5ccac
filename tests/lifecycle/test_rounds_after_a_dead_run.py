"""Rounds in a folder in which an earlier run has left frames, jobs, or a list that is gone."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import pytest

from renderjuice_provider.api.errors import (
    RenderjuiceIncompleteError,
    RenderjuiceInputError,
    RenderjuiceJobOverError,
)
from renderjuice_provider.frames import ordered_frames
from renderjuice_provider.lifecycle.salvage import Salvage
from tests.support.farm import Died
from tests.support.frames_farm import FramesFarm, RoundsTask
from tests.support.rounds import CONFIG, FRAMES, both_ways, ordered, whole_frames


def died_while_rendering(shot, farm):
    task = RoundsTask(farm, run_id="the night before")
    farm.renders_for_ever = True
    with pytest.raises(Died):
        task.run(shot, 40)
    assert len(farm.paid()) == 1
    farm.jobs[farm.renders[0]]["status"] = "booting"  # so that it is not over when it is read
    farm.renders_for_ever = False


@both_ways
def test_a_job_that_still_renders_for_a_run_that_died_is_taken_up(shot, tmp_path, deferred):
    farm = FramesFarm(tmp_path, lost={(0, 6)})
    died_while_rendering(shot, farm)
    task = RoundsTask(farm, deferred=deferred)
    found = task.run(shot)
    assert found.count.complete
    assert ordered(farm) == [["1-6"], ["6"]]
    assert [each.job_id for each in found.done] == farm.renders
    assert f"Job {farm.renders[0]} of run the night before is not over: taking it up" in task.log.lines


def test_a_job_of_another_order_is_never_mixed_in(shot, tmp_path):
    farm = FramesFarm(tmp_path)
    RoundsTask(farm).run(shot)
    with pytest.raises(
        RenderjuiceInputError, match=r"is for frames of another order \(job .+differs in: sampleCount\)"
    ):
        RoundsTask(farm).run(replace(shot, render_config=CONFIG | {"sampleCount": 4}))
    with pytest.raises(RenderjuiceInputError, match=r"differs in: the scene\)"):
        RoundsTask(farm).run(replace(shot, content="other bytes"))
    assert len(farm.renders) == 1


def test_more_frames_of_the_same_order_are_ordered_into_the_same_folder(shot, tmp_path):
    farm = FramesFarm(tmp_path)
    task = RoundsTask(farm)
    task.run(shot)
    task.max_tries += 1
    task.run(replace(shot, render_config=CONFIG | {"frameRanges": ["1-8"]}))
    assert ordered(farm) == [["1-6"], ["7-8"]]


def test_an_edited_order_stops_the_job_of_the_one_before(shot, tmp_path):
    farm = FramesFarm(tmp_path, renders_for_ever=True)
    task = RoundsTask(farm)
    with pytest.raises(Died):
        task.run(shot, 40)
    assert farm.paid()
    farm.renders_for_ever = False
    edited = replace(shot, render_config=CONFIG | {"sampleCount": 4})
    assert task.run(edited).count.complete
    assert [farm.jobs[job_id]["status"] for job_id in farm.renders] == ["canceled", "completed"]
    assert [each["job_id"] for each in json.loads((tmp_path / "jobs.json").read_text())] == farm.renders[1:]
    assert [each.job_id for each in task.run(edited).done] == farm.renders


def test_a_job_of_another_order_that_still_renders_for_this_folder_is_in_the_way(shot, tmp_path):
    farm = FramesFarm(tmp_path)
    died_while_rendering(shot, farm)
    with pytest.raises(RenderjuiceInputError, match="another order"):
        RoundsTask(farm).run(replace(shot, render_config=CONFIG | {"sampleCount": 4}))
    assert len(farm.renders) == 1


@pytest.mark.parametrize("text", ["[{", "5", '[{"job_id"', "[5]"])
def test_a_list_of_jobs_that_cannot_be_read_is_refused_since_one_may_render(shot, tmp_path, text):
    (tmp_path / "jobs.json").write_text(text)
    task = RoundsTask(FramesFarm(tmp_path))
    with pytest.raises(RenderjuiceInputError, match=r"jobs\.json cannot be read"):
        task.run(shot)
    assert task.farm.jobs == {}


def test_frames_that_cannot_be_counted_are_refused(shot, tmp_path):
    task = RoundsTask(FramesFarm(tmp_path))
    with pytest.raises(RenderjuiceInputError, match="cannot be counted"):
        task.run(replace(shot, render_config=CONFIG | {"frameRanges": ["all"]}))
    assert task.farm.jobs == {}


def test_a_job_that_a_dead_run_had_not_ordered_yet_is_used_and_nothing_is_uploaded_again(shot, tmp_path):
    farm = FramesFarm(tmp_path)
    cut = 0
    while not farm.jobs or not (tmp_path / "jobs.json").exists():
        cut += 1
        with pytest.raises(Died):
            RoundsTask(farm, run_id="the night before").run(shot, cut, after=True)
    assert farm.renders == []
    uploads, jobs = farm.uploads, len(farm.jobs)
    assert RoundsTask(farm).run(shot).count.complete
    assert (farm.uploads, len(farm.jobs), len(farm.renders)) == (uploads, jobs, 1)


@pytest.mark.parametrize("gone", ["the job", "its outputs"])
def test_what_a_job_has_left_and_renderjuice_has_deleted_is_rendered_again(shot, tmp_path, gone):
    farm = FramesFarm(tmp_path)
    RoundsTask(farm).run(shot)
    (tmp_path / "frames" / "0004.png").unlink()
    if gone == "the job":
        del farm.jobs[farm.renders[0]]
    else:
        farm.jobs[farm.renders[0]]["output"] = {"isDeletedForClient": True}
        farm.lost |= {(0, frame) for frame in FRAMES}
    task = RoundsTask(farm)
    assert task.run(shot).count.complete
    assert farm.jobs[farm.renders[1]]["requestedConfig"]["frameRanges"] == ["4"]
    assert any(word in line for line in task.log.lines for word in ("unknown to this connection", "has left nothing"))


def test_a_wait_that_was_lost_stops_the_job_of_the_round_that_waits(shot, tmp_path):
    task = RoundsTask(FramesFarm(tmp_path, renders_for_ever=True), deferred=True)
    with pytest.raises(Died):
        task.run(shot, 40)
    job_id = task.stored["job_id"]
    task.farm.renders_for_ever = False
    with pytest.raises(RenderjuiceJobOverError, match="its trigger did not answer in time"):
        task.lose(shot, job_id)
    assert task.farm.paid() == []


def test_a_wait_that_was_lost_after_its_job_was_over_ends_nothing(shot, tmp_path):
    task = RoundsTask(FramesFarm(tmp_path), deferred=True)
    task.run(shot)
    assert task.lose(shot, task.farm.renders[0]).count.complete


# A list of jobs that is gone, or cannot be read


@both_ways
@pytest.mark.parametrize("failing", [set(), {0}], ids=["completes", "fails half-way"])
@pytest.mark.parametrize("is_kept", [True, False], ids=["with a store", "without"])
def test_a_list_of_jobs_that_is_lost_while_a_job_renders_orders_no_frame_again(
    shot, tmp_path, deferred, failing, is_kept
):
    farm = FramesFarm(tmp_path, lost={(0, 2)}, failing=failing)
    task = RoundsTask(farm, deferred=deferred)
    task.is_kept = is_kept
    advanced = farm._advanced

    def lost(job_id):
        if farm.renders:
            (tmp_path / "jobs.json").unlink(missing_ok=True)
        return advanced(job_id)

    farm._advanced = lost
    for _ in range(3):
        with suppress(RenderjuiceIncompleteError, RenderjuiceJobOverError):
            task.run(shot)
        task.stored = task.stored if is_kept else None
    assert whole_frames(farm) == set(FRAMES)
    assert farm.in_vain == []


@both_ways
def test_a_list_of_jobs_that_is_damaged_while_a_job_renders_leaves_no_job_alone(shot, tmp_path, deferred):
    farm = FramesFarm(tmp_path, lost={(0, 2)}, renders_for_ever=True)
    task = RoundsTask(farm, deferred=deferred)
    with pytest.raises(Died):
        task.run(shot, 40)
    farm.jobs[farm.renders[0]]["status"] = "booting"  # so that it is not over when it is read
    farm.renders_for_ever = False
    (tmp_path / "jobs.json").write_text("[{")
    with pytest.raises(RenderjuiceInputError, match=r"jobs\.json cannot be read"):
        task.run(shot)
    assert (farm.paid(), len(farm.renders)) == ([], 1)
    (tmp_path / "jobs.json").unlink()
    task.max_tries += 1
    assert task.run(shot).count.complete
    assert ordered(farm) == [["1-6"], ["2"]]
    assert farm.in_vain == []


@both_ways
@pytest.mark.parametrize("failing", [set(), {0}], ids=["completes", "fails half-way"])
def test_a_list_of_jobs_that_is_lost_between_two_tries_orders_no_frame_again(shot, tmp_path, deferred, failing):
    for cut in range(10, 60, 3):
        farm = FramesFarm(tmp_path / str(cut), lost={(0, 2)}, failing=failing)
        task = RoundsTask(farm, deferred=deferred)
        with suppress(Died):
            task.run(shot, cut)
        (farm.folder / "jobs.json").unlink(missing_ok=True)
        assert task.run(shot).count.complete
        assert ordered(farm) == [["1-6"], ["2", "4-6"] if failing else ["2"]]


def test_files_whose_names_are_no_numbers_are_paid_once(shot, tmp_path):
    farm = FramesFarm(tmp_path)
    save = farm._downloads

    def unnamed(job_id):
        found = save(job_id)
        for letter, output in zip("abcdef", found["frameOutputs"], strict=False):
            output["fileName"] = f"{letter}.png"
        return found

    farm._downloads = unnamed
    task = RoundsTask(farm)
    for clears in range(2):
        task.max_tries = clears
        with pytest.raises(RenderjuiceInputError, match="do not say which ones they are"):
            task.run(shot)
    assert len(farm.renders) == 1


@pytest.mark.parametrize("name", ["{:d}.exr", "{:06d}.exr", "juice_v2_{:05d}_2k.exr"])
def test_frames_are_found_however_their_numbers_are_padded(shot, tmp_path, name):
    farm = FramesFarm(tmp_path, lost={(0, 3)})
    save = farm._downloads

    def named(job_id):
        found = save(job_id)
        for output in found["frameOutputs"]:
            output["fileName"] = name.format(int(output["url"].rsplit("/", 1)[1]) - 3)
        return found

    farm.frames_of = lambda job: [frame + 3 for frame in sorted(ordered_frames(job["requestedConfig"]))]
    farm._downloads = named
    order = replace(shot, render_config=CONFIG | {"frameRanges": ["-2-3"]})
    assert RoundsTask(farm).run(order).count.complete
    assert ordered(farm) == [["-2-3"], ["0"]]


def test_a_job_of_another_order_that_is_suspended_is_in_the_way_too(shot, tmp_path):
    farm = FramesFarm(tmp_path)
    died_while_rendering(shot, farm)
    farm.jobs[farm.renders[0]]["status"] = "suspended"
    with pytest.raises(RenderjuiceInputError, match="another order"):
        RoundsTask(farm).run(replace(shot, render_config=CONFIG | {"sampleCount": 4}))
    assert [each["job_id"] for each in json.loads((tmp_path / "jobs.json").read_text())] == farm.renders


def test_a_folder_is_named_without_the_secrets_of_its_address(shot):
    folder = SimpleNamespace(where="https://me:s3cr3t@dav.example/out?sig=s3cr3t")
    assert Salvage(shot, folder, None, None).where == "https://***@dav.example/out?***"
