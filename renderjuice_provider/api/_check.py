"""Whether a key and an address work, and what to change where it does not: within five seconds."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from threading import Thread
from typing import Any

from renderjuice_provider.api._origin import BASE_PATH, DEFAULT_BASE_URL
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.api.errors import (
    RenderjuiceAuthenticationError,
    RenderjuiceConnectionError,
    RenderjuiceError,
    RenderjuiceHTTPError,
    RenderjuiceInputError,
    RenderjuiceNotFoundError,
    RenderjuiceRefusedError,
    RenderjuiceResponseError,
)

PATIENCE = 3.5
"""Seconds for all of it, from resolving the name to the last byte."""
_SILENCE = 2.0
"""Seconds without a byte."""


def check(arguments: Mapping[str, Any], *, key_goes: str = "into the password field") -> tuple[bool, str]:
    """Whether the key is accepted.

    Reads one page of jobs, since the API has no call that asks only that.

    Args:
        arguments: of a client. Its time-out and attempts do not count here: a person waits in front
            of a form.
        key_goes: where people put the key.
    """
    try:
        client = RenderjuiceClient(**{**arguments, "timeout": _SILENCE, "max_attempts": 1})
    except RenderjuiceError as error:
        return False, error.what
    found: list[RenderjuiceError | None] = []
    # No time-out ends the resolving of a name, so this thread may outlive the check.
    thread = Thread(target=lambda: found.append(_ask(client)), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if not found:
        return False, f"{client.base_url} did not answer within {PATIENCE:g} s: check host and port, or try again."
    return found[0] is None, advice(found[0], client.base_url, key_goes)


def _ask(client: RenderjuiceClient) -> RenderjuiceError | None:
    with client:
        try:
            next(client.list_jobs(), None)
        except RenderjuiceError as error:
            return error
    return None


def advice(failure: RenderjuiceError | None, base_url: str, key_goes: str = "into the password field") -> str:
    """What to change, reason first."""
    match failure:
        case None:
            return "Renderjuice accepts the API key."
        case RenderjuiceAuthenticationError():
            return (
                f"The API key is refused ({failure.status_code}) by {base_url}: "
                f"copy it again from the Renderjuice dashboard {key_goes}."
            )
        case RenderjuiceConnectionError():
            return _unreachable(failure.what, base_url)
        case RenderjuiceInputError():
            return failure.what
        case RenderjuiceNotFoundError() | RenderjuiceResponseError() | RenderjuiceRefusedError():
            return f"What answers at {base_url} is not Renderjuice: {_path(base_url)} ({failure.what})"
        case RenderjuiceHTTPError() if failure.status_code < HTTPStatus.BAD_REQUEST:
            return f"{base_url} redirects, and the key is not sent on: {_path(base_url)} ({failure.what})"
        case _:
            return f"{failure.what}. The connection may be right: try again."


def _path(base_url: str) -> str:
    if not base_url.endswith(f"/{BASE_PATH}"):
        return f"its base URL ends with /{BASE_PATH}, and this one does not."
    return f"check the host. Renderjuice's own is {DEFAULT_BASE_URL}."


def _unreachable(reason: str, base_url: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return f"The certificate of {base_url} is not trusted here: name your authority's file in SSL_CERT_FILE. ({reason})"
    if "[SSL" in reason:
        return f"{base_url} does not speak https: if that is meant, begin the base URL with http://. ({reason})"
    if "ConnectError" in reason or "ConnectTimeout" in reason:
        return f"Nothing listens at {base_url}, seen from here: check host and port. ({reason})"
    return f"{base_url} takes the call, but gives no answer: check host and port. ({reason})"
