"""Where Renderjuice's events come in: before two API servers, which die as events arrive."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx

from proofs.chaos.proxy import Death, Proxy

_TO_GET_THERE = 3.0
"""Seconds in which a request has been read and checked, and waits for the database."""


class Doorway(Proxy):
    """Hands each request to the next of several API servers, as a load balancer does.

    A death is that of the API server. `kill-before` comes when it has checked an event and cannot
    note it, because somebody else has the database; `kill-after` when the event is noted, and
    before anybody hears of that.

    Args:
        targets: addresses of the API servers.
        database: of Airflow, in SQLite.
        kill: ends the API server of this place among the targets.
    """

    def __init__(self, targets: Sequence[str], database: Path, kill: Callable[[int], None]) -> None:
        super().__init__()
        self._targets = targets
        self._turns = itertools.cycle(range(len(targets)))
        self._database = database
        self._kill_target = kill

    def die(self, death: Death) -> None:
        """The API server that gets the next event dies."""
        self.add("POST .*", death)

    def _perform(self, handler: BaseHTTPRequestHandler, body: bytes, death: Death | None) -> httpx.Response | None:
        turn = next(self._turns)
        if death == "kill-before":
            with closing(sqlite3.connect(self._database, timeout=60, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                threading.Thread(target=self._try_to_send, args=(turn, handler, body), daemon=True).start()
                time.sleep(_TO_GET_THERE)
                self._kill_target(turn)
                database.execute("ROLLBACK")
            return None
        response = self._send(self._targets[turn], handler, body)
        if death:
            self._kill_target(turn)
            return None
        return response

    def _try_to_send(self, turn: int, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        with suppress(httpx.HTTPError):
            self._send(self._targets[turn], handler, body)
