"""Rounds, walked by hand: whatever dies and whatever a farm loses, no whole frame is paid twice."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

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
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.frames import ordered_frames
from renderjuice_provider.lifecycle.one_round import shown
from renderjuice_provider.lifecycle.record import Order
from renderjuice_provider.lifecycle.salvage import Salvage
from tests.support.farm import Died
from tests.support.frames_farm import ANALYSIS, FramesFarm, RoundsTask

CONFIG = {"colorManagementPreset": "default", "frameRanges": ["1-6"]}
GIVEN = "3c90c3cc-0d44-4b50-8888-000000000000"
FRAMES = range(1, 7)

both_ways = pytest.mark.parametrize("deferred", [False, True], ids=["on the worker", "deferred"])
faults = st.sets(st.tuples(st.integers(0, 2), st.sampled_from(FRAMES)), max_size=4)
cuts = st.tuples(st.integers(1, 90), st.booleans())


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    scene = write_scene(tmp_path_factory.mktemp("scene") / "shot.blend", frame_end=6)
    return Order(
        JobStatus.COMPLETED,
        36000.0,
        render_config=CONFIG,
        scene=scene,
        source=str(scene),
        content=content_fingerprint(scene),
        cancel_on_kill=True,
        cancel_on_timeout=True,
        name="shot.blend",
    )


def whole_frames(farm: FramesFarm) -> set[int]:
    return {int(path.stem) for path in farm.folder.glob("frames/*.png") if path.read_bytes() == b"whole"}


def ordered(farm: FramesFarm) -> list[list[str]]:
    """What each render was ordered, in order."""
    return [farm.jobs[job_id]["requestedConfig"]["frameRanges"] for job_id in farm.renders]


def ended(task: RoundsTask, order: Order) -> str:
    """The end of a try in short."""
    try:
        return "complete" if task.run(order).count.complete else "not complete"
    except RenderjuiceIncompleteError as error:
        return error.what.partition(".blend")[0] + ".blend" + error.what.partition(".blend")[2].partition(".")[0]


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


# What an earlier run has left


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
