"""Errors that a retry cannot cure: a task fails at once, with a message that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.redact import storable
from stages.compat import AirflowFailException, conf


@contextmanager
def no_use_to_retry(about: str = "", then: str = "") -> Iterator[None]:
    """Turn input errors of our stages into errors that are not retried.

    Args:
        about: begins the message, such as a shot's name.
        then: ends it: what happened to the money, and what to do next.
    """
    try:
        yield
    except (ValueError, RenderjuiceInputError) as error:
        # Where `then` says what happened to the money, the error's own end about it is left out.
        reason = error.what if then and isinstance(error, RenderjuiceInputError) else str(error)
        message = f"{about}: {reason}" if about else reason
        raise AirflowFailException(storable(f"{message.rstrip('.')}. {then}" if then else message)) from error


def check_map_length(count: int, what: str, instead: str) -> None:
    """Refuse more rows than Airflow can expand a task into. Airflow would say so too late.

    Raises:
        ValueError: when there are more than `[core] max_map_length`. It says what to do `instead`.
    """
    most = conf.getint("core", "max_map_length", fallback=1024)
    if count > most:
        raise ValueError(
            f"{count} {what} are more than the {most} that [core] max_map_length lets Airflow make of one task. Set it to at least "
            f"{count} (AIRFLOW__CORE__MAX_MAP_LENGTH, for the API server and the workers), or {instead}."
        )
