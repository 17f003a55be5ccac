"""Airflow's connections, for the wall: a client, a price, or a sentence about what is wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow.models.connection import Connection

from renderjuice_provider.api._check import advice
from renderjuice_provider.api.errors import (
    RenderjuiceAuthenticationError,
    RenderjuiceConnectionError,
    RenderjuiceError,
    RenderjuiceInputError,
    RenderjuiceNotFoundError,
)
from renderjuice_provider.api.redact import redact
from renderjuice_provider.compat import AirflowNotFoundException
from renderjuice_provider.hooks._connection import client_arguments, price
from renderjuice_provider.wall.facts import Rate

LIFETIME = 30.0
"""Seconds after which a connection is looked up again: so long a changed key takes to count."""
LIFETIME_OF_A_PROBLEM = 5.0
"""The same where it cannot be used: somebody may be at it."""
_TIMEOUT = 10.0
"""Seconds without a byte, at most: a person watches."""
_ADVISED = (
    RenderjuiceAuthenticationError,
    RenderjuiceConnectionError,
    RenderjuiceInputError,
    RenderjuiceNotFoundError,
)


@dataclass(frozen=True)
class FoundConnection:
    """A connection as it is now.

    Attributes:
        arguments: of a client; None where there can be none.
        rate: what rendering costs on it.
        problem: why there can be no client, in a sentence.
        expires: when it is to be looked up again, by the monotonic clock.
    """

    arguments: Mapping[str, Any] | None = field(default=None, repr=False)
    rate: Rate | None = None
    problem: str = ""
    expires: float = 0.0


def find_connection(renderjuice_conn_id: str) -> FoundConnection:
    """Look up a connection. Blocks."""
    try:
        return _find(renderjuice_conn_id)
    except _UnusableError as unusable:
        return FoundConnection(problem=str(unusable), expires=time.monotonic() + LIFETIME_OF_A_PROBLEM)


class _UnusableError(Exception):
    """Why a connection cannot be used, in a sentence."""


def _find(renderjuice_conn_id: str) -> FoundConnection:
    name = repr(redact(renderjuice_conn_id))
    try:
        connection = Connection.get_connection_from_secrets(renderjuice_conn_id)
    except AirflowNotFoundException:
        raise _UnusableError(
            f"Airflow has no connection {name}: add it under Admin, Connections, with the type Renderjuice and the "
            "API key as its password."
        ) from None
    except Exception as error:  # each secrets backend has errors of its own
        raise _UnusableError(
            f"Airflow did not give the connection {name} ({type(error).__name__}): the API server's log may say more."
        ) from error
    if (connection.conn_type or "").partition("+")[0] != "renderjuice":
        raise _UnusableError(f"Connection {name} is not of the type Renderjuice.")
    try:
        arguments = client_arguments(connection)
        costs = price(connection)
    except RenderjuiceInputError as error:
        raise _UnusableError(redact(error.what)) from None
    timeout = min(arguments.get("timeout", _TIMEOUT), _TIMEOUT)
    rate = Rate(costs.per_hour, costs.currency) if costs else None
    return FoundConnection({**arguments, "timeout": timeout}, rate, expires=time.monotonic() + LIFETIME)


def problem_of(error: RenderjuiceError, base_url: str) -> str:
    """What is wrong, and what to do, for people who watch renders."""
    if isinstance(error, _ADVISED):
        return advice(error, base_url)
    return f"Renderjuice does not answer as it should ({error.what}). Renders go on; this page asks again by itself."
