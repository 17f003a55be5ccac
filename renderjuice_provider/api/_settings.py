"""The settings of httpx for the API and for its stores. The key goes to the API only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from renderjuice_provider import __version__
from renderjuice_provider.api._origin import address_problem, is_loopback
from renderjuice_provider.api._proxies import Proxy
from renderjuice_provider.api._unpacking import CODING
from renderjuice_provider.api.errors import RenderjuiceInputError

if TYPE_CHECKING:
    import ssl

    import httpx

    Client = TypeVar("Client", httpx.Client, httpx.AsyncClient)


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
        """Why a signed `url` must not be used, or "". Checked for each redirect, too."""
        problem = address_problem(url, allow_http=self.allow_http)
        if problem or self.allow_http:
            return problem
        if self.base_url.startswith("https:") and not url.lower().startswith("https:"):
            return "is plain http, and the API is not"
        inwards = is_loopback(urlsplit(url).hostname or "") and not is_loopback(urlsplit(self.base_url).hostname or "")
        return "is on this machine, and the API is not" if inwards else ""

    def api_options(self) -> dict[str, Any]:
        """For the client that carries the key. A redirect is a response, never followed."""
        import httpx

        headers = {"Authorization": f"Bearer {self.api_key}", "Accept": "application/json", "User-Agent": _user_agent()}
        headers["Accept-Encoding"] = CODING
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
    import httpx

    address, unusable = None, ""
    if proxy is not None:
        unusable = f"The environment variable {proxy.variable} of this machine names no proxy that can be used"
        try:
            address = httpx.Proxy(proxy.url)
            has_host = bool(address.url.host)
        except (httpx.InvalidURL, ValueError):
            has_host = False
        if not has_host:
            raise RenderjuiceInputError(f"{unusable}: write it as http://proxy.example:3128.")
    try:
        opened = transport(verify=options["verify"], trust_env=False, proxy=address)
    except ImportError:
        raise RenderjuiceInputError(
            f"{unusable}: SOCKS takes the package socksio (pip install 'httpx[socks]')."
        ) from None
    return kind(**options, trust_env=False, transport=opened)


@cache
def _certificates() -> ssl.SSLContext:
    """One for all clients, because reading this machine's certificates takes 25 ms."""
    import httpx

    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        raise RenderjuiceInputError(
            "The environment variable SSL_CERT_FILE of this machine names no file of certificates that can be read: "
            f"{error.strerror or type(error).__name__}."
        ) from None


def _user_agent() -> str:
    return f"airflow-provider-renderjuice/{__version__}"
