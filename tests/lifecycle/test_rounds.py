"""Rounds, walked by hand: whatever dies and whatever a farm loses, no whole frame is paid twice."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import (
    RenderjuiceIncompleteError,
    RenderjuiceJobError,
)
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.lifecycle.record import Order
from tests.support.farm import Died
from tests.support.frames_farm import FramesFarm, RoundsTask

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
    for cut in range(1, undisturbed.steps + 1):
        for after in (False, True):
            task = RoundsTask(farm(f"{cut}-{after}"), deferred=deferred)
            with suppress(Died):
                task.run(shot, cut, after=after)
            assert task.run(shot).count.complete
            assert ordered(task.farm) == ordered(undisturbed.farm)
            assert task.farm.most_at_once == 1
            assert task.farm.in_vain == []
            assert [each.job_id for each in task.run(shot).done] == task.farm.renders


@settings(max_examples=150)
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
        try:
            assert task.run(shot).count.complete
            assert whole_frames(task.farm) == set(FRAMES)
        except RenderjuiceIncompleteError as error:
            assert len(task.farm.renders) == task.rounds
            missing = set(FRAMES) - whole_frames(task.farm)
            assert missing
            assert f"Frames {task_ranges(missing)} of shot.blend" in str(error)
        assert task.farm.most_at_once <= 1
        assert task.farm.in_vain == []
        assert len(task.farm.renders) <= task.rounds
        noted = [each["job_id"] for each in json.loads(Path(folder, "jobs.json").read_text())]
        assert noted == task.farm.renders


def task_ranges(frames: set[int]) -> str:
    from renderjuice_provider.lifecycle.one_round import shown

    return shown(frames)


@settings(max_examples=150)
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
