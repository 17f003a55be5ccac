"""What a job has spent is never taken for less than it may be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_provider.api.models import Job
from renderjuice_provider.lifecycle.ceiling import SOONEST, Ceiling, at_ceiling, cost_of
from renderjuice_provider.lifecycle.job_poller import Done, JobPoller, PollAgain
from renderjuice_provider.lifecycle.outcome import Ending
from renderjuice_provider.lifecycle.record import Order

START = 1_000.0


def a_job(status: str = "rendering", seconds: float | None = None, **fields: object) -> Job:
    return Job.model_validate({"id": "j", "status": status, "normalizedSeconds": seconds} | fields)


def spent(*seen: tuple[float, str, float | None]) -> list[float]:
    """What a ceiling makes of polls: seconds after the start, status, normalized seconds."""
    ceiling = Ceiling(100.0, START)
    return [ceiling.spent(a_job(status, seconds), START + after) for after, status, seconds in seen]


def test_the_seconds_of_the_job_count():
    assert spent((10, "rendering", 40.0), (20, "rendering", 90.0)) == [40.0, 90.0]


def test_where_there_are_no_seconds_before_the_end_the_time_in_which_it_renders_counts():
    seen = spent((50, "booting", None), (60, "rendering", None), (90, "rendering", 0.0), (95, "finalizing", None))
    assert seen == [0.0, 10.0, 40.0, 45.0]


def test_a_frame_that_takes_long_counts_although_the_seconds_stand_still():
    assert spent((10, "rendering", 8.0), (40, "rendering", 8.0), (50, "rendering", 45.0)) == [8.0, 38.0, 45.0]


def test_a_queue_and_a_pause_cost_nothing():
    seen = spent((3000, "booting", None), (3010, "rendering", 5.0), (9000, "suspended", 5.0), (9001, "rendering", 5.0))
    assert seen == [0.0, 5.0, 5.0, 6.0]


def test_a_render_that_is_first_seen_while_it_renders_may_have_done_so_from_the_start():
    assert spent((70, "rendering", None)) == [70.0]


def test_a_clock_that_is_set_back_makes_nothing_cheaper():
    assert spent((50, "rendering", 30.0), (20, "rendering", 30.0), (20, "rendering", 35.0)) == [30.0, 30.0, 35.0]


@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from(["booting", "rendering"]), st.floats(0, 1e6) | st.none())))
def test_it_is_never_less_than_any_seconds_that_were_seen(seen):
    known = [0.0]
    for (_, _, seconds), found in zip(seen, spent(*seen), strict=True):
        known.append(seconds or 0.0)
        assert found >= max(known)


def test_close_to_the_ceiling_polls_come_sooner():
    ceiling = Ceiling(100.0, START)
    first = ceiling.spent(a_job(seconds=40.0), START + 10)  # four in a second
    assert ceiling.pause(first, 30.0) == 15.0
    assert ceiling.pause(99.0, 30.0) == SOONEST
    assert ceiling.pause(0.0, 1.0) == 1.0


def poller(**more: object) -> JobPoller:
    times = {"poll_interval": 30.0, "started": START, "deadline": START + 1e5}
    return JobPoller("j", "completed", **times | {"most": 100.0} | more)  # type: ignore[arg-type]


def test_a_wait_ends_at_the_ceiling_and_says_what_was_spent():
    decision = poller().on_job(a_job(seconds=100.5), None, START + 60)
    assert isinstance(decision, Done)
    assert decision.outcome.ending is Ending.AT_CEILING
    assert decision.outcome.message == "has spent 100 of 100 normalized seconds (max_normalized_seconds)"


def test_a_job_that_is_over_has_reached_what_it_has_reached():
    decision = poller().on_job(a_job("completed", 500.0), None, START + 60)
    assert isinstance(decision, Done)
    assert decision.outcome.ending is Ending.REACHED


@pytest.mark.parametrize(("most", "awaits"), [(100.0, False), (None, True)])
def test_a_job_with_a_ceiling_is_not_left_to_events(most, awaits):
    decision = poller(most=most).on_job(a_job(seconds=1.0), None, START + 60)
    assert isinstance(decision, PollAgain)
    assert decision.awaits_event is awaits


@pytest.mark.parametrize(
    ("spent", "left"),
    [((), 10.0), ((4.0, 0.0), 6.0), ((4.0, None), 0.0), ((12.0,), -2.0)],
    ids=["nothing yet", "some", "a cost that nobody knows", "too much"],
)
def test_what_is_left_for_the_next_job(spent, left):
    order = Order("completed", 1.0, most=10.0, spent=spent)  # type: ignore[arg-type]
    assert order.left == left
    assert order.is_spent is (left <= 0)
    assert replace(order, most=None).left is None


def test_a_job_that_was_never_ordered_to_render_has_cost_nothing():
    assert cost_of(a_job("failed")) == 0.0
    assert cost_of(a_job("failed", requestedConfig={"colorManagementPreset": "default"})) is None
    assert cost_of(a_job("canceled", 7.5, finalConfig={})) == 7.5


def test_the_error_names_a_cost_that_is_not_known():
    order = Order("completed", 1.0, most=10.0, spent=(4.0, None))  # type: ignore[arg-type]
    assert "4 normalized seconds and what is not known were spent, of 10" in str(at_ceiling("Shot 1", order, None))
