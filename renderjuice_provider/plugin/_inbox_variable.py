"""The inbox of a connection in Airflow's database; whatever changes it waits for its turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from airflow.models.asset import AssetModel
from airflow.models.crypto import get_fernet
from airflow.models.variable import Variable
from airflow.utils.session import create_session
from cryptography.fernet import InvalidToken
from sqlalchemy import Table, insert, select, update
from sqlalchemy.exc import IntegrityError

from renderjuice_provider.lifecycle.completion import asset_key
from renderjuice_provider.lifecycle.inbox import Inbox, newest_variable_of, variable_of

if TYPE_CHECKING:
    from sqlalchemy import CursorResult
    from sqlalchemy.orm import Session

_DESCRIPTION = "What Renderjuice has sent about this connection's jobs, newest last. Kept by the webhook receiver."
_NEWEST_DESCRIPTION = "The newest events of this connection, for triggerers. Kept by the webhook receiver."
# Not the model, which searches each value that it loads for secrets: longer than all else takes.
_VARIABLES = cast("Table", Variable.__table__)
_written: dict[str, tuple[str, Inbox]] = {}
"""What this process has written last, as it is stored, and what it means: who finds the same text
need not decrypt and parse it."""


class Noted(NamedTuple):
    """What became of a group of events.

    Attributes:
        new: how many of them were new.
        is_wanted: whether a DAG wants asset events of completed renders.
    """

    new: int
    is_wanted: bool


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
    # SELECT FOR UPDATE, the whole file. A row that appears from here on is not locked, so it must
    # not be read either.
    is_there = _change(session, key, {"key": key})
    before = _stored(session, key) if is_there else Inbox()
    after = edit(before)
    if after != before:
        stored = _columns(after)
        if is_there:
            _change(session, key, stored)
        else:  # not even if it is there by now: its events are not among ours
            _make(session, key, stored, _DESCRIPTION)
        _written[key] = (stored["val"], after)
        _store_newest(session, newest_variable_of(renderjuice_conn_id), after.newest(), before.newest())
    return after


def _change(session: Session, key: str, values: Mapping[str, Any]) -> bool:
    """Change a row: whether there is one."""
    result = session.execute(update(_VARIABLES).where(_VARIABLES.c.key == key).values(values))
    return bool(cast("CursorResult[Any]", result).rowcount)


def _stored(session: Session, key: str) -> Inbox:
    row = select(_VARIABLES.c.val, _VARIABLES.c.is_encrypted).where(_VARIABLES.c.key == key)
    stored, is_encrypted = session.execute(row).one()
    text, inbox = _written.get(key, (None, Inbox()))
    if stored == text:
        return inbox
    try:
        return Inbox.parse(get_fernet().decrypt(stored.encode()).decode() if is_encrypted else stored)
    except InvalidToken:  # written with a key that is gone
        return Inbox()


def _store_newest(session: Session, key: str, after: Inbox, before: Inbox) -> None:
    """Keep the Variable for triggerers; who has the turn with the inbox has it here, too."""
    if after != before and not _change(session, key, stored := _columns(after)):
        _make(session, key, stored, _NEWEST_DESCRIPTION)


def _columns(inbox: Inbox) -> dict[str, Any]:
    fernet = get_fernet()
    return {"val": fernet.encrypt(inbox.serialize().encode()).decode(), "is_encrypted": fernet.is_encrypted}


def _make(session: Session, key: str, stored: Mapping[str, Any], description: str) -> None:
    session.execute(insert(_VARIABLES).values(key=key, description=description, **stored))


def find_asset(session: Session, renderjuice_conn_id: str) -> AssetModel | None:
    """The asset of a connection's completed renders, where a DAG uses it."""
    name, uri = asset_key(renderjuice_conn_id)
    found: AssetModel | None = session.scalar(
        select(AssetModel).where(AssetModel.name == name, AssetModel.uri == uri, AssetModel.active.has())
    )
    return found


def note_events(renderjuice_conn_id: str, events: Sequence[tuple[str, str]]) -> Noted:
    """Note events durably, each a job id and a name. Blocks."""
    try:
        return _note_events(renderjuice_conn_id, events)
    except IntegrityError:
        return _note_events(renderjuice_conn_id, events)


def _note_events(renderjuice_conn_id: str, events: Sequence[tuple[str, str]]) -> Noted:
    noted = Noted(0, is_wanted=False)

    def add(inbox: Inbox) -> Inbox:
        nonlocal noted
        is_wanted = find_asset(session, renderjuice_conn_id) is not None
        after = inbox.add(events, time.time(), is_wanted=is_wanted)
        noted = Noted(after.count - inbox.count, is_wanted)
        return after

    with create_session(scoped=False) as session:
        edit_inbox(session, renderjuice_conn_id, add)
    return noted
