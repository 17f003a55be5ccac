"""Claims: of two people who act on the same run at the same moment, one goes first.

A claim is an Airflow Variable, which only one can create. So it holds across API servers, on every
database. The one who comes second finds tasks that are not as they were, and is asked again.
"""

from __future__ import annotations

import hashlib
import time

from airflow.models.variable import Variable
from airflow.utils.session import create_session
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

__all__ = [
    "LIFETIME",
    "ClaimedError",
    "claim",
    "release",
]

LIFETIME = 60.0
"""Seconds after which a claim means nothing any more: its API server died. What is done under it
takes less than one."""


class ClaimedError(Exception):
    """Somebody else acts on the run right now."""


def claim(dag_id: str, run_id: str) -> None:
    """Have a run alone, until `release`. Blocks for queries.

    Raises:
        ClaimedError: when somebody else has it.
    """
    key = _key(dag_id, run_id)
    _remove_if_old(key)
    try:
        with create_session(scoped=False) as session:
            session.add(Variable(key=key, val=str(time.time())))
    except IntegrityError:
        raise ClaimedError from None


def release(dag_id: str, run_id: str) -> None:
    """Let others have it. Blocks for a query."""
    with create_session(scoped=False) as session:
        session.execute(delete(Variable).where(Variable.key == _key(dag_id, run_id)))


def _key(dag_id: str, run_id: str) -> str:
    return f"renderjuice_wall_claim_{hashlib.sha256(f'{dag_id}/{run_id}'.encode()).hexdigest()[:32]}"


def _remove_if_old(key: str) -> None:
    with create_session(scoped=False) as session:
        found = session.scalar(select(Variable).where(Variable.key == key))
        if found is not None and time.time() - float(found.get_val() or 0) > LIFETIME:
            session.delete(found)
