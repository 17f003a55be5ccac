"""How to talk to the API and to its stores, in httpx's terms. The key belongs to the first alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

from renderjuice_provider import __version__

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True)
class WireSettings:
    """Where to, as whom, and how patiently: seconds without a byte, from the API (`timeout`) and from a store."""

    api_key: str = field(repr=False)
    base_url: str
    timeout: float
    allow_http: bool
    storage_timeout: float = 300.0
    """A store may think for minutes about the last byte of 5 GiB."""

    def api_options(self) -> dict[str, Any]:
        """For the client that carries the key. Redirects are answers, never followed."""
        import httpx

        headers = {"Authorization": f"Bearer {self.api_key}", "Accept": "application/json", "User-Agent": _user_agent()}
        timeout = httpx.Timeout(self.timeout, connect=min(self.timeout, 10))
        target = {"base_url": self.base_url, "verify": _certificates(), "follow_redirects": False}
        return target | {"headers": headers, "timeout": timeout}

    def storage_options(self) -> dict[str, Any]:
        """For signed URLs: neither key nor cookies."""
        import httpx

        headers = {"User-Agent": _user_agent(), "Accept-Encoding": "identity"}
        timeout = httpx.Timeout(self.storage_timeout, connect=min(self.timeout, 10))
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        target = {"verify": _certificates(), "follow_redirects": False, "cookies": no_cookies}
        return target | {"headers": headers, "timeout": timeout}


@cache
def _certificates() -> ssl.SSLContext:
    """One for all clients: reading the machine's certificates takes some 25 ms, and a triggerer has hundreds of clients."""
    import httpx

    return httpx.create_ssl_context()


def _user_agent() -> str:
    return f"airflow-provider-renderjuice/{__version__}"
