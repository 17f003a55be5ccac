"""The doorway of events: API servers take turns, and one dies where a death was ordered."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from proofs.chaos import doorway as module
from proofs.chaos.doorway import Doorway


class Receiver(BaseHTTPRequestHandler):
    """Notes what it gets in the database, as the receiver does."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with closing(sqlite3.connect(self.server.database, timeout=1)) as database, database:  # type: ignore[attr-defined]
            database.execute("INSERT INTO noted VALUES (?, ?)", (self.server.server_port, body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Farm:
    """Two receivers, the doorway before them, and which of them died."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.database = folder / "airflow.db"
        with closing(sqlite3.connect(self.database)) as database, database:
            database.execute("CREATE TABLE noted (port INTEGER, body BLOB)")
        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), Receiver) for _ in range(2)]
        for server in self.servers:
            server.handle_error = lambda *_: None  # type: ignore[method-assign]
            server.database = self.database  # type: ignore[attr-defined]
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        self.died: list[int] = []
        targets = [f"http://127.0.0.1:{server.server_port}" for server in self.servers]
        self.doorway = stack.enter_context(Doorway(targets, self.database, self.died.append))

    def post(self, body: bytes) -> int:
        return httpx.post(f"http://127.0.0.1:{self.doorway.port}/x", content=body, timeout=30).status_code

    def noted(self) -> list[tuple[int, bytes]]:
        """By which receiver, and what."""
        ports = [server.server_port for server in self.servers]
        with closing(sqlite3.connect(self.database)) as database:
            rows = database.execute("SELECT port, body FROM noted").fetchall()
        return [(ports.index(port), body) for port, body in rows]


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Farm]:
    monkeypatch.setattr(module, "_TO_GET_THERE", 1.5)
    with ExitStack() as stack:
        yield Farm(stack, tmp_path)


def test_receivers_take_turns(farm: Farm) -> None:
    assert [farm.post(body) for body in (b"a", b"b", b"c")] == [200, 200, 200]
    assert farm.noted() == [(0, b"a"), (1, b"b"), (0, b"c")]
    assert farm.died == []


def test_one_that_dies_after_the_note_has_noted_and_nobody_hears_it(farm: Farm) -> None:
    farm.doorway.die("kill-after")
    with pytest.raises(httpx.RemoteProtocolError):
        farm.post(b"a")
    assert (farm.noted(), farm.died, farm.doorway.left()) == ([(0, b"a")], [0], [])


def test_one_that_dies_before_the_note_has_noted_nothing(farm: Farm) -> None:
    farm.doorway.die("kill-before")
    with pytest.raises(httpx.RemoteProtocolError):
        farm.post(b"a")
    assert (farm.noted(), farm.died, farm.doorway.left()) == ([], [0], [])
    assert farm.post(b"a") == 200
    assert farm.noted() == [(1, b"a")]
