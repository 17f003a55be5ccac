"""Requests that change something: from our own page, as JSON, and small.

Airflow's cookie goes along with a form that a foreign page sends, and the token in it can do all
that its user can. A foreign page can send no JSON without being asked whether it may, and browsers
say from where a request comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from fastapi import Request

__all__ = [
    "MOST_BYTES",
    "RefusedRequestError",
    "read_body",
]

MOST_BYTES = 256 * 1024
"""Of a body. The ids of a thousand rows, and settings, are far less."""
_OWN = ("same-origin", "none")
"""Values of `Sec-Fetch-Site` of our page, and of no page at all."""
T = TypeVar("T", bound=BaseModel)


class RefusedRequestError(Exception):
    """A request that is not carried out.

    Args:
        status: to answer with.
        why: what is wrong, and what to do: a whole sentence.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


async def read_body(request: Request, model: type[T]) -> T:
    """The body of a request that changes something.

    Raises:
        RefusedRequestError: 403 from a foreign page, 415 for anything but JSON, 413 for a large
            body, 422 for one that says something else.
    """
    _check_origin(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RefusedRequestError(415, "Send it as application/json.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise RefusedRequestError(413, f"Send at most {MOST_BYTES:,} bytes: choose fewer rows.")
    try:
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, found["loc"])) or "the body"
        raise RefusedRequestError(422, f"This cannot be read: {where}: {found['msg']}.") from None


def _check_origin(request: Request) -> None:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        is_own = site in _OWN
    else:  # an old browser, or none: `curl` sends no origin
        origin = request.headers.get("origin")
        is_own = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not is_own:
        raise RefusedRequestError(403, "This came from a page that is not Airflow's: open the wall in Airflow itself.")
