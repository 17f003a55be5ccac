"""A raw TCP server that plays a hostile Renderjuice: it answers bytes, not HTTP."""

from __future__ import annotations

import itertools
import re
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from proofs.hostile import answers

_JOB = re.compile(rb"/jobs/([0-9a-f]{8}-[0-9a-f-]{27})(/progress)?[/ ?]")
_LONGEST_HEAD = 1 << 16
Turns = Mapping[str, Sequence[tuple[str, answers.Answer]]]


class HostileServer:
    """Knows what to answer about each job. A context manager.

    Args:
        turns: by job id, the kinds of answers to polls, in order. Before each of them it says that
            the job renders, and after the last one that it is completed.
        stays: the ids of jobs of which, after the first poll, one answer comes again and again.
        at_once: the ids of jobs of which it also comes first.

    Attributes:
        served: how often each kind was answered.
        port: of this machine's loopback address.
    """

    def __init__(self, turns: Turns, stays: Collection[str] = (), at_once: Collection[str] = ()) -> None:
        self._turns = {job_id: list(kinds) for job_id, kinds in turns.items()}
        self._stays = stays
        self._at_once = at_once
        self._honest = set(turns)
        self._aside = {
            "progress": itertools.cycle([each for each in answers.ASIDE.items() if each[0].startswith("progress")]),
            "list": itertools.cycle([each for each in answers.ASIDE.items() if each[0].startswith("a list")]),
        }
        self._lock = threading.Lock()
        self.served: Counter[str] = Counter()
        self._server = _Threads(("127.0.0.1", 0), _handler(self._answer))
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="hostile"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, head: bytes) -> bytes | answers.Drip:
        found = _JOB.search(head)
        with self._lock:
            if found is None or found[2]:
                name, body = next(self._aside["progress" if b"/progress" in head else "list"])
                self.served[name] += 1
                return answers.reply(body)
            return self._about(found[1].decode())

    def _about(self, job_id: str) -> bytes | answers.Drip:
        kinds = self._turns.get(job_id, [])
        if job_id in self._honest and job_id not in self._at_once:
            self._honest.discard(job_id)
            return answers.job()(job_id)
        if not kinds:
            return answers.job("completed")(job_id)
        name, answer = kinds[0]
        if job_id not in self._stays and job_id not in self._at_once:
            kinds.pop(0)
            self._honest.add(job_id)
        self.served[name] += 1
        return answer(job_id)


class _Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


def _handler(answer: Any) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.settimeout(10)
                head = b""
                while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
                    data = self.request.recv(_LONGEST_HEAD)
                    if not data:
                        return
                    head += data
                found = answer(head)
                if isinstance(found, bytes):
                    self.request.sendall(found)
                    return
                self.request.sendall(found.head)
                while True:  # until the other side has had enough
                    self.request.sendall(found.piece)
                    time.sleep(0.05)

    return Handler
