"""What the two wires share: the limits of both, and how errors of httpx reach a flow.

A wire performs the steps of a flow, and decides nothing. Calls to the API go through httpx, and
its clients, which carry the API key, know the API's address only. Files go through
`renderjuice_provider.api._bytes`, which has no key.
"""

from __future__ import annotations

import httpx  # noqa: TID253 - only the wires import this module

from renderjuice_provider.api._direct import OutOfReachError
from renderjuice_provider.api._flow import NoResponse
from renderjuice_provider.api._proxies import proxy_for
from renderjuice_provider.api._settings import WireSettings

AT_ONCE = 4
"""Flows of one `Gather` side by side: enough to hide latency, few enough for any rate limit."""
WHOLE_FILE = 200
"""The only status with which a store sends all of a file: 206 is a piece of one."""
TRANSPORT_ERRORS = (httpx.HTTPError, httpx.InvalidURL)
"""What httpx raises when there is no usable response."""
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
Environment = tuple[str | None, ...]
"""What a client of httpx was opened for: the values of the variables that name proxies."""


def no_response(error: Exception, url: str) -> NoResponse:
    """What a flow gets when a request to `url` ended in `error`."""
    if isinstance(error, OutOfReachError):
        return NoResponse(f"the signed URL {error}", sent=False, transient=False)
    proxy = proxy_for(url)
    by_way = f" (by way of the proxy that {proxy.variable} names)" if proxy else ""
    return NoResponse(f"{type(error).__name__}: {error}{by_way}", sent=not isinstance(error, _NOT_SENT))


def unusable(url: str, settings: WireSettings) -> NoResponse | None:
    """What a flow gets for a signed URL that must not be used; None when it may be."""
    problem = settings.problem_of(url)
    return NoResponse(f"the signed URL {problem}", sent=False, transient=False) if problem else None
