"""Inboxes in a database: whatever changes one waits for its turn, and nothing is lost."""

from __future__ import annotations

import pytest
from airflow.models.variable import Variable
from airflow.utils.session import create_session
from sqlalchemy import Engine, select

from renderjuice_provider.lifecycle.inbox import Inbox, variable_of
from renderjuice_provider.plugin._inbox_variable import edit_inbox, note_events
from tests.plugin.conftest import COMPLETE, CONNECTION, in_threads, inbox, new_job


def test_writers_at_the_same_time_lose_nothing_to_each_other(database: Engine) -> None:
    """As API servers do; nobody has made the Variable before."""
    in_threads(5, lambda _: [note_events(CONNECTION, [(new_job(), COMPLETE)]) for _ in range(12)])
    found = inbox(database)
    assert found.count == 60
    assert [event.number for event in found.events] == list(range(1, 61))
    assert len(found.pending) == 60


def test_what_is_taken_out_while_events_arrive_is_taken_once_and_no_event_is_lost(database: Engine) -> None:
    """As the making of asset events does, in several API servers."""
    taken: list[int] = []

    def take(before: Inbox) -> Inbox:
        numbers = [job.number for job in before.pending[:3]]
        taken.extend(numbers)
        return before.without_pending(numbers)

    def work(number: int) -> None:
        for _ in range(10):
            if number % 2:
                note_events(CONNECTION, [(new_job(), COMPLETE)])
            else:
                with create_session(scoped=False) as session:
                    edit_inbox(session, CONNECTION, take)

    in_threads(6, work)
    left = [job.number for job in inbox(database).pending]
    assert sorted(taken + left) == list(range(1, 31))


def test_a_change_that_fails_changes_nothing(database: Engine) -> None:
    note_events(CONNECTION, [(new_job(), COMPLETE)])
    before = inbox(database)

    def work() -> None:
        with create_session(scoped=False) as session:
            edit_inbox(session, CONNECTION, lambda found: found.without_pending({1}))
            raise KeyError("what else happens in the transaction")

    with pytest.raises(KeyError):
        work()
    assert inbox(database) == before


def test_a_look_makes_no_variable(database: Engine) -> None:
    with create_session(scoped=False) as session:
        assert edit_inbox(session, CONNECTION, lambda found: found) == Inbox()
        assert session.scalars(select(Variable)).all() == []


def test_people_can_read_it_among_the_variables(database: Engine) -> None:
    job = new_job()
    assert note_events(CONNECTION, [(job, COMPLETE)]) == 1
    assert note_events(CONNECTION, [(job, COMPLETE)]) == 0
    with create_session(scoped=False) as session:
        variable = session.scalars(select(Variable)).one()
        assert variable.key == variable_of(CONNECTION)
        assert "webhook receiver" in (variable.description or "")


def test_a_variable_that_somebody_has_spoilt_is_begun_again(database: Engine) -> None:
    with create_session(scoped=False) as session:
        session.add(Variable(key=variable_of(CONNECTION), val="spoilt"))
    assert note_events(CONNECTION, [(new_job(), COMPLETE)]) == 1
    assert inbox(database).count == 1
