"""Whether events can be relied on: only as long as they come, in time, and can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_provider.lifecycle.events import FRESH, PATIENCE, Arrivals
from renderjuice_provider.lifecycle.inbox import MOST_EVENTS, RENDER_COMPLETE, Inbox

NOW, A_MINUTE, EMPTY = 1_800_000_000.0, 61.0, Inbox()
JOBS = [f"3c90c3cc-0d44-4b50-8888-{number:012d}" for number in range(1000)]


def inbox_with(*jobs, at=NOW, inbox=EMPTY):
    return inbox.add([(job_id, RENDER_COMPLETE) for job_id in jobs], at)


def reading(*jobs, at=NOW):
    """Arrivals that have read these events, which had just come."""
    arrivals = Arrivals()
    arrivals.on_inbox(inbox_with(*jobs, at=at), NOW)
    return arrivals


def test_nothing_is_proven_before_an_inbox_was_read():
    assert not Arrivals().are_proven(NOW)


def test_nothing_is_proven_by_an_inbox_without_events():
    assert not reading().are_proven(NOW)


@pytest.mark.parametrize(("age", "proven"), [(0.0, True), (FRESH, True), (FRESH + 1, False)])
def test_an_event_of_the_last_day_proves_that_others_will_come(age, proven):
    assert reading(JOBS[0], at=NOW - age).are_proven(NOW) is proven


def test_what_an_event_proves_wears_off_after_a_day():
    arrivals, inbox = reading(JOBS[0]), inbox_with(JOBS[0])
    arrivals.on_inbox(inbox, NOW + FRESH - 1)
    assert arrivals.are_proven(NOW + FRESH - 1)
    arrivals.on_inbox(inbox, NOW + FRESH + 1)
    assert not arrivals.are_proven(NOW + FRESH + 1)


def test_an_inbox_that_cannot_be_read_any_more_proves_nothing_after_a_minute():
    arrivals = reading(JOBS[0])
    assert arrivals.are_proven(NOW + PATIENCE)
    assert not arrivals.are_proven(NOW + A_MINUTE)
    arrivals.on_inbox(inbox_with(JOBS[0]), NOW + 2 * A_MINUTE)
    assert arrivals.are_proven(NOW + 2 * A_MINUTE)


def test_the_first_inbox_names_all_its_jobs_and_each_later_one_the_new_ones():
    arrivals, inbox = Arrivals(), inbox_with(*JOBS[:3])
    assert arrivals.on_inbox(inbox, NOW) == set(JOBS[:3])
    assert arrivals.on_inbox(inbox, NOW + 1) == set()
    assert arrivals.on_inbox(inbox_with(JOBS[3], inbox=inbox), NOW + 2) == {JOBS[3]}


def test_more_events_than_an_inbox_holds_may_mean_any_job():
    arrivals = reading(JOBS[0])
    assert arrivals.on_inbox(inbox_with(*JOBS[: MOST_EVENTS + 2], at=NOW + 1), NOW + 1) is None
    assert arrivals.are_proven(NOW + 1)


def test_an_inbox_that_someone_deleted_may_mean_any_job_once():
    arrivals = reading(*JOBS[:3])
    assert arrivals.on_inbox(inbox_with(JOBS[9]), NOW + 1) is None
    assert arrivals.on_inbox(inbox_with(JOBS[9]), NOW + 2) == set()


def test_an_inbox_that_has_counted_as_far_again_may_mean_any_job_too():
    arrivals = reading(*JOBS[:3])
    again = inbox_with(*JOBS[7:10], at=NOW + 1)
    assert arrivals.on_inbox(again, NOW + 1) is None
    assert arrivals.on_inbox(again, NOW + 2) == set()


def test_an_event_from_a_clock_that_is_ahead_proves_no_more_than_one_of_now():
    arrivals, inbox = Arrivals(), inbox_with(JOBS[0], at=NOW + 1e9)
    arrivals.on_inbox(inbox, NOW)
    assert arrivals.are_proven(NOW)
    arrivals.on_completed(JOBS[1], NOW)
    arrivals.on_inbox(inbox, NOW + A_MINUTE)
    assert not arrivals.are_proven(NOW + A_MINUTE)


def test_jobs_are_known_however_their_id_is_written():
    arrivals = reading(JOBS[0].upper())
    assert arrivals.has_come(JOBS[0])
    assert arrivals.on_inbox(inbox_with(JOBS[0].upper(), JOBS[1].upper()), NOW) == {JOBS[1]}
    arrivals.on_completed(JOBS[1].upper(), NOW)
    assert reads_on(arrivals, A_MINUTE, JOBS[0].upper(), JOBS[1].upper())


def reads_on(arrivals, seconds, *jobs):
    """Whether events are proven after some seconds in which nothing new came."""
    arrivals.on_inbox(inbox_with(*jobs), NOW + seconds)
    return arrivals.are_proven(NOW + seconds)


def test_a_completed_job_whose_event_does_not_come_within_a_minute_ends_the_trust():
    arrivals = reading(JOBS[0])
    arrivals.on_completed(JOBS[1], NOW)
    assert reads_on(arrivals, PATIENCE, JOBS[0])
    assert not reads_on(arrivals, A_MINUTE, JOBS[0])
    assert not reads_on(arrivals, 2 * A_MINUTE, JOBS[0])


def test_an_event_that_comes_shortly_after_the_poll_is_in_time():
    arrivals = reading(JOBS[0])
    arrivals.on_completed(JOBS[1], NOW)
    assert reads_on(arrivals, PATIENCE - 1, JOBS[0], JOBS[1])
    assert reads_on(arrivals, 2 * A_MINUTE, JOBS[0], JOBS[1])


def test_a_job_whose_event_has_come_is_not_missed():
    arrivals = reading(JOBS[0])
    arrivals.on_completed(JOBS[0], NOW)
    assert reads_on(arrivals, A_MINUTE, JOBS[0])


def test_the_next_event_restores_the_trust():
    arrivals = reading(JOBS[0])
    arrivals.on_completed(JOBS[1], NOW)
    assert not reads_on(arrivals, A_MINUTE, JOBS[0])
    assert reads_on(arrivals, 2 * A_MINUTE, JOBS[0], JOBS[2])


def test_the_missed_event_itself_does_not_restore_it_when_it_comes_late():
    arrivals = reading(JOBS[0])
    arrivals.on_completed(JOBS[1], NOW)
    assert not reads_on(arrivals, A_MINUTE, JOBS[0])
    assert not reads_on(arrivals, 2 * A_MINUTE, JOBS[0], JOBS[1])
    assert reads_on(arrivals, 3 * A_MINUTE, JOBS[0], JOBS[1], JOBS[2])


def test_hours_without_events_leave_no_growing_list_of_what_is_missed():
    arrivals = reading(JOBS[0])
    for number in range(5000):
        arrivals.on_completed(f"job {number}", NOW + number)
    assert not reads_on(arrivals, 5000 + A_MINUTE, JOBS[0])
    assert len(arrivals._awaited) <= 1000


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("event"), st.integers(0, 9)),
            st.tuples(st.just("completed"), st.integers(0, 9)),
            st.tuples(st.just("pause"), st.floats(0, 200)),
        ),
        max_size=30,
    )
)
def test_in_any_order_of_things_a_silent_day_proves_nothing(things):
    arrivals, inbox, now = Arrivals(), Inbox(), NOW
    for what, value in things:
        if what == "pause":
            now += value
        elif what == "event":
            inbox = inbox_with(JOBS[value], at=now, inbox=inbox)
        else:
            arrivals.on_completed(JOBS[value], now)
        arrivals.on_inbox(inbox, now)
        assert arrivals.are_proven(now) in {True, False}
    arrivals.on_inbox(inbox, now + FRESH + 1)
    assert not arrivals.are_proven(now + FRESH + 1)
