"""Connections to stores, kept alive: made by urllib3, used as those of `http.client`.

urllib3 knows proxies (also TLS to a proxy, and SOCKS), TLS and IPv6. Its own responses and pools
take as long again for each file as `http.client` does, so its connections alone are used.
"""

from __future__ import annotations

import http.client
import socket
import time
import weakref
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from string import punctuation
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import httpx  # noqa: TID253 - only the wires import this module
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.exceptions import HTTPError
from urllib3.util import Url

from renderjuice_provider.api._attempt import Breakable
from renderjuice_provider.api._direct import Direct, DirectTls, permitted
from renderjuice_provider.api._origin import literal_address
from renderjuice_provider.api._proxies import Proxy, proxy_for
from renderjuice_provider.api._settings import address_of, certificates, socks_missing, user_agent
from renderjuice_provider.api._store_responses import StoreResponse
from renderjuice_provider.api.errors import RenderjuiceInputError

_FRESH = 5.0
"""Seconds for which an idle connection is used again. Later, something between here and the store
may have forgotten it without a word."""
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_OURS = {"User-Agent": user_agent(), "Accept": "*/*", "Accept-Encoding": "identity"}


class Route(NamedTuple):
    """Where requests for one store go. Hashable: connections are kept by it."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None


class Connections:
    """Connections to stores. Several threads may share it; each has a connection of its own.

    Args:
        timeout: seconds to connect.
        base_url: of the API: no store may be nearer to this machine than that.
    """

    def __init__(self, timeout: float, base_url: str) -> None:
        self._timeout = timeout
        self._base_url = base_url
        self._idle: dict[Route, list[tuple[HTTPConnection, float]]] = {}
        # Operators have no moment to close a client, so its connections close with this.
        weakref.finalize(self, _close, self._idle)

    def close(self) -> None:
        """Close those that are idle."""
        _close(self._idle)

    @contextmanager
    def request(self, method: str, url: str, headers: dict[str, str], current: Breakable) -> Iterator[Exchange]:
        """Send the head of a request. The connection is kept when all of the response was read.

        Args:
            method: such as `GET`.
            url: where to. It must be one that may be used.
            headers: besides those of every request.
            current: bounds all that is sent and received.

        Raises:
            httpx.TransportError: when the store cannot be reached, or what it sends is not HTTP.
            OutOfReachError: when it is where signed URLs must not lead.
            RenderjuiceInputError: for a proxy that cannot be used.
        """
        current.check()
        parts = urlsplit(url)
        route = Route(parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme], proxy_for(url))
        target = quote(f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", safe=punctuation)
        connection, kept = self._take(route, current), False
        try:
            with current.holding(_plain(connection.sock)), _as_httpx_errors(current):
                if connection.proxy_is_forwarding:
                    target = f"{route.scheme}://{_netloc(route)}{target}"
                    headers = headers | _password(route.proxy)
                connection.putrequest(method, target, skip_accept_encoding=True)
                for name, value in (_OURS | headers).items():
                    connection.putheader(name, value)
                exchange = Exchange(connection, current)
                yield exchange
                kept = exchange.is_over
        finally:
            if kept:
                self._idle.setdefault(route, []).append((connection, time.monotonic()))
            else:
                connection.close()

    def _take(self, route: Route, current: Breakable) -> HTTPConnection:
        idle = self._idle.get(route, [])
        with suppress(IndexError):  # another thread may take the last one
            while True:
                connection, since = idle.pop()
                if time.monotonic() - since < _FRESH and connection.is_connected:
                    return connection
                connection.close()
        if route.proxy is not None:  # which looks up names by itself
            permitted(list(filter(None, [literal_address(route.host)])), self._base_url)
        connection = _new(route, min(self._timeout, 10, max(current.left, 0.001)), self._base_url)
        connection.set_debuglevel(0)  # `http.client` would print signed URLs
        _read_within(current, connection)  # for what a proxy says
        try:
            connection.connect()
        except RenderjuiceInputError:  # a ValueError, but of this machine's environment
            raise
        except (OSError, HTTPError, http.client.HTTPException, ValueError) as error:
            connection.close()
            cause = error.__cause__ or error
            kind = httpx.ConnectTimeout if isinstance(cause, TimeoutError) else httpx.ConnectError
            raise kind(str(cause)) from None
        except BaseException:
            connection.close()
            raise
        return connection


class Exchange:
    """A request whose body may follow, and its response."""

    def __init__(self, connection: HTTPConnection, current: Breakable) -> None:
        self._connection = connection
        self._socket: Any = connection.sock
        self._current = current
        self._sent = True
        self._response: http.client.HTTPResponse | None = None

    def end_headers(self) -> None:
        """Send the head."""
        self._bounded()
        self._connection.endheaders()

    def send(self, piece: bytes | memoryview) -> bool:
        """Send a piece of the body. False: the store takes no more, and may say why."""
        self._bounded()
        try:
            self._connection.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            self._sent = False
        return self._sent

    def response(self) -> http.client.HTTPResponse:
        """The response; its body has not been read."""
        _read_within(self._current, self._connection)
        self.end_must_be_sent(must=False)
        # Not urllib3's own, which wraps it.
        self._response = http.client.HTTPConnection.getresponse(self._connection)
        return self._response

    def end_must_be_sent(self, *, must: bool = True) -> None:
        """Whether a response without a length, under TLS, is only whole when its store ended it.

        A file may have been cut off. Many servers just hang up after an error.
        """
        if hasattr(self._socket, "suppress_ragged_eofs"):
            self._socket.suppress_ragged_eofs = not must

    @property
    def is_over(self) -> bool:
        """Whether another request may follow on this connection."""
        response = self._response
        return self._sent and response is not None and response.isclosed() and not response.will_close

    def _bounded(self) -> None:
        self._current.bound(self._connection.sock)


def _read_within(current: Breakable, connection: HTTPConnection) -> None:
    connection.response_class = partial(StoreResponse, current=current)  # type: ignore[assignment]


@contextmanager
def _as_httpx_errors(current: Breakable) -> Iterator[None]:
    """The errors of sockets and of `http.client` as those that httpx would raise."""
    try:
        yield
    except TimeoutError:
        raise current.over() from None
    except http.client.InvalidURL:
        raise httpx.InvalidURL("the signed URL cannot be sent") from None  # its own words show the URL
    except (http.client.BadStatusLine, http.client.UnknownProtocol):
        raise httpx.RemoteProtocolError("the answer is not HTTP") from None  # it may show the URL
    except (http.client.HTTPException, ValueError) as error:
        raise httpx.RemoteProtocolError(str(error)) from None
    except OSError as error:
        raise httpx.ReadError(str(error)) from None


def _new(route: Route, timeout: float, base_url: str) -> HTTPConnection:
    """A connection that is not open yet."""
    given: dict[str, Any] = {"timeout": timeout}
    if route.scheme == "https":
        given["ssl_context"] = certificates()
    if route.proxy is None:
        direct = (DirectTls if route.scheme == "https" else Direct)(route.host, route.port, **given)
        direct.base_url = base_url
        return direct
    address = address_of(route.proxy)
    scheme, host, port = address.url.scheme, address.url.host, address.url.port or _PORTS[address.url.scheme]
    if scheme.startswith("socks"):
        return _by_socks(route, route.proxy, given)
    given["proxy"] = Url(scheme, host=host, port=port)
    if "https" not in {route.scheme, scheme}:
        return HTTPConnection(host, port, **given)
    given["proxy_config"] = ProxyConfig(certificates(), False, None, None)  # noqa: FBT003 - a tuple of urllib3
    connection = HTTPSConnection(host, port, **given)
    if route.scheme == "https":
        connection.set_tunnel(route.host, route.port, _password(route.proxy), scheme)
    return connection


def _by_socks(route: Route, proxy: Proxy, given: dict[str, Any]) -> HTTPConnection:
    try:
        import socks  # type: ignore[import-untyped, unused-ignore]
        from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection
    except ImportError:
        raise socks_missing(proxy) from None
    address = address_of(proxy)
    user, password = address.auth or (None, None)
    options: Any = {
        "socks_version": socks.PROXY_TYPE_SOCKS5,
        "proxy_host": address.url.host,
        "proxy_port": address.url.port or _PORTS[address.url.scheme],
        "username": user,
        "password": password,
        "rdns": True,  # names of stores are looked up where the proxy is, as httpx does
    }
    kind = SOCKSHTTPSConnection if route.scheme == "https" else SOCKSConnection
    return kind(options, route.host, route.port, **given)


def _password(proxy: Proxy | None) -> dict[str, str]:
    """The header for a proxy that wants a password."""
    auth = address_of(proxy).auth if proxy else None
    return {"Proxy-Authorization": f"Basic {b64encode(':'.join(auth).encode()).decode()}"} if auth else {}


def _netloc(route: Route) -> str:
    host = f"[{route.host}]" if ":" in route.host else route.host
    return host if route.port == _PORTS[route.scheme] else f"{host}:{route.port}"


def _plain(sock: Any) -> socket.socket:
    """The socket itself; with TLS inside TLS, urllib3 puts something around it."""
    return sock if isinstance(sock, socket.socket) else sock.socket


def _close(idle: dict[Route, list[tuple[HTTPConnection, float]]]) -> None:
    while idle:
        _, connections = idle.popitem()
        for connection, _ in connections:
            connection.close()
