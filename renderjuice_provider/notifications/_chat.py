"""One message to an incoming webhook of a chat, as JSON: `{"text": ...}`.

The address of such a webhook is its secret: who knows it can write there. So a request goes through
httpx's transport itself, which logs no address, follows no redirect and keeps no cookie; and what
went wrong is described without the address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from renderjuice_provider.api._proxies import proxy_for
from renderjuice_provider.api.redact import keep_queries_out_of_logs, redact
from renderjuice_provider.api.retry import RetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Connection

RETRY = RetryPolicy(max_attempts=3)
"""A night's message is worth three attempts. One that arrived although its response was lost may
arrive twice, which is better than not at all."""
TIMEOUT = 10.0
"""Seconds for one attempt."""
LONGEST = 3500
"""Characters; the shortest limit of the common chats is 4096."""
_LONGEST_LINE = 500


class Target(NamedTuple):
    """Where a message goes."""

    url: str
    token: str

    def __repr__(self) -> str:
        return "Target(***)"


def target_of(connection: Connection) -> Target:
    """The target out of a connection of type `http`.

    The address is the host's, when that is a whole URL; else it is made of scheme (https unless
    `schema` says http), host, port, and the path out of `schema` or the extra `path`.
    """
    host = (connection.host or "").strip()
    scheme, _, path = (connection.schema or "").strip("/").partition("/")
    if scheme not in {"http", "https"}:  # in a URI, `schema` is all that follows the host's slash
        scheme, path = "https", (connection.schema or "").strip("/")
    port = f":{connection.port}" if connection.port else ""
    path = path or str(connection.extra_dejson.get("path") or "").strip("/")
    first, slash, rest = host.partition("/")
    url = host if "://" in host else f"{scheme}://{first}{port}{slash}{rest}"
    return Target(f"{url.rstrip('/')}/{path}" if path else url, connection.password or "")


def fit(text: str, *secrets: str) -> str:
    """`text` without secrets, in lines that a chat takes."""
    lines = [redact(line, *secrets, longest=_LONGEST_LINE) for line in text[: 2 * LONGEST].strip().splitlines()]
    whole = "\n".join(lines)
    return whole if len(whole) <= LONGEST else whole[: LONGEST - 1] + "…"


async def post(target: Target, text: str) -> str:
    """Send `text`. Returns why that was in vain, or "" when it was not; it raises nothing."""
    keep_queries_out_of_logs()  # nor redirects, which may be the address again
    attempt = 0
    while True:
        attempt += 1
        problem, transient = await _attempt(target, text)
        if not problem or not transient or attempt >= RETRY.max_attempts:
            return problem
        await asyncio.sleep(RETRY.backoff(attempt))


async def _attempt(target: Target, text: str) -> tuple[str, bool]:
    """What went wrong, or "", and whether that may pass."""
    import httpx

    try:
        async with asyncio.timeout(TIMEOUT):
            status = await _status(target, {"text": fit(text, target.url, target.token)})
    except (httpx.TransportError, TimeoutError) as error:
        supported = not isinstance(error, httpx.UnsupportedProtocol)
        return f"there was no response from {_host(target)} ({type(error).__name__})", supported
    except Exception as error:  # noqa: BLE001 - its text may quote the address
        return f"the connection names no address that can be used ({type(error).__name__})", False
    if 200 <= status < 300:
        return "", False
    return f"{_host(target)} answered {status}", status == 429 or status >= 500


async def _status(target: Target, body: Mapping[str, Any]) -> int:
    import httpx

    headers = {"Authorization": f"Bearer {target.token}"} if target.token else {}
    timeout = httpx.Timeout(TIMEOUT).as_dict()
    request = httpx.Request("POST", target.url, json=body, headers=headers, extensions={"timeout": timeout})
    proxy = proxy_for(target.url)
    async with httpx.AsyncHTTPTransport(trust_env=False, proxy=proxy and httpx.Proxy(proxy.url)) as transport:
        response = await transport.handle_async_request(request)
        await response.aclose()
    return response.status_code


def _host(target: Target) -> str:
    return urlsplit(target.url).hostname or "the host"
