"""The inbox of a connection in Airflow's database; whatever changes it waits for its turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow.models.variable import Variable
from airflow.utils.session import create_session
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from renderjuice_provider.lifecycle.inbox import Inbox, variable_of

if TYPE_CHECKING:
    from sqlalchemy import CursorResult
    from sqlalchemy.orm import Session

_DESCRIPTION = "What Renderjuice has sent about this connection's jobs, newest last. Kept by the webhook receiver."


def edit_inbox(session: Session, renderjuice_conn_id: str, edit: Callable[[Inbox], Inbox]) -> Inbox:
    """Change the inbox of a connection in this transaction; until its end, nobody else changes it.

    Args:
        session: of the transaction. What else `edit` does in it happens together with the change,
            or not at all.
        renderjuice_conn_id: whose inbox.
        edit: gets the inbox as it is, and returns it as it is to be.

    Raises:
        IntegrityError: another transaction made the Variable meanwhile. Roll back and repeat.
    """
    key = variable_of(renderjuice_conn_id)
    # A change that changes nothing locks the row on every database; on SQLite, which knows no
    # SELECT FOR UPDATE, the whole file.
    lock = update(Variable).where(Variable.key == key).values(key=key)
    locked = session.execute(lock, execution_options={"synchronize_session": False})
    # A row that appears from here on is not locked, so it must not be read either.
    found = select(Variable).where(Variable.key == key).execution_options(populate_existing=True)
    variable = session.scalar(found) if cast("CursorResult[Any]", locked).rowcount else None
    before = Inbox.parse(variable.get_val() if variable else None)
    after = edit(before)
    if after != before:
        if variable is None:
            variable = Variable(key=key, description=_DESCRIPTION)
            session.add(variable)
        variable.set_val(after.serialize())
        session.flush()
    return after


def note_events(renderjuice_conn_id: str, events: Sequence[tuple[str, str]]) -> int:
    """Note events durably, each a job id and a name: how many of them were new. Blocks."""
    try:
        return _note_events(renderjuice_conn_id, events)
    except IntegrityError:
        return _note_events(renderjuice_conn_id, events)


def _note_events(renderjuice_conn_id: str, events: Sequence[tuple[str, str]]) -> int:
    new = 0

    def add(inbox: Inbox) -> Inbox:
        nonlocal new
        after = inbox.add(events, time.time())
        new = after.count - inbox.count
        return after

    with create_session(scoped=False) as session:
        edit_inbox(session, renderjuice_conn_id, add)
    return new
