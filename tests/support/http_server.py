"""A tiny HTTP server for what the emulator cannot say.

Each request is answered by a function of its own.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

JOB_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"


class Request(NamedTuple):
    """What arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Reply(NamedTuple):
    """What goes back.

    A body in pieces is sent piece by piece, without a length, until it ends or nobody listens any
    more.
    """

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    headers: Mapping[str, str] = {}


class Server(NamedTuple):
    """A server that runs."""

    url: str
    requests: list[Request]
    connections: list[Any]


def answer(value: Any, status: int = 200, **headers: str) -> Reply:
    """A reply in JSON."""
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"} | headers)


def a_job(status: str = "created", **fields: Any) -> dict[str, Any]:
    """The least that a job is."""
    return {"id": JOB_ID, "status": status} | fields


@contextmanager
def serving(
    reply: Callable[[Request], Reply], host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """A server whose every answer comes from `reply`."""
    requests: list[Request] = []
    connections: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            received = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, self.path, dict(self.headers), received)
            requests.append(request)
            status, body, headers = reply(request)
            pieces = iter([body]) if isinstance(body, bytes) else body
            ends = {"Content-Length": str(len(body))} if isinstance(body, bytes) else {"Connection": "close"}
            self.send_response_only(status)
            for name, value in (ends | dict(headers)).items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):
                for piece in pieces:
                    self.wfile.write(piece)

        do_GET = do_POST = do_PUT = do_PATCH = _reply  # noqa: N815 - what http.server calls them

        def log_message(self, *_: Any) -> None:
            pass

    class Threads(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def process_request_thread(self, request: Any, client_address: Any) -> None:
            connections.append(client_address)
            with suppress(OSError):  # a client that does not trust this server leaves
                super().process_request_thread(
                    tls.wrap_socket(request, server_side=True) if tls else request, client_address
                )

    with Threads((host, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            place = f"[{host}]" if ":" in host else host
            yield Server(f"http{'s' if tls else ''}://{place}:{server.server_port}", requests, connections)
        finally:
            server.shutdown()
            thread.join()
