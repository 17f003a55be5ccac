"""Rows of Airflow's Variables, for what API servers share: read, changed and locked by SQL.

Not by the model, which searches each value that it loads for secrets: longer than all else takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from airflow.models.crypto import get_fernet
from airflow.models.variable import Variable
from cryptography.fernet import InvalidToken
from sqlalchemy import Table, insert, select, update

if TYPE_CHECKING:
    from sqlalchemy import CursorResult
    from sqlalchemy.orm import Session

_VARIABLES = cast("Table", Variable.__table__)


class StoredRow(NamedTuple):
    """A value as it is stored."""

    val: str
    is_encrypted: bool


def lock_row(session: Session, key: str) -> bool:
    """Lock a row until the transaction ends: whether there is one.

    A change that changes nothing locks the row on every database; on SQLite, which knows no SELECT
    FOR UPDATE, the whole file. A row that appears from here on is not locked, so it must not be
    read either.
    """
    return change_row(session, key, {"key": key})


def change_row(session: Session, key: str, values: Mapping[str, Any]) -> bool:
    """Change a row: whether there is one."""
    result = session.execute(update(_VARIABLES).where(_VARIABLES.c.key == key).values(values))
    return bool(cast("CursorResult[Any]", result).rowcount)


def make_row(session: Session, key: str, stored: Mapping[str, Any], description: str) -> None:
    """Make a row.

    Raises:
        IntegrityError: another transaction made it meanwhile.
    """
    session.execute(insert(_VARIABLES).values(key=key, description=description, **stored))


def stored_row(session: Session, key: str) -> StoredRow:
    """The value of a row that is there."""
    row = select(_VARIABLES.c.val, _VARIABLES.c.is_encrypted).where(_VARIABLES.c.key == key)
    return StoredRow(*session.execute(row).one())


def decrypted(row: StoredRow) -> str | None:
    """The text of a value; None where it was written with a key that is gone."""
    try:
        return get_fernet().decrypt(row.val.encode()).decode() if row.is_encrypted else row.val
    except InvalidToken:
        return None


def columns_of(text: str) -> dict[str, Any]:
    """The columns of a value."""
    fernet = get_fernet()
    return {"val": fernet.encrypt(text.encode()).decode(), "is_encrypted": fernet.is_encrypted}
