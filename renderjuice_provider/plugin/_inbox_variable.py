"""The inbox of a connection in Airflow's database; whatever changes it waits for its turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from airflow.models.asset import AssetModel
from airflow.utils.session import create_session
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from renderjuice_provider._variable_rows import change_row, columns_of, decrypted, lock_row, make_row, stored_row
from renderjuice_provider.lifecycle.completion import asset_key
from renderjuice_provider.lifecycle.inbox import Inbox, newest_variable_of, variable_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_DESCRIPTION = "What Renderjuice has sent about this connection's jobs, newest last. Kept by the webhook receiver."
_NEWEST_DESCRIPTION = "The newest events of this connection, for triggerers. Kept by the webhook receiver."
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
    is_there = lock_row(session, key)
    before = _stored(session, key) if is_there else Inbox()
    after = edit(before)
    if after != before:
        stored = columns_of(after.serialize())
        if is_there:
            change_row(session, key, stored)
        else:  # not even if it is there by now: its events are not among ours
            make_row(session, key, stored, _DESCRIPTION)
        _written[key] = (stored["val"], after)
        _store_newest(session, newest_variable_of(renderjuice_conn_id), after.newest(), before.newest())
    return after


def _stored(session: Session, key: str) -> Inbox:
    row = stored_row(session, key)
    text, inbox = _written.get(key, (None, Inbox()))
    return inbox if row.val == text else Inbox.parse(decrypted(row))


def _store_newest(session: Session, key: str, after: Inbox, before: Inbox) -> None:
    """Keep the Variable for triggerers; who has the turn with the inbox has it here, too."""
    if after != before and not change_row(session, key, stored := columns_of(after.serialize())):
        make_row(session, key, stored, _NEWEST_DESCRIPTION)


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
