"""The ids of jobs: in requests, and whether a response is about the job that was asked for."""

from __future__ import annotations

import uuid
from typing import Any

from renderjuice_provider.api.errors import RenderjuiceInputError, RenderjuiceResponseError
from renderjuice_provider.api.redact import redact


def check_job_id(job_id: str) -> str:
    """`job_id` in the usual form of a UUID.

    Raises:
        RenderjuiceInputError: when it is not a UUID. Ids go into paths, so this keeps `../` out of
            URLs.
    """
    try:
        return str(uuid.UUID(job_id)) if isinstance(job_id, str) else _no_uuid(job_id)
    except ValueError:
        return _no_uuid(job_id)


def _no_uuid(job_id: Any) -> str:
    raise RenderjuiceInputError(
        f"A job id is a UUID, such as RenderjuiceCreateJobOperator returns; got {redact(repr(job_id))[:80]}."
    )


def same_job(one: str, other: str) -> bool:
    """Whether both are the same UUID, however they are written."""
    return one == other or _plain(one) == _plain(other)


def check_answer(answered: str, asked: str | None) -> None:
    """Raise unless a response is about the job that was asked for; None stands for any job.

    Raises:
        RenderjuiceResponseError: when a cache, a proxy or the server mixed something up. Nothing
            may be rendered, cancelled or reported because of such a response.
    """
    if asked is not None and not same_job(answered, asked):
        raise RenderjuiceResponseError(
            f"Renderjuice's response is about another job ({redact(answered)[:80]}) "
            f"than the one that was asked for ({asked})"
        )


def _plain(job_id: str) -> str:
    try:
        return str(uuid.UUID(job_id))
    except ValueError:
        return job_id
