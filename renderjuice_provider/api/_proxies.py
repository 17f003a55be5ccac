"""The proxy for an address, from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.

httpx reads these variables too. But it fails for every address when `NO_PROXY` names an IPv6
network, as clusters and container tools write it, and it reads a network as its first address.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass_environment  # type: ignore[attr-defined]

from renderjuice_provider.api._origin import is_loopback

VARIABLES = (
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)
"""What the environment names proxies with."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxy(NamedTuple):
    """A proxy, and the variable that names it. The URL may hold a password: show the variable."""

    url: str
    variable: str


def proxy_for(url: str, environment: Mapping[str, str] | None = None) -> Proxy | None:
    """The proxy for `url`, or None. This machine itself is never reached through a proxy.

    Args:
        url: where a request goes.
        environment: as `urllib.request.getproxies` gives it, which is the default.
    """
    known = _proxies(tuple(map(os.environ.get, VARIABLES))) if environment is None else environment
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None  # not an address
    scheme = next((name for name in (parts.scheme, "all") if known.get(name)), None)
    if scheme is None or is_loopback(host) or _is_exempt(host, port, known.get("no", "")):
        return None
    address = known[scheme]
    return Proxy(address if "://" in address else f"http://{address}", f"{scheme.upper()}_PROXY")


@lru_cache(maxsize=1)
def _proxies(_variables: tuple[str | None, ...]) -> Mapping[str, str]:
    """The proxies of the environment, read again when one of `VARIABLES` has changed.

    `getproxies` decodes the whole environment, which would take a tenth of the time of a call.
    """
    return getproxies()


def _is_exempt(host: str, port: int | None, exceptions: str) -> bool:
    """Whether one of the names, addresses or networks covers `host`. Other texts cover nothing."""
    entries = [entry.rpartition("://")[2] for entry in re.split(r"[,\s]+", exceptions)]
    names = [entry.lstrip("*").replace("[", "").replace("]", "") for entry in entries]
    if "*" in entries or proxy_bypass_environment(
        f"{host}:{port}" if port else host, {"no": ",".join(filter(None, names))}
    ):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in map(_network, names) if network)


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
