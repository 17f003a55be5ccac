"""The Airflow of this environment, where there is one: its connection, and the pool of the renders.

This module alone imports Airflow, and only inside its functions.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderjuice.exits import Exit
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceInputError
from renderjuice_provider.api.redact import redact

if TYPE_CHECKING:
    from renderjuice.checks import Check

DEFAULT_CONNECTION = "renderjuice_default"
POOL = "RENDERJUICE_POOL"
"""The variable that names the pool of the example DAGs."""


def connection_arguments(name: str) -> dict[str, Any]:
    """The arguments of a client, out of an Airflow connection.

    It may be in the environment, a secrets backend, or the metadata database.

    Raises:
        RenderjuiceInputError: when there is none of this name, or a field of it is wrong.
    """
    with _airflow_talks_to_stderr():
        from renderjuice_provider.compat import AirflowNotFoundException
        from renderjuice_provider.hooks._connection import client_arguments

        try:
            return client_arguments(_connection(name))
        except AirflowNotFoundException:
            raise RenderjuiceInputError(
                f"There is no Airflow connection {redact(name)!r} (AIRFLOW_HOME is {redact(str(_home()))})"
            ) from None


def _connection(name: str) -> Any:
    """As the server of Airflow finds it: this is no task, so no supervisor can be asked."""
    from airflow.models.connection import Connection

    return Connection.get_connection_from_secrets(name)


def check_airflow(connection: str | None) -> Iterator[Check]:
    """The connection and the pool, if this machine has an Airflow and not just the package."""
    from renderjuice.checks import Check

    if not _is_set_up():
        yield Check("airflow", "note", "installed, and not set up here (no AIRFLOW_HOME)")
        return
    name = connection or DEFAULT_CONNECTION
    try:
        connection_arguments(name)
        yield Check("airflow", "ok", f"the connection {redact(name)} can be used")
    except RenderjuiceError as error:
        yield Check("airflow", "wrong" if connection else "note", error.what, Exit.USAGE if connection else Exit.OK)
    pool = os.environ.get(POOL)
    if pool:
        yield _check_pool(pool)


def _check_pool(name: str) -> Check:
    from renderjuice.checks import Check

    with _airflow_talks_to_stderr():
        from airflow.models.pool import Pool
        from sqlalchemy.exc import SQLAlchemyError

        try:
            pool = Pool.get_pool(name)
        except SQLAlchemyError as error:
            return Check("pool", "note", f"the database of Airflow cannot be read: {type(error).__name__}")
    make = f'airflow pools set {redact(name)} 8 "Renders at once" --include-deferred'
    if pool is None:
        return Check("pool", "wrong", f"{POOL} names {redact(name)}, which does not exist: {make}", Exit.ERROR)
    if not pool.include_deferred:
        return Check(
            "pool", "note", f"{redact(name)} does not count deferred tasks, so it does not limit renders: {make}"
        )
    return Check("pool", "ok", f"{redact(name)}: {pool.slots} renders at once")


def _home() -> Path:
    return Path(os.environ.get("AIRFLOW_HOME") or Path.home() / "airflow")


def _is_set_up() -> bool:
    """Whether somebody has used Airflow here: importing it would make its home."""
    return _home().exists() or any(name.startswith("AIRFLOW_") for name in os.environ)


@contextlib.contextmanager
def _airflow_talks_to_stderr() -> Iterator[None]:
    """Airflow logs to the standard output, where our data goes."""
    with contextlib.redirect_stdout(sys.stderr):
        yield
