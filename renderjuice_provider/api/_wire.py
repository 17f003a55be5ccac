"""What the two wires share: the limits of both, and how errors of httpx reach a flow.

A wire performs the steps of a flow with httpx, and decides nothing. It has two kinds of httpx
client: those that carry the API key know the API's address only, and those for signed URLs have no
key.
"""

from __future__ import annotations

import httpx  # noqa: TID253 - only the wires import this module

from renderjuice_provider.api._flow import NoResponse
from renderjuice_provider.api._proxies import Proxy, proxy_for
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
Purpose = tuple[str, tuple[str | None, ...] | Proxy | None]
"""What one httpx client is for: the API in one environment, or the stores behind one proxy."""


def no_response(error: Exception, url: str) -> NoResponse:
    """What a flow gets when httpx raised `error` for a request to `url`."""
    proxy = proxy_for(url)
    by_way = f" (by way of the proxy that {proxy.variable} names)" if proxy else ""
    return NoResponse(f"{type(error).__name__}: {error}{by_way}", sent=not isinstance(error, _NOT_SENT))


def unusable(url: str, settings: WireSettings) -> NoResponse | None:
    """What a flow gets for a signed URL that must not be used; None when it may be."""
    problem = settings.problem_of(url)
    return NoResponse(f"the signed URL {problem}", sent=False, transient=False) if problem else None


def length_header(size: int) -> dict[str, str]:
    """The header of an upload of `size` bytes.

    Without it, httpx falls back to chunked transfer, which presigned URLs refuse.
    """
    return {"Content-Length": str(size)}
