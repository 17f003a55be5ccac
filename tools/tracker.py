"""A stand-in for a studio's production tracker.

Takes what the nightly DAG reports, and lists it at `/`.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tools.processes import Program, free_port


class LocalTracker:
    """The tracker in a process of its own.

    Attributes:
        url: what belongs into the connection's host.
    """

    def __init__(self, folder: Path) -> None:
        port = free_port(8790)
        self.url = f"http://127.0.0.1:{port}"
        self.program = Program("tracker", [sys.executable, "-m", "tools.tracker", str(port)], folder / "tracker.log")


class _Tracker(BaseHTTPRequestHandler):
    deliveries: dict[str, object] = {}  # noqa: RUF012 - one tracker in one process

    def do_PUT(self) -> None:
        """A delivery at an address of its own: reporting it twice changes nothing."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.deliveries[self.path] = json.loads(body)
        self._answer({"ok": True})

    def do_GET(self) -> None:
        """Every delivery so far."""
        self._answer(self.deliveries)

    def _answer(self, content: object) -> None:
        body = json.dumps(content, indent=2).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Tracker).serve_forever()
