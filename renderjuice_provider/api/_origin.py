"""Which addresses may be talked to.

Https anywhere, plain http on this machine only unless someone has said otherwise.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache
from urllib.parse import urlsplit

from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.redact import redact

DEFAULT_BASE_URL = "https://api.renderjuice.com/api/external/v1"
BASE_PATH = urlsplit(DEFAULT_BASE_URL).path.strip("/")


def check_base_url(url: str, *, allow_http: bool, secret: str = "") -> str:
    """`url` without a trailing slash and surrounding blanks.

    No message shows `secret`: keys are pasted into wrong fields.

    Raises:
        RenderjuiceInputError: when it is not an http(s) address, or would send the API key in the
            clear.
    """
    url = url.strip() if isinstance(url, str) else url
    problem = address_problem(url, allow_http=allow_http)
    if not problem and (set(url) & set("?#\\") or not url.isprintable() or " " in url):
        problem = "holds characters that no base URL has"
    if problem:
        raise RenderjuiceInputError(
            f"The base URL {redact(str(url), secret)!r} {problem}. Renderjuice's own is {DEFAULT_BASE_URL}."
        )
    return url.rstrip("/")


def address_problem(url: str, *, allow_http: bool) -> str:
    """Why `url` must not be used; empty when it may be."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except (ValueError, AttributeError, TypeError):
        return "cannot be read"
    if parts.scheme not in {"http", "https"} or not host:
        return "is not an http or https address"
    if parts.username or parts.password:
        return "holds credentials: put the API key into the connection's password"
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        return "is plain http to another machine, which shows everything to the network: use https (or allow_http)"
    return ""


@lru_cache
def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, however a resolver reads it: `127.1`, `0`, `::1`."""
    text = literal_address(host)
    if text is None:
        return False
    address = ipaddress.ip_address(text)
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


@lru_cache
def literal_address(host: str) -> str | None:
    """The address that `host` is, in its usual form, or None for a name; `localhost` is one."""
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return "127.0.0.1"
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        try:
            return socket.inet_ntoa(socket.inet_aton(host))
        except (OSError, ValueError):  # UnicodeError is a ValueError
            return None
