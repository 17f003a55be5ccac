"""What API servers know together of a connection's jobs, in Airflow's database. Blocks."""

from __future__ import annotations

from collections.abc import Callable

from airflow.utils.session import create_session
from sqlalchemy.exc import IntegrityError

from renderjuice_provider._variable_rows import change_row, columns_of, decrypted, lock_row, make_row, stored_row
from renderjuice_provider.wall._farm_state import FarmState, variable_of

_DESCRIPTION = "What the render wall knows of this connection's jobs. Kept by API servers; may be deleted."


def edit_farm_state(renderjuice_conn_id: str, edit: Callable[[FarmState], FarmState]) -> FarmState:
    """Change what is known, one API server at a time.

    Args:
        renderjuice_conn_id: the connection.
        edit: gets what is known by all, and returns what is known now.

    Returns:
        What is known now.
    """
    try:
        return _edit(renderjuice_conn_id, edit)
    except IntegrityError:  # another one made the Variable meanwhile
        return _edit(renderjuice_conn_id, edit)


def _edit(renderjuice_conn_id: str, edit: Callable[[FarmState], FarmState]) -> FarmState:
    key = variable_of(renderjuice_conn_id)
    with create_session(scoped=False) as session:
        is_there = lock_row(session, key)
        before = FarmState.parse(decrypted(stored_row(session, key)) if is_there else None)
        after = edit(before)
        if after != before:
            stored = columns_of(after.serialize())
            if is_there:
                change_row(session, key, stored)
            else:
                make_row(session, key, stored, _DESCRIPTION)
    return after
