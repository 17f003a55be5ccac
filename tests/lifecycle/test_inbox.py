"""The inbox: events are numbered, kept while they are new, and read in spite of damage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_provider.lifecycle.inbox import (
    MOST_EVENTS,
    MOST_NEWEST,
    MOST_PENDING,
    Event,
    Inbox,
    InboxFullError,
    Pending,
    newest_variable_of,
    variable_of,
)

COMPLETE, FAIL = "onRenderComplete", "onRenderFail"
ONE, TWO, THREE = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
NOW = 1_764_230_400.5


def jobs(count: int, first: int = 0) -> list[tuple[str, str]]:
    return [(f"job-{number}", COMPLETE) for number in range(first, first + count)]


def test_events_are_numbered_in_the_order_in_which_they_came() -> None:
    inbox = Inbox().add([(ONE, COMPLETE)], NOW).add([(TWO, COMPLETE), (THREE, FAIL)], NOW + 1)
    assert inbox.count == 3
    assert inbox.last == NOW + 1
    assert inbox.events == (
        Event(1, ONE, COMPLETE, NOW),
        Event(2, TWO, COMPLETE, NOW + 1),
        Event(3, THREE, FAIL, NOW + 1),
    )


def test_only_a_completed_render_waits_for_an_asset_event() -> None:
    inbox = Inbox().add([(ONE, FAIL), (TWO, COMPLETE)], NOW)
    assert inbox.pending == (Pending(2, TWO),)
    assert inbox.without_pending({2}).pending == ()
    assert inbox.without_pending({1}) == inbox


def test_where_no_asset_event_is_wanted_no_job_waits_for_one() -> None:
    inbox = Inbox().add([(ONE, COMPLETE)], NOW).add([(TWO, COMPLETE)], NOW, is_wanted=False)
    assert inbox.count == 2
    assert inbox.pending == (Pending(1, ONE),)


def test_an_inbox_can_be_followed_by_its_newest_events() -> None:
    inbox = Inbox().add(jobs(MOST_EVENTS), NOW, is_wanted=False)
    newest = inbox.newest()
    assert newest == Inbox(inbox.count, NOW, inbox.events[-MOST_NEWEST:])
    later = inbox.add(jobs(MOST_NEWEST - 1, first=MOST_EVENTS), NOW + 1, is_wanted=False)
    assert inbox.followed_by(newest) == inbox
    assert inbox.followed_by(later.newest()) == later


@pytest.mark.parametrize(
    "newest",
    [
        Inbox().add(jobs(MOST_NEWEST + 3), NOW).newest(),  # one too many to know all
        Inbox().add(jobs(1), NOW).newest(),  # counting began again
        Inbox(),
    ],
)
def test_an_inbox_says_so_where_events_between_are_not_known(newest: Inbox) -> None:
    assert Inbox().add(jobs(2), NOW).followed_by(newest) is None


def test_what_is_read_back_is_what_was_written() -> None:
    inbox = Inbox().add([(ONE, COMPLETE), (TWO, FAIL)], NOW)
    assert Inbox.parse(inbox.serialize()) == inbox
    assert json.loads(inbox.serialize()) == {
        "version": 1,
        "count": 2,
        "last": NOW,
        "events": [[1, ONE, COMPLETE, NOW], [2, TWO, FAIL, NOW]],
        "pending": [[1, ONE]],
    }


def test_the_same_event_about_the_same_job_is_noted_once() -> None:
    inbox = Inbox().add([(ONE, COMPLETE), (ONE, COMPLETE)], NOW)
    assert inbox.count == 1
    assert inbox.add([(ONE, COMPLETE)], NOW + 9) is inbox
    assert inbox.add([(ONE, FAIL)], NOW + 9).count == 2


def test_an_event_that_is_still_pending_is_known_after_500_others() -> None:
    inbox = Inbox().add([(ONE, COMPLETE)], NOW).add(jobs(MOST_EVENTS), NOW)
    assert inbox.add([(ONE, COMPLETE)], NOW) is inbox
    assert inbox.without_pending({1}).add([(ONE, COMPLETE)], NOW).count == MOST_EVENTS + 2


def test_only_the_newest_are_kept_and_the_count_goes_on() -> None:
    inbox = Inbox().add(jobs(MOST_PENDING), NOW).without_pending({1, 2, 3, 4, 5}).add([(ONE, COMPLETE)], NOW)
    assert inbox.count == MOST_PENDING + 1
    assert [event.number for event in inbox.events] == list(range(inbox.count - MOST_EVENTS + 1, inbox.count + 1))
    assert [job.number for job in inbox.pending] == list(range(6, inbox.count + 1))


def test_no_pending_job_makes_room_for_another() -> None:
    full = Inbox().add(jobs(MOST_PENDING), NOW)
    with pytest.raises(InboxFullError, match="10,000 completed jobs wait"):
        full.add([(ONE, COMPLETE)], NOW)
    assert full.add(jobs(1), NOW) is full, "what is noted already needs no room"
    assert full.add([(ONE, FAIL)], NOW).pending == full.pending
    assert full.without_pending({1}).add([(ONE, COMPLETE)], NOW).pending[-1] == Pending(full.count + 1, ONE)


def test_since_names_the_jobs_that_came_after() -> None:
    inbox = Inbox().add([(ONE, COMPLETE), (TWO, COMPLETE)], NOW)
    assert inbox.since(0) == {ONE, TWO}
    assert inbox.since(1) == {TWO}
    assert inbox.since(2) == frozenset()


@pytest.mark.parametrize("seen", [0, 4])
def test_since_says_so_where_more_came_than_are_kept(seen: int) -> None:
    inbox = Inbox().add(jobs(MOST_EVENTS + 5), NOW)
    assert inbox.since(seen) is None
    assert len(inbox.since(5) or ()) == MOST_EVENTS


def test_since_says_so_where_counting_began_again() -> None:
    assert Inbox().since(7) is None
    assert Inbox().add([(ONE, COMPLETE)], NOW).since(7) is None


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "{}", "null", "7", "[]", "{", '{"events": 7, "pending": "x", "count": "9"}', "[" * 100_000),
        *('{"count": -1}', '{"count": true}', '{"last": NaN}', '{"last": "soon"}', '{"last": 1' + "0" * 400 + "}"),
    ],
)
def test_what_is_no_inbox_reads_as_an_empty_one(text: str | None) -> None:
    assert Inbox.parse(text) == Inbox()


def test_damaged_rows_are_left_out_and_the_rest_is_kept() -> None:
    rows = [[2, TWO, COMPLETE, NOW], [], [3], ["3", ONE, COMPLETE, NOW], [3, ONE, COMPLETE, "now"], None]
    text = json.dumps({"count": 1, "events": [*rows, [1, ONE, COMPLETE, NOW]], "pending": [[2, TWO], [2], [0, ONE]]})
    inbox = Inbox.parse(text)
    assert inbox.events == (Event(1, ONE, COMPLETE, NOW), Event(2, TWO, COMPLETE, NOW))
    assert inbox.pending == (Pending(2, TWO),)
    assert inbox.count == 2, "a number is never given twice"
    assert inbox.last == NOW


def test_a_hole_among_the_events_is_a_gap() -> None:
    text = json.dumps({"count": 3, "events": [[1, ONE, COMPLETE, NOW], [3, THREE, COMPLETE, NOW]]})
    assert Inbox.parse(text).since(0) is None
    assert Inbox.parse(text).since(2) == {THREE}


def test_what_a_later_version_adds_is_not_read() -> None:
    text = json.dumps(
        {"version": 2, "count": 1, "new": {}, "events": [[1, ONE, COMPLETE, NOW, "more"]], "pending": [[1, ONE, 5]]}
    )
    inbox = Inbox.parse(text)
    assert inbox.events == (Event(1, ONE, COMPLETE, NOW),)
    assert inbox.pending == (Pending(1, ONE),)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
_ROWS = st.lists(st.lists(_JSON, max_size=5) | st.tuples(st.integers(), st.text(), st.text(), st.floats()) | _JSON)


@given(st.fixed_dictionaries({}, optional={"count": _JSON, "last": _JSON, "events": _ROWS, "pending": _ROWS}) | _JSON)
def test_whatever_stands_in_the_variable_an_event_can_be_noted(content: Any) -> None:
    inbox = Inbox.parse(json.dumps(content))
    after = inbox.add([(ONE, COMPLETE)], NOW)
    assert after is inbox or after.since(inbox.count) == {ONE}
    assert Inbox.parse(after.serialize()) == after


def test_a_name_has_an_end() -> None:
    inbox = Inbox().add([(ONE, "x" * 10_000)], NOW)
    assert len(inbox.events[0].event) == 100
    assert inbox.add([(ONE, "x" * 10_000)], NOW) is inbox


def test_each_connection_has_a_variable_of_its_own() -> None:
    assert variable_of("renderjuice_default") == "renderjuice_webhooks_renderjuice_default"
    assert newest_variable_of("renderjuice_default") == "renderjuice_newest_renderjuice_default"


def test_what_has_counted_as_far_again_does_not_follow() -> None:
    before, again = Inbox().add([(ONE, COMPLETE)], NOW), Inbox().add([(TWO, COMPLETE)], NOW + 1)
    assert before.followed_by(again) is None
    assert before.followed_by(again.add([(THREE, COMPLETE)], NOW + 2)) is None
