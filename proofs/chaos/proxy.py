"""A proxy before the API that tasks speak to: workers die at requests of a given form."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

import httpx

from renderjuice_emulator.connections import kill, peers

Death = Literal["kill-before", "kill-after"]
"""Whether the request is lost with the worker that sent it, or carried out with nobody to hear."""
_NOT_HANDED_ON = {"connection", "content-length", "content-encoding", "host", "transfer-encoding", "date", "server"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: connections end with the workers that had them."""


class Proxy:
    """Hands requests on to `target`. A context manager.

    Attributes:
        port: of this machine's loopback address.
        target: where the server is, once it is known.
        met: requests at which a worker died.
    """

    def __init__(self) -> None:
        self.target = ""
        self.met: list[str] = []
        self._deaths: list[tuple[re.Pattern[str], Death]] = []
        self._lock = threading.Lock()
        self._http = httpx.Client(timeout=120, limits=httpx.Limits(max_connections=None))
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._http.close()

    def add(self, request: str, death: Death) -> None:
        """The process that sends the next request that matches, such as `POST .*`, dies."""
        self._deaths.append((re.compile(request), death))

    def left(self) -> list[str]:
        """Deaths that no request has met."""
        with self._lock:
            return [f"{death} {pattern.pattern}" for pattern, death in self._deaths]

    def _take(self, request: str) -> Death | None:
        with self._lock:
            for one in self._deaths:
                if one[0].fullmatch(request):
                    self._deaths.remove(one)
                    self.met.append(f"{one[1]} {request}")
                    return one[1]
        return None

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length) if length else b""
        death = self._take(f"{handler.command} {handler.path}")
        response = self._perform(handler, body, death)
        if response is None:
            handler.close_connection = True
            return
        handler.send_response(response.status_code)
        for name, value in response.headers.items():
            if name.lower() not in _NOT_HANDED_ON:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(response.content)))
        handler.end_headers()
        handler.wfile.write(response.content)

    def _perform(self, handler: BaseHTTPRequestHandler, body: bytes, death: Death | None) -> httpx.Response | None:
        """The response to hand back, if there is one."""
        response = None if death == "kill-before" else self._send(self.target, handler, body)
        if death:
            kill(peers(handler.client_address, ("127.0.0.1", self.port)))
            return None
        return response

    def _send(self, target: str, handler: BaseHTTPRequestHandler, body: bytes) -> httpx.Response:
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in _NOT_HANDED_ON}
        return self._http.request(handler.command, target + handler.path, content=body, headers=headers)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        serve: Callable[[Any], None] = self._serve

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                try:
                    serve(self)
                except (httpx.HTTPError, OSError):  # the worker finds nobody there, and asks again
                    self.close_connection = True

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler
