"""Rounds, walked by hand: whatever dies and whatever a farm loses, no whole frame is paid twice."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import (
    RenderjuiceIncompleteError,
    RenderjuiceInputError,
    RenderjuiceJobError,
    RenderjuiceJobOverError,
)
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.lifecycle.one_round import shown
from tests.support.farm import Died
from tests.support.frames_farm import ANALYSIS, FramesFarm, RoundsTask
from tests.support.rounds import CONFIG, FRAMES, GIVEN, both_ways, cuts, ended, faults, ordered, whole_frames

# Properties


@both_ways
@pytest.mark.parametrize("is_slow_to_show", [False, True], ids=["shown at once", "shown late"])
def test_a_cut_at_any_step_of_any_round_orders_the_same_rounds(shot, tmp_path, deferred, is_slow_to_show):
    def farm(name: str) -> FramesFarm:
        lost, damaged = {(0, 2), (0, 5)}, {(0, 3), (1, 2)}
        options = {"lost": lost, "damaged": damaged, "failing": {1}, "is_slow_to_show": is_slow_to_show}
        return FramesFarm(tmp_path / name, **options)

    undisturbed = RoundsTask(farm("whole"), deferred=deferred)
    end = undisturbed.run(shot)
    assert end.count.complete
    assert ordered(undisturbed.farm) == [["1-6"], ["2-3", "5"], ["2-3", "5"]]
    for cut in range(1, undisturbed.steps + 1, 3 if is_slow_to_show else 1):
        for after in (False, True):
            task = RoundsTask(farm(f"{cut}-{after}"), deferred=deferred)
            with suppress(Died):
                task.run(shot, cut, after=after)
            assert task.run(shot).count.complete
            assert ordered(task.farm) == ordered(undisturbed.farm)
            assert task.farm.most_at_once == 1
            assert task.farm.in_vain == []
            assert [each.job_id for each in task.run(shot).done] == task.farm.renders


@settings(max_examples=60)
@given(
    deaths=st.lists(cuts, max_size=5),
    lost=faults,
    damaged=faults,
    failing=st.sets(st.integers(0, 2), max_size=2),
    deferred=st.booleans(),
)
def test_whatever_dies_and_is_lost_no_whole_frame_is_ordered_again(shot, deaths, lost, damaged, failing, deferred):
    with TemporaryDirectory() as folder:
        task = RoundsTask(FramesFarm(Path(folder), lost=lost, damaged=damaged, failing=failing), deferred=deferred)
        for cut, after in deaths:
            with suppress(Died, RenderjuiceIncompleteError):
                task.run(shot, cut, after=after)
        said = ended(task, shot)
        missing = set(FRAMES) - whole_frames(task.farm)
        assert said == (f"Frames {shown(missing)} of shot.blend are missing after 3 rounds" if missing else "complete")
        assert len(task.farm.renders) == task.rounds or not missing
        assert task.farm.most_at_once <= 1
        assert task.farm.in_vain == []
        assert len(task.farm.renders) <= task.rounds
        noted = [each["job_id"] for each in json.loads(Path(folder, "jobs.json").read_text())]
        assert noted == task.farm.renders


@settings(max_examples=60)
@given(
    walk=st.lists(st.tuples(st.sampled_from(["nothing", "clear", "another run", "time"]), cuts), max_size=6),
    lost=faults,
    failing=st.sets(st.integers(0, 2), max_size=2),
    deferred=st.booleans(),
)
def test_clears_and_new_runs_never_pay_two_renders_at_once_nor_a_whole_frame(shot, walk, lost, failing, deferred):
    with TemporaryDirectory() as folder:
        farm = FramesFarm(Path(folder), lost=lost, failing=failing)
        task, budgets = RoundsTask(farm, deferred=deferred), 1
        for change, (cut, after) in walk:
            if change == "clear":
                task.max_tries += 1
                budgets += 1
            elif change == "another run":
                task, budgets = RoundsTask(farm, deferred=deferred, run_id=f"night {budgets}"), budgets + 1
            elif change == "time":
                task.clock.now += timedelta(seconds=shot.timeout + 1)
            with suppress(Died, RenderjuiceJobError, RenderjuiceIncompleteError):
                task.run(shot, cut, after=after)
            assert farm.most_at_once <= 1
        assert farm.in_vain == []
        assert len(farm.renders) <= budgets * task.rounds


def delivered_again(farm: FramesFarm) -> list[tuple[int, int]]:
    """Jobs and frames that were ordered although an earlier job had delivered the frame whole."""
    there: set[int] = set()
    found = []
    for number, job in enumerate(farm.jobs[job_id] for job_id in farm.renders):
        frames = farm.frames_of(job)
        found += [(number, frame) for frame in frames if frame in there]
        rendered = frames if job["status"] == "completed" else frames[: len(frames) // 2]
        there |= {frame for frame in rendered if (number, frame) not in farm.lost | farm.damaged}
    return found


@settings(max_examples=60)
@given(
    walk=st.lists(st.tuples(st.sampled_from(["nothing", "clear", "time", "lose", "cancel"]), cuts), max_size=7),
    lost=faults,
    damaged=faults,
    failing=st.sets(st.integers(0, 2), max_size=2),
    deferred=st.booleans(),
    is_given=st.booleans(),
)
def test_one_record_of_the_two_is_enough_to_pay_no_frame_again(shot, walk, lost, damaged, failing, deferred, is_given):
    with TemporaryDirectory() as folder:
        farm = FramesFarm(Path(folder), lost=lost, damaged=damaged, failing=failing)
        if is_given:
            farm.jobs[GIVEN] = {"id": GIVEN, "status": "validated"}
        task, order = RoundsTask(farm, deferred=deferred), replace(shot, job_id=GIVEN if is_given else None)
        for change, (cut, after) in walk:
            if change == "clear":
                task.max_tries += 1
            elif change == "time":
                task.clock.now += timedelta(seconds=shot.timeout + 1)
            elif change == "lose":
                Path(folder, "jobs.json").unlink(missing_ok=True)
            elif change == "cancel":
                for job_id in farm.paid():
                    farm.jobs[job_id]["status"] = "canceled"
            with suppress(Died, RenderjuiceJobError, RenderjuiceIncompleteError):
                task.run(order, cut, after=after)
            assert farm.most_at_once <= 1
        assert farm.in_vain == []
        assert delivered_again(farm) == []


# What a round orders


def test_what_a_failed_job_has_rendered_is_kept_and_only_the_rest_is_ordered(shot, tmp_path):
    task = RoundsTask(FramesFarm(tmp_path, failing={0}))
    assert task.run(shot).count.complete
    assert ordered(task.farm) == [["1-6"], ["4-6"]]
    assert task.farm.uploads == 1
    assert any("What it has rendered is kept" in line for line in task.log.lines)
    assert [line for line in task.log.lines if line.startswith("Round")] == [
        f"Round 1 of 3: frames 1-6, job {task.farm.renders[0]}",
        f"Round 2 of 3: frames 4-6 again, job {task.farm.renders[1]}",
    ]


def test_a_folder_that_is_whole_orders_nothing_and_leaves_the_given_job(shot, tmp_path):
    farm = FramesFarm(tmp_path)
    RoundsTask(farm).run(shot)
    spare = farm._create()
    spare["status"] = "validated"
    found = RoundsTask(farm, run_id="the next night").run(replace(shot, job_id=spare["id"]))
    assert (found.count.complete, found.done, spare["status"]) == (True, (), "validated")


def test_a_given_job_is_for_the_first_round_and_the_next_ones_share_an_upload(shot, tmp_path):
    farm = FramesFarm(tmp_path, lost={(0, 1), (1, 1)})
    farm.jobs[GIVEN] = {"id": GIVEN, "status": "validated"}
    assert RoundsTask(farm).run(replace(shot, job_id=GIVEN)).count.complete
    assert farm.renders[0] == GIVEN
    assert ordered(farm) == [["1-6"], ["1"], ["1"]]
    assert farm.uploads == 1


def test_a_given_job_orders_only_what_the_folder_lacks(shot, tmp_path):
    farm = FramesFarm(tmp_path)
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "0002.png").write_bytes(b"whole")
    farm.jobs[GIVEN] = {"id": GIVEN, "status": "validated"}
    assert RoundsTask(farm).run(replace(shot, job_id=GIVEN)).count.complete
    assert ordered(farm) == [["1", "3-6"]]
    assert farm.renders == [GIVEN]


@pytest.mark.parametrize("status", ["rendering", "completed", "failed", "canceled"])
def test_a_given_job_that_has_been_ordered_elsewhere_is_not_used(shot, tmp_path, status):
    farm = FramesFarm(tmp_path)
    farm.jobs[GIVEN] = {"id": GIVEN, "status": status}
    farm.renders.append(GIVEN)
    farm.jobs[GIVEN]["requestedConfig"] = CONFIG | {"frameRanges": ["9"]}
    task = RoundsTask(farm)
    assert task.run(replace(shot, job_id=GIVEN)).count.complete
    assert [each.job_id for each in task.run(replace(shot, job_id=GIVEN)).done] == farm.renders[1:]


def test_an_upload_that_renderjuice_has_forgotten_is_sent_again(shot, tmp_path):
    farm = FramesFarm(tmp_path, lost={(0, 4)})
    farm.slugs_expire = True
    assert RoundsTask(farm).run(shot).count.complete
    assert farm.uploads == 2


def test_a_scene_that_was_saved_between_two_rounds_is_not_mixed_with_the_first(shot, tmp_path):
    scene = write_scene(tmp_path / "shot.blend", frame_end=6)
    order = replace(shot, scene=scene, source=str(scene), content=content_fingerprint(scene))
    task = RoundsTask(FramesFarm(tmp_path / "out", lost={(0, 4)}))
    save = task.farm._downloads

    def saved_again(job_id):
        write_scene(scene, frame_end=7)
        return save(job_id)

    task.farm._downloads = saved_again
    with pytest.raises(RenderjuiceIncompleteError, match=r"^Frames 4 .+after 1 round, and the scene has changed"):
        task.run(order)
    assert len(task.farm.renders) == 1


def test_without_frame_ranges_the_frames_are_those_of_the_scene(shot, tmp_path):
    order = replace(shot, render_config={"colorManagementPreset": "default"})
    farm = FramesFarm(tmp_path, lost={(0, 3)})
    assert RoundsTask(farm).run(order).count.complete
    assert [farm.jobs[job]["requestedConfig"].get("frameRanges") for job in farm.renders] == [None, ["3"]]


def test_without_frame_ranges_frames_that_nobody_knows_are_refused(shot, tmp_path):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "0002.png").write_bytes(b"whole")
    task = RoundsTask(FramesFarm(tmp_path))
    with pytest.raises(RenderjuiceInputError, match="say frameRanges"):
        task.run(replace(shot, render_config={"colorManagementPreset": "default"}))
    assert task.farm.jobs == {}


def test_without_frame_ranges_a_given_job_names_the_frames_of_a_folder_that_has_some(shot, tmp_path):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "0002.png").write_bytes(b"whole")
    farm = FramesFarm(tmp_path)
    farm.jobs[GIVEN] = {"id": GIVEN, "status": "validated", "analysis": ANALYSIS}
    found = RoundsTask(farm).run(replace(shot, job_id=GIVEN, render_config={"colorManagementPreset": "default"}))
    assert (found.count.complete, ordered(farm)) == (True, [["1", "3-6"]])


# What ends it


@both_ways
def test_a_job_that_somebody_canceled_ends_it_at_once_and_a_clear_orders_the_rest(shot, tmp_path, deferred):
    task = RoundsTask(FramesFarm(tmp_path), deferred=deferred)
    advanced = task.farm._advanced

    def canceled(job_id):
        if task.farm.jobs[job_id]["status"] == "rendering":
            task.farm.jobs[job_id]["status"] = "canceled"
        return advanced(job_id)

    task.farm._advanced = canceled
    with pytest.raises(RenderjuiceJobOverError, match=r"canceled.+clear this task, which then orders only"):
        task.run(shot)
    assert (len(task.farm.renders), whole_frames(task.farm)) == (1, {1, 2, 3})
    task.farm._advanced = advanced
    task.max_tries += 1
    assert task.run(shot).count.complete
    assert ordered(task.farm) == [["1-6"], ["4-6"]]


@both_ways
def test_the_deadline_ends_it_at_once_and_stops_the_render(shot, tmp_path, deferred):
    task = RoundsTask(FramesFarm(tmp_path, renders_for_ever=True), deferred=deferred)
    with pytest.raises(RenderjuiceJobOverError, match=r"timed out \(timeout\).+cancelled and is canceled"):
        task.run(replace(shot, timeout=3600.0))
    assert task.farm.paid() == []
    assert len(task.farm.renders) == 1


def test_all_rounds_share_one_deadline(shot, tmp_path):
    task = RoundsTask(FramesFarm(tmp_path, lost={(0, 1)}))
    save = task.farm._downloads

    def late(job_id):
        task.clock.now += timedelta(seconds=shot.timeout)
        return save(job_id)

    task.farm._downloads = late
    with pytest.raises(RenderjuiceIncompleteError, match=r"^Frames 1 .+after 1 round, and its time is up \(timeout\)"):
        task.run(shot)
    assert len(task.farm.renders) == 1


def test_a_clear_allows_as_many_rounds_again_of_only_what_is_missing(shot, tmp_path):
    task = RoundsTask(FramesFarm(tmp_path, lost={(number, 2) for number in range(5)}))
    for _ in range(2):
        with pytest.raises(RenderjuiceIncompleteError, match=r"Frames 2 of shot\.blend are missing after 3 rounds"):
            task.run(shot)
    task.max_tries += 1
    assert task.run(shot).count.complete
    assert ordered(task.farm) == [["1-6"], *[["2"]] * 5]


def test_without_a_store_there_is_one_job_in_a_try(shot, tmp_path):
    task = RoundsTask(FramesFarm(tmp_path, lost={(0, 2)}))
    task.is_kept = False
    with pytest.raises(RenderjuiceIncompleteError, match=r"after 1 round.+a retry starts a new job"):
        task.run(shot)
    task.stored = None
    assert task.run(shot).count.complete
    assert ordered(task.farm) == [["1-6"], ["2"]]


@both_ways
def test_without_a_store_a_cut_at_any_step_pays_no_whole_frame_and_no_running_job_again(shot, tmp_path, deferred):
    for cut in range(1, 90):
        for after in (False, True):
            farm = FramesFarm(tmp_path / f"{cut}-{after}", lost={(0, 2)}, is_slow_to_show=True)
            task = RoundsTask(farm, deferred=deferred)
            task.is_kept = False
            with suppress(Died, RenderjuiceIncompleteError):
                task.run(shot, cut, after=after)
            for _ in range(2):
                task.stored = None
                with suppress(RenderjuiceIncompleteError):
                    task.run(shot)
            assert ordered(farm) == [["1-6"], ["2"]]
            assert (farm.most_at_once, farm.in_vain) == (1, [])


def test_a_process_that_is_resumed_a_second_time_goes_on_in_the_present_round(shot, tmp_path):
    for cut in range(1, 120, 4):
        task = RoundsTask(FramesFarm(tmp_path / str(cut), lost={(0, 2)}), deferred=True)
        with suppress(Died):
            task.run(shot, cut)
        for wait in range(len(task.waits)):
            assert task.resume(shot, wait).count.complete
        assert task.run(shot).count.complete
        assert ordered(task.farm) == [["1-6"], ["2"]]
        assert [each.job_id for each in task.run(shot).done] == task.farm.renders
