"""The proxy at which workers die: they do, and what they asked for is done or not."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from proofs.chaos.proxy import Proxy

ASK = """\
import httpx, sys
print(httpx.post(sys.argv[1], content=b"body", headers={"X-Who": "worker"}).text)
"""


class Server(BaseHTTPRequestHandler):
    """Keeps what it was asked."""

    asked: list[tuple[str, bytes, str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, body, self.headers["X-Who"]))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"done")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def proxy(server: ThreadingHTTPServer) -> Iterator[Proxy]:
    with Proxy() as proxy:
        proxy.target = f"http://127.0.0.1:{server.server_port}"
        yield proxy


def ask(proxy: Proxy, path: str) -> subprocess.CompletedProcess[str]:
    """A worker that asks."""
    command = [sys.executable, "-c", ASK, f"http://127.0.0.1:{proxy.port}{path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_requests_are_handed_on_and_answered(proxy, server):
    assert ask(proxy, "/runs/a").stdout == "done\n"
    assert server.asked == [("/runs/a", b"body", "worker")]


@pytest.mark.parametrize(("death", "asked"), [("kill-before", []), ("kill-after", [("/runs/b", b"body", "worker")])])
def test_the_process_that_sends_such_a_request_dies_once(proxy, server, death, asked):
    proxy.add("POST /runs/b", death)

    assert ask(proxy, "/runs/a").returncode == 0
    server.asked.clear()
    assert ask(proxy, "/runs/b").returncode == -signal.SIGKILL
    assert (server.asked, proxy.left(), proxy.met) == (asked, [], [f"{death} POST /runs/b"])
    assert ask(proxy, "/runs/b").returncode == 0
