"""The tools around the demo.

Patient with a slow Airflow, and harmless where nothing was installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tools import airflow_api
from tools.airflow_api import AirflowApi

ROOT = Path(__file__).parents[1]


class SlowAirflow(ThreadingHTTPServer):
    """Does what it is asked, but answers so late the first time that the client has given up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.runs: list[str] = []
        self.seen: set[tuple[str, str]] = set()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: SlowAirflow

    def answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        status, content = 200, {"access_token": "token", "state": "running"}
        if self.path.endswith("/dagRuns"):
            status = 409 if body["dag_run_id"] in self.server.runs else 200
            self.server.runs += [body["dag_run_id"]] if status == 200 else []
        if (self.command, self.path) not in self.server.seen:
            self.server.seen.add((self.command, self.path))
            time.sleep(0.4)
            return
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    do_GET = do_POST = do_PATCH = answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def slow() -> Iterator[tuple[SlowAirflow, AirflowApi]]:
    server = SlowAirflow()
    api = AirflowApi(f"http://127.0.0.1:{server.server_port}", "secret")
    api._http.timeout = httpx.Timeout(0.15)
    yield server, api
    api.close()
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_an_answer_that_is_slow_is_waited_out_and_a_run_is_started_once(slow):
    server, api = slow

    run_id = api.trigger("renderjuice_nightly")

    assert server.runs == [run_id]
    assert api.run_state("renderjuice_nightly", run_id) == "running"


def test_patience_has_an_end(slow, monkeypatch):
    _, api = slow
    monkeypatch.setattr(airflow_api, "PATIENCE", 0)

    with pytest.raises(httpx.ReadTimeout):
        api.run_state("renderjuice_nightly", "1")


def test_make_down_works_where_nothing_was_ever_installed(tmp_path):
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())

    # `make test` marks its children as running below a make, which would then say so.
    alone = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    done = subprocess.run(
        ["make", "down"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False, env=alone
    )

    assert (done.returncode, done.stdout.strip().splitlines()[-1], done.stderr) == (0, "Nothing is running.", "")
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]
