"""What a task refuses: at once, without a retry, and in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.redact import storable
from stages.compat import AirflowFailException, conf


@contextmanager
def no_use_to_retry(about: str = "", then: str = "") -> Iterator[None]:
    """What our stages refuse is refused again tomorrow: fail at once.

    Args:
        about: begins the message, such as a shot's name.
        then: ends it: what happened to the money, and what to do next.
    """
    try:
        yield
    except (ValueError, RenderjuiceInputError) as error:
        # Where we say for ourselves what happened to the money, the error's own end about it is left out.
        reason = error.what if then and isinstance(error, RenderjuiceInputError) else str(error)
        told = f"{about}: {reason}" if about else reason
        raise AirflowFailException(storable(f"{told.rstrip('.')}. {then}" if then else told)) from error


def check_map_length(count: int, what: str, instead: str) -> None:
    """Refuse what Airflow would refuse after it was planned, and only as an error of its own API.

    Raises:
        ValueError: when one task would be expanded into more than `[core] max_map_length`; it says
            what to do `instead`.
    """
    most = conf.getint("core", "max_map_length", fallback=1024)
    if count > most:
        raise ValueError(
            f"{count} {what} are more than the {most} that [core] max_map_length lets Airflow make of one task. Set it to at least "
            f"{count} (AIRFLOW__CORE__MAX_MAP_LENGTH, for the API server and the workers), or {instead}."
        )
