"""A job is stuck when no new frame comes for many times the usual time, and a slow one is not."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_provider.api.models import Job
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.lifecycle.job_poller import Done, JobPoller, PollAgain
from renderjuice_provider.lifecycle.outcome import Ending
from renderjuice_provider.lifecycle.stuck import LOADING, FrameWatch, Patience

START = 1_000.0
EVERY = 30.0
"""Seconds between two looks."""
HUNG = 100
"""Looks in which nothing more comes."""


def a_job(status="rendering", seconds=None):
    return Job.model_validate({"id": "j", "status": status, "normalizedSeconds": seconds})


def counted(done, total=1000):
    return None if done is None else Progress("j", done, total)


def silences(counts, *, times=5.0, usual=None, every=EVERY, status="rendering", seconds=None, total=1000, since=0.0):
    """What each look at a count of frames finds, one look after the other."""
    watch = FrameWatch(Patience(times, usual), EVERY, START)
    return [
        watch.look(a_job(status, seconds), counted(done, total), START + since + every * (number + 1))
        for number, done in enumerate(counts)
    ]


def first_stuck(counts, **more):
    """The look that finds the job stuck, from 0; None for none."""
    return next((number for number, found in enumerate(silences(counts, **more)) if found), None)


def test_a_job_of_which_no_frame_comes_any_more_is_stuck():
    found = silences([*range(10), *[9] * 10])
    assert [number for number, silence in enumerate(found) if silence] == list(range(15, 20))
    assert found[15] == (180.0, 30.0)  # more than five times the usual, which is a poll interval


def test_a_job_whose_frames_come_slower_and_slower_is_slow():
    counts = [frame for frame in range(12) for _ in range(1 + frame)]
    assert first_stuck(counts) is None


def test_one_frame_that_takes_four_times_as_long_is_slow():
    assert first_stuck([*range(10), *[9] * 3, *range(10, 20)]) is None


def test_frames_that_come_in_bursts_are_not_stuck_between_two():
    bursts = [10 * (look // 10) for look in range(100)]
    assert first_stuck(bursts) is None
    assert first_stuck([*bursts, *[90] * 60]) == 100 + 41  # and after them it is


def test_of_many_machines_the_last_may_render_as_long_as_a_frame_takes():
    # Twenty machines, 600 s a frame: one comes every 30 s, and the last of them a while later.
    counts = [*range(40), *[39] * 50]
    assert first_stuck(counts) == 45
    watch = FrameWatch(Patience(5.0), EVERY, START)
    for number, done in enumerate(counts):
        assert not watch.look(a_job(seconds=600.0 * done), counted(done), START + EVERY * number)


def test_a_stuck_job_that_goes_on_to_cost_money_is_stuck():
    watch = FrameWatch(Patience(5.0), EVERY, START)
    looks = [(min(look, 3), EVERY * look) for look in range(HUNG)]
    assert any(
        watch.look(a_job(seconds=seconds), counted(done), START + EVERY * look)
        for look, (done, seconds) in enumerate(looks)
    )


def test_time_in_a_queue_is_not_silence():
    assert first_stuck([0] * HUNG, status="booting", usual=10.0) is None
    assert first_stuck([None] * HUNG, status="suspended", usual=10.0) is None


def test_a_first_frame_is_judged_by_the_given_usual_time_only():
    assert first_stuck([0] * 1000) is None
    assert first_stuck([0] * HUNG, usual=1.0) == LOADING / EVERY + 1
    assert first_stuck([0] * HUNG, usual=300.0) == 5 * 300.0 / EVERY + 1


def test_what_was_usual_the_night_before_is_no_reason_to_call_a_slower_night_stuck():
    every_tenth = [look // 10 for look in range(100)]
    assert first_stuck(every_tenth, usual=1.0) is None


def test_two_frames_do_not_show_what_is_usual():
    assert first_stuck([0, 1, 2, *[2] * HUNG]) is None


def test_a_farm_that_counts_no_frames_has_no_stuck_jobs():
    assert first_stuck([None] * HUNG, usual=1.0) is None


def test_a_job_with_all_its_frames_is_not_stuck():
    assert first_stuck([*range(11), *[10] * HUNG], total=10) is None


def test_a_job_that_begins_again_is_alive_and_one_whose_count_flickers_is_not():
    again = [*range(20), *range(20), 20, 21]
    assert first_stuck(again) is None
    flickering = [*range(20), *[18, 19] * HUNG]
    assert first_stuck(flickering) is not None


@pytest.mark.parametrize("jump", [1e6, -1e6])
def test_a_clock_that_jumps_makes_no_job_stuck(jump):
    watch = FrameWatch(Patience(5.0), EVERY, START)
    for look in range(40):
        now = START + EVERY * look + (jump if look >= 20 else 0.0)
        assert not watch.look(a_job(), counted(look // 2), now)


def test_an_outage_of_the_api_is_not_silence():
    watch = FrameWatch(Patience(5.0), EVERY, START)
    for look in range(10):
        assert not watch.look(a_job(), counted(look), START + EVERY * look)
    assert not watch.look(a_job(), counted(9), START + 36_000)


@pytest.mark.parametrize("waited", [100, 1000])
def test_a_process_that_comes_half_way_waits_as_long_as_all_frames_have_taken(waited):
    before = EVERY * waited
    assert first_stuck([50] * (waited + 2), since=before - EVERY) == waited + 1
    assert first_stuck([*[50] * (waited - 2), 51], since=before - EVERY) is None


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_frames_that_differ_by_less_than_the_factor_are_never_stuck(seed, machines):
    rolls = random.Random(seed)
    ends = sorted(sum(rolls.uniform(100, 250) for _ in range(4)) for _ in range(machines))
    ends = sorted({*ends, *(end + 1000 * step for end in ends for step in range(1, 5))})
    counts = [sum(end <= EVERY * look for end in ends) for look in range(int(ends[-1] / EVERY) + 1)]
    assert first_stuck(counts, usual=400.0) is None


@given(st.lists(st.integers(0, 50), min_size=4, max_size=60))
def test_whatever_was_counted_a_job_that_hangs_is_found_at_last(counts):
    # With a usual time that is known. Without one, two frames say nothing.
    assert first_stuck([*counts, *[counts[-1]] * 5000], usual=60.0) is not None


def poller(**more):
    times = {"poll_interval": EVERY, "started": START, "deadline": START + 1e6, "jitter": lambda: 0.0}
    return JobPoller("j", "completed", **times | {"patience": Patience(5.0)} | more)


def polled(job_poller, *, looks=30, seconds=None):
    """The decisions on a job that hangs after nine frames."""
    return [
        job_poller.on_job(a_job(seconds=seconds), counted(min(look, 9)), START + EVERY * look) for look in range(looks)
    ]


def test_a_wait_ends_when_the_job_is_stuck_and_says_why():
    found = next(decision for decision in polled(poller()) if isinstance(decision, Done))
    assert found.outcome.ending is Ending.STUCK
    assert found.outcome.stuck == found.outcome.message
    for part in ("no new frame for 3 min 00 s", "usually takes 30 s", "stuck_after=5", "9 of 1000 frames"):
        assert part in found.outcome.message
    assert found.log_line == ""  # the worker logs it


def test_a_job_with_a_ceiling_that_is_not_to_be_cancelled_is_logged_once_and_watched_on():
    job_poller = poller(most=1e6)
    found = polled(job_poller)
    assert all(isinstance(each, PollAgain) for each in found)
    assert sum("has been stuck" in each.log_line for each in found) == 1
    over = job_poller.on_job(a_job("completed"), None, START + 1e5)
    assert isinstance(over, Done)
    assert "has been stuck" in over.outcome.stuck  # for the callback


def test_a_job_with_a_ceiling_that_is_to_be_cancelled_ends_its_wait():
    job_poller = poller(most=1e6, patience=Patience(5.0, cancels=True))
    assert any(isinstance(each, Done) and each.outcome.ending is Ending.STUCK for each in polled(job_poller))


def test_a_job_that_may_be_stuck_is_polled_also_where_events_arrive():
    (first,) = polled(poller(), looks=1)
    assert not first.awaits_event
    (first,) = polled(poller(patience=None), looks=1)
    assert first.awaits_event
