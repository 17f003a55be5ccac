"""Inboxes in a database: whatever changes one waits for its turn, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from airflow.models import variable
from airflow.models.variable import Variable
from airflow.utils.session import create_session
from cryptography.fernet import Fernet
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import sessionmaker

from renderjuice_provider import _variable_rows
from renderjuice_provider.lifecycle.inbox import MOST_NEWEST, Inbox, newest_variable_of, variable_of
from renderjuice_provider.plugin import _inbox_variable
from renderjuice_provider.plugin._inbox_variable import edit_inbox, note_events
from tests.plugin.conftest import COMPLETE, CONNECTION, in_threads, inbox, new_job


def edit(change: Callable[[Inbox], Inbox]) -> None:
    with create_session(scoped=False) as session:
        edit_inbox(session, CONNECTION, change)


def test_writers_at_the_same_time_lose_nothing_to_each_other(database: Engine) -> None:
    """As API servers do; nobody has made the Variable before."""
    in_threads(5, lambda _: [note_events(CONNECTION, [(new_job(), COMPLETE)]) for _ in range(12)])
    found = inbox(database)
    assert found.count == 60
    assert [event.number for event in found.events] == list(range(1, 61))
    assert found.pending == (), "no DAG wants asset events"


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
                edit(lambda found: found.add([(new_job(), COMPLETE)], 1.0))
            else:
                edit(take)

    note_events(CONNECTION, [(new_job(), "onRenderFail")])
    in_threads(6, work)
    left = [job.number for job in inbox(database).pending]
    assert sorted(taken + left) == list(range(2, 32))


def test_a_change_that_fails_changes_nothing(database: Engine) -> None:
    note_events(CONNECTION, [(new_job(), COMPLETE)])
    before = inbox(database)

    def work() -> None:
        with create_session(scoped=False) as session:
            edit_inbox(session, CONNECTION, lambda found: found.add([("lost", COMPLETE)], 1.0))
            raise KeyError("what else happens in the transaction")

    with pytest.raises(KeyError):
        work()
    assert inbox(database) == before
    assert note_events(CONNECTION, [("lost", COMPLETE)]).new == 1, "nor is it remembered"


def test_a_look_makes_no_variable(database: Engine) -> None:
    with create_session(scoped=False) as session:
        assert edit_inbox(session, CONNECTION, lambda found: found) == Inbox()
        assert session.scalars(select(Variable)).all() == []


def test_people_can_read_it_among_the_variables(database: Engine) -> None:
    job = new_job()
    assert note_events(CONNECTION, [(job, COMPLETE)]).new == 1
    assert note_events(CONNECTION, [(job, COMPLETE)]).new == 0
    with create_session(scoped=False) as session:
        whole, newest = session.scalars(select(Variable).order_by(Variable.key.desc()))
        assert (whole.key, newest.key) == (variable_of(CONNECTION), newest_variable_of(CONNECTION))
        assert all("webhook receiver" in (found.description or "") for found in (whole, newest))
        assert all(job in found.get_val() for found in (whole, newest))


def test_a_variable_that_somebody_has_spoilt_is_begun_again(database: Engine) -> None:
    with create_session(scoped=False) as session:
        session.add(Variable(key=variable_of(CONNECTION), val="spoilt"))
    assert note_events(CONNECTION, [(new_job(), COMPLETE)]).new == 1
    assert inbox(database).count == 1


def newest(engine: Engine) -> Inbox:
    """What triggerers read every second."""
    with sessionmaker(bind=engine)() as session:
        found = session.scalar(select(Variable).where(Variable.key == newest_variable_of(CONNECTION)))
        return Inbox.parse(found.get_val() if found else None)


def test_triggerers_find_the_newest_events_in_a_variable_of_their_own(database: Engine) -> None:
    in_threads(5, lambda _: [note_events(CONNECTION, [(new_job(), COMPLETE)]) for _ in range(12)])
    assert newest(database) == inbox(database).newest()
    assert len(newest(database).events) == MOST_NEWEST


@pytest.mark.parametrize("gone", [variable_of, newest_variable_of])
def test_either_variable_may_be_deleted_by_hand(gone: Callable[[str], str], database: Engine) -> None:
    note_events(CONNECTION, [(new_job(), COMPLETE)])
    with create_session(scoped=False) as session:
        session.execute(delete(Variable).where(Variable.key == gone(CONNECTION)))
    job = new_job()
    assert note_events(CONNECTION, [(job, COMPLETE)]).new == 1
    assert newest(database) == inbox(database).newest()
    assert newest(database).events[-1].job_id == job


class Key(Fernet):
    """One of Airflow's, whatever the environment of the tests has."""

    is_encrypted = True


class NoKey:
    """What Airflow has where no key is set."""

    is_encrypted = False

    def encrypt(self, text: bytes) -> bytes:
        return text


@pytest.fixture(params=["encrypted", "plain"])
def _key(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    key = Key(Fernet.generate_key()) if request.param == "encrypted" else NoKey()
    for module in (_variable_rows, variable):
        monkeypatch.setattr(module, "get_fernet", lambda: key)


def write(text: str) -> None:
    """As another process does."""
    with create_session(scoped=False) as session:
        session.scalars(select(Variable).where(Variable.key == variable_of(CONNECTION))).one().set_val(text)


@pytest.mark.usefixtures("_key")
def test_what_another_process_has_written_is_read(database: Engine) -> None:
    note_events(CONNECTION, [("ours", COMPLETE)])
    write(inbox(database).add([("theirs", COMPLETE)], 1.0).serialize())
    assert note_events(CONNECTION, [("theirs", COMPLETE), ("more", COMPLETE)]).new == 1
    assert [event.job_id for event in inbox(database).events] == ["ours", "theirs", "more"]


def test_what_was_written_with_a_key_that_is_gone_is_begun_again(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        key = Key(Fernet.generate_key())
        for module in (_variable_rows, variable):
            monkeypatch.setattr(module, "get_fernet", lambda key=key: key)
        monkeypatch.setattr(_inbox_variable, "_written", {})
        assert note_events(CONNECTION, [(new_job(), COMPLETE)]).new == 1
    assert inbox(database).count == 1
