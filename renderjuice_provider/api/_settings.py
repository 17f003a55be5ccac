"""Settings for requests to the API and to its stores. The key goes to the API only."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from renderjuice_provider import __version__
from renderjuice_provider.api._origin import address_problem
from renderjuice_provider.api._proxies import Proxy
from renderjuice_provider.api._unpacking import CODING
from renderjuice_provider.api.errors import RenderjuiceInputError

if TYPE_CHECKING:
    import ssl

    import httpx

    Client = TypeVar("Client", httpx.Client, httpx.AsyncClient)

_BUNDLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
"""Variables that name certificates: those of OpenSSL, and that of requests, which Airflow's other
providers obey."""


@dataclass(frozen=True)
class WireSettings:
    """Where to send requests, with which key, and how long to wait for a byte.

    How long a whole attempt may take follows from these: see `renderjuice_provider.api._attempt`.

    Attributes:
        api_key: sent to the API only.
        base_url: of the API.
        timeout: seconds without a byte from the API.
        allow_http: whether plain http may leave this machine.
        max_transfers: files on their way at once, at most.
        storage_timeout: seconds without a byte from a store, which may take minutes to acknowledge
            the last byte of 5 GiB.
    """

    api_key: str = field(repr=False)
    base_url: str
    timeout: float
    allow_http: bool
    max_transfers: int
    storage_timeout: float = 300.0

    def problem_of(self, url: str) -> str:
        """Why a signed `url` must not be used, or "". Checked for each redirect, too.

        Where it leads is checked when its connection is made (`renderjuice_provider.api._reach`).
        """
        problem = address_problem(url, allow_http=self.allow_http)
        is_less = self.base_url.startswith("https:") and not url.lower().startswith("https:")
        return problem or ("is plain http, and the API is not" if is_less and not self.allow_http else "")

    def api_options(self) -> dict[str, Any]:
        """For the client that carries the key. A redirect is a response, never followed."""
        import httpx

        headers = {"Authorization": f"Bearer {self.api_key}", "Accept": "application/json", "User-Agent": user_agent()}
        headers["Accept-Encoding"] = CODING
        timeout = httpx.Timeout(self.timeout, connect=min(self.timeout, 10))
        target = {"base_url": self.base_url, "verify": certificates(), "follow_redirects": False}
        return target | {"headers": headers, "timeout": timeout}


def open_client(
    kind: type[Client], transport: Callable[..., Any], options: dict[str, Any], proxy: Proxy | None
) -> Client:
    """A client of httpx that goes by way of `proxy`.

    Args:
        kind: `httpx.Client` or `httpx.AsyncClient`.
        transport: makes its transport.
        options: of the client.
        proxy: None to go directly.

    Raises:
        RenderjuiceInputError: naming the variable of this machine's environment that cannot be
            used.
    """
    address = address_of(proxy) if proxy else None
    try:
        opened = transport(verify=options["verify"], trust_env=False, proxy=address)
    except ImportError:
        if proxy is None:
            raise
        raise socks_missing(proxy) from None
    return kind(**options, trust_env=False, transport=opened)


def address_of(proxy: Proxy) -> httpx.Proxy:
    """The parts of a proxy's URL.

    Raises:
        RenderjuiceInputError: naming the variable of this machine's environment that cannot be
            used.
    """
    import httpx

    try:
        address = httpx.Proxy(proxy.url)
        has_host = bool(address.url.host)
    except (httpx.InvalidURL, ValueError):
        has_host = False
    if not has_host:
        raise _unusable(proxy, "write it as http://proxy.example:3128")
    return address


def socks_missing(proxy: Proxy) -> RenderjuiceInputError:
    """The error for a SOCKS proxy whose packages are not there."""
    return _unusable(
        proxy, "SOCKS takes the packages socksio and PySocks (pip install 'airflow-provider-renderjuice[socks]')"
    )


def _unusable(proxy: Proxy, what: str) -> RenderjuiceInputError:
    return RenderjuiceInputError(
        f"The environment variable {proxy.variable} of this machine names no proxy that can be used: {what}."
    )


@cache
def certificates() -> ssl.SSLContext:
    """One for all clients, because reading this machine's certificates takes 25 ms.

    Those of `SSL_CERT_FILE`, `SSL_CERT_DIR` or `REQUESTS_CA_BUNDLE`, in this order, and else those
    that Mozilla trusts.

    Raises:
        RenderjuiceInputError: naming the variable whose file cannot be read.
    """
    import ssl

    import httpx

    variable = next(filter(os.environ.get, _BUNDLES), None)
    if variable is None:
        return httpx.create_ssl_context()
    place = os.environ[variable]
    try:
        if Path(place).is_dir():
            return ssl.create_default_context(capath=place)
        return ssl.create_default_context(cafile=place)
    except OSError as error:  # ssl.SSLError is one
        raise RenderjuiceInputError(
            f"The environment variable {variable} of this machine names no file of certificates that can be read: "
            f"{error.strerror or type(error).__name__}."
        ) from None


def user_agent() -> str:
    return f"airflow-provider-renderjuice/{__version__}"
