"""The receiver of webhooks under load, on one real API server, and what it lets through.

With SQLite, and with PostgreSQL where its programs are installed. The health page that is watched
is Airflow's own, on the same API server.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx

from benchmarks.sender import FORGERIES, ODDITIES, REPLAYED, SECRET
from benchmarks.table import Row, at_most, median, percentile, spread, under
from renderjuice_provider.lifecycle.inbox import Inbox, variable_of
from tools import postgres
from tools.local_airflow import LocalAirflow
from tools.processes import cpu_seconds

RATE, SECONDS, FORGED = 500, 10, 10_000
CONNECTION = "renderjuice_default"
_SECRET = "whsec-benchmark-secret"
_IDLE = 10.0
_PAUSE = 0.1
_HEALTH = "/api/v2/monitor/health"
_GENUINE = {"200"}


def rows(pairs: int) -> Iterator[Row]:
    """The rows of each database."""
    yield from _rows("SQLite", pairs)
    if (postgres.programs() / "postgres").exists():
        yield from _rows("PostgreSQL", pairs)


def _rows(kind: str, pairs: int) -> Iterator[Row]:
    with Receiver(kind) as receiver:
        receiver.send("events", RATE, 1)  # what is needed for the first time is loaded
        loads = [receiver.load() for _ in range(pairs)]
        work = f"receiver on {kind}, {RATE} events/s for {SECONDS} s, one API server"
        seen = {status: count for load in loads for status, count in load["statuses"].items()}
        lost = sum(load["lost"] for load in loads)
        yield at_most(f"{work}: lost", lost, 0, note=f"of {RATE * SECONDS * pairs:,}; answers: {seen}", digits=0)
        slow = [1000 * percentile(load["times"], 95) for load in loads]
        middle, took = (
            median(column) for column in zip(*[(median(one["times"]), one["seconds"]) for one in loads], strict=True)
        )
        note = f"{spread(slow, ' ms', 0)}; median of all {1000 * middle:.0f} ms; all answered after {took:.1f} s"
        yield under("the same: 95 % are answered within", median(slow), 500, " ms", note, digits=0)
        ratio = median(load["health"] / load["idle"] for load in loads)
        health, idle = (1000 * median(load[name] for load in loads) for name in ("health", "idle"))
        each = 1000 * median(load["each"] for load in loads)
        note = f"median of {health:.1f} ms against {idle:.1f} ms; the server uses {each:.2f} ms of processor time for an event"
        yield under("the same: Airflow's health page, times its idle time", ratio, 2, note=note)
        yield _forged(receiver, kind)


def _forged(receiver: Receiver, kind: str) -> Row:
    before = receiver.inbox().count
    statuses: Mapping[str, Mapping[str, int]] = receiver.send("forgeries", FORGED)["statuses"]
    noted = receiver.inbox().count - before - 1  # the genuine one
    wrong = [name for name in (*FORGERIES, "huge", "unknown connection") if any(s[0] == "2" for s in statuses[name])]
    wrong += [name for name in (*ODDITIES, REPLAYED, "genuine") if set(statuses[name]) != _GENUINE]
    answers = "; ".join(f"{name}: {'/'.join(found)}" for name, found in statuses.items())
    work = f"receiver on {kind}, {FORGED:,} forged, replayed or malformed requests: accepted"
    return at_most(work, noted + len(wrong), 0, note=f"answered wrongly: {wrong or 'none'}. {answers}", digits=0)


class Receiver:
    """One API server, and nothing else of an Airflow. A context manager."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="renderjuice-")))
            folder.chmod(0o711)  # PostgreSQL runs as another user and has to get through
            (folder / "dags").mkdir()
            environment = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"}
            if self._kind == "PostgreSQL":
                from proofs.hostile.database import Database

                database = stack.enter_context(Database(folder / "postgres.log", fsync=True))
                environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = database.url
            self.airflow = LocalAirflow(folder / "airflow", folder / "dags", environment)
            stack.callback(self.airflow.stop)
            self.airflow.prepare()
            self.airflow.start_component("api-server")
            self.airflow.until_answers()
            extra = json.dumps({"webhook_secret": _SECRET})
            body = {"connection_id": CONNECTION, "conn_type": "renderjuice", "password": "RJ-benchmark", "extra": extra}
            self.airflow.make("/connections", body)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def load(self) -> dict[str, Any]:
        """Events at the rate of the goal: times, what was lost, the health page idle and beside."""
        idle = Health(self.airflow.url)
        time.sleep(_IDLE)
        idle_time = idle.stop()
        before, health, used = self.inbox().count, Health(self.airflow.url), self._processor_time()
        found = self.send("events", RATE, SECONDS)
        found["each"] = (self._processor_time() - used) / (RATE * SECONDS)
        found["health"], found["idle"] = health.stop(), idle_time
        found["lost"] = RATE * SECONDS - (self.inbox().count - before)
        return found

    def _processor_time(self) -> float:
        return cpu_seconds([self.airflow.programs["api-server"].pid])

    def send(self, *arguments: object) -> dict[str, Any]:
        """Run the sender; what it reports."""
        what, *numbers = map(str, arguments)
        url = f"{self.airflow.url}/renderjuice/webhooks/{CONNECTION}"
        command = [sys.executable, "-m", "benchmarks.sender", what, url, *numbers]
        environment = os.environ | {SECRET: _SECRET}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def inbox(self) -> Inbox:
        """As it stands in Airflow's database."""
        response = self.airflow.request("GET", f"/api/v2/variables/{variable_of(CONNECTION)}")
        return Inbox.parse(response.json()["value"] if response.is_success else None)


class Health:
    """Asks for the health page again and again, until it is stopped."""

    def __init__(self, url: str) -> None:
        self._url = url + _HEALTH
        self._times: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._over.wait(_PAUSE):
                started = time.perf_counter()
                client.get(self._url).raise_for_status()
                self._times.append(time.perf_counter() - started)

    def stop(self) -> float:
        """The median of all answers, in seconds."""
        self._over.set()
        self._thread.join()
        return median(self._times)
