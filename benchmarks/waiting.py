"""What waiting renders cost: Renderjuice in requests, the triggerer in processor time and stalls.

Each measurement runs in a process of its own (`benchmarks.triggerer`). This process is the farm,
and counts the requests. The peer is the trigger of Airflow's own deferrable HttpSensor, which polls
each render by itself. It waits only while the response is 404, so its polls get that: a shorter
answer than a job's, and nothing to decide.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.table import Row, at_most, median, percentile, spread, under
from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.lifecycle.inbox import RENDER_COMPLETE, Inbox, newest_variable_of, variable_of

MANY = 1000
"""As many as one triggerer takes by default."""
COUNTS = (10, 100, MANY)
TRIGGERERS = 5
INTERVAL = 30.0
MINUTE = 60.0
_AFTER = 35.0
"""Seconds before measuring: each render has been polled, and what is done once is done. Two polls
of each fall into the minute that follows."""
_NOTHING_TO_WAIT_FOR = 5.0
_EVENT_INTERVAL = 300.0
_AFTER_WITH_EVENTS = 35.0
"""The first poll after a deferral comes within the interval; from then on the longer one counts."""
_MAKERS = 8
FIGURES = Path(__file__).parent / "waiting.json"
"""What the plots are made of."""


@dataclass(frozen=True)
class Load:
    """What one triggerer came to: per minute, and per interval of 30 seconds."""

    requests: float
    cpu: float
    stall: float


def rows(pairs: int) -> Iterator[Row]:
    """The rows of the table, and the figures for the plots."""
    with tempfile.TemporaryDirectory(prefix="renderjuice-") as folder, Renders(Path(folder)) as renders:
        renders.have(MANY)
        idle = renders.load("idle", 0, _NOTHING_TO_WAIT_FOR).cpu  # hardly anything, and always the same
        measured = [renders.pair() for _ in range(pairs)]
        together, stock = [ours for ours, _ in measured], [theirs for _, theirs in measured]
        yield _requests("without events", [one.requests for one in together], 12)
        yield _cpu(idle, [(ours.cpu, theirs.cpu) for ours, theirs in zip(together, stock, strict=True)])
        yield _stall([one.stall for one in together], [one.stall for one in stock])
        events = renders.loads("together", MANY, pairs, after=_AFTER_WITH_EVENTS, seconds=_EVENT_INTERVAL, events=True)
        yield _requests("with events", [one.requests for one in events], 2)
        few = [(count, renders.load("together", count), renders.load("stock", count)) for count in COUNTS[:-1]]
        points = [*few, (MANY, _typical(together), _typical(stock))]
        renders.have(MANY * TRIGGERERS)
        several, alone = (renders.loads(kind, MANY, TRIGGERERS) for kind in ("together", "stock"))
        points.append((MANY * TRIGGERERS, _sum(several), _sum(alone)))
        FIGURES.write_text(json.dumps(_figures(points, idle, median(one.requests for one in events)), indent=1))
        yield _several(idle, several)


def _requests(how: str, values: list[float], limit: float) -> Row:
    work = f"{MANY:,} waiting renders {how}, interval {INTERVAL:.0f} s: requests per interval"
    return at_most(work, median(values), limit, note=spread(values))


def _cpu(idle: float, pairs: list[tuple[float, float]]) -> Row:
    ratio = median((ours - idle) / (theirs - idle) for ours, theirs in pairs)
    ours, theirs = (median(column) - idle for column in zip(*pairs, strict=True))
    note = f"{ours:.2f} s against {theirs:.2f} s a minute, each less {idle:.2f} s of an idle loop"
    return at_most("the same: processor time against the stock HttpSensor's", ratio, 0.05, note=note, digits=3)


def _stall(ours: list[float], theirs: list[float]) -> Row:
    values = [1000 * one for one in ours]
    note = f"{spread(values, ' ms', 0)}; of the stock HttpSensor {1000 * median(theirs):.0f} ms"
    return under("the same: longest stall of the loop", median(values), 50, " ms", note, digits=0)


def _several(idle: float, loads: list[Load]) -> Row:
    requests, cpu = sum(one.requests for one in loads), sum(one.cpu - idle for one in loads)
    note = (
        f"{cpu:.2f} s of processor time a minute in all; longest stall {1000 * max(one.stall for one in loads):.0f} ms"
    )
    work = f"{MANY * TRIGGERERS:,} waiting renders over {TRIGGERERS} triggerers: requests per interval"
    return Row(work, "", f"{requests:.1f}", note=note)


def _typical(loads: list[Load]) -> Load:
    return Load(*(median(getattr(one, name) for one in loads) for name in ("requests", "cpu", "stall")))


def _sum(loads: list[Load]) -> Load:
    stalls = [one.stall for one in loads]
    return Load(sum(one.requests for one in loads), sum(one.cpu for one in loads), percentile(stalls, 100))


def _figures(points: list[tuple[int, Load, Load]], idle: float, with_events: float) -> dict[str, object]:
    def series(place: int, name: str) -> list[float]:
        return [getattr(point[place], name) for point in points]

    triggerers = [max(1, point[0] // MANY) for point in points]

    def cpu(place: int) -> list[float]:
        return [max(0.0, used - idle * n) for used, n in zip(series(place, "cpu"), triggerers, strict=True)]

    return {
        "renders": [point[0] for point in points],
        "requests": {"this provider": series(1, "requests"), "stock HttpSensor": series(2, "requests")},
        "cpu": {"this provider": cpu(1), "stock HttpSensor": cpu(2)},
        "stall": {"this provider": series(1, "stall"), "stock HttpSensor": series(2, "stall")},
        "requests with events": with_events,
    }


class Renders:
    """A farm with jobs that render for longer than is measured. A context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._emulator = Emulator(speed=1000, data=folder / "farm")
        self.job_ids: list[str] = []

    def __enter__(self) -> Self:
        self._emulator.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._emulator.stop()

    def have(self, count: int) -> None:
        """Make renders until there are that many."""
        scene = write_scene(self._folder / "shot.blend", frame_end=10, seconds_per_frame=1e7)
        with RenderjuiceClient(self._emulator.api_key, self._emulator.base_url) as client:
            slug = client.upload(scene).slug

            def make(_: int) -> str:
                job_id = client.create_job(slug).id
                client.validate_job(job_id)
                while client.get_job(job_id).status != "validated":
                    time.sleep(0.01)
                client.start_render(job_id, {"colorManagementPreset": "default"})
                return job_id

            with ThreadPoolExecutor(_MAKERS) as pool:
                self.job_ids += pool.map(make, range(count - len(self.job_ids)))
            while any(self._emulator.jobs[job_id].status != "rendering" for job_id in self.job_ids):
                time.sleep(0.1)

    def load(self, kind: str, count: int, after: float = _AFTER) -> Load:
        """One triggerer in which `count` renders are waited for."""
        (load,) = self.loads(kind, count, 1, after=after)
        return load

    def pair(self) -> tuple[Load, Load]:
        """This provider, and the stock trigger, one after the other."""
        return self.load("together", MANY), self.load("stock", MANY)

    def loads(
        self,
        kind: str,
        count: int,
        triggerers: int,
        *,
        after: float = _AFTER,
        seconds: float = MINUTE,
        events: bool = False,
    ) -> list[Load]:
        """Several triggerers at the same time; each counts as having sent its share."""
        environment = self._environment(events=events)
        programs = [_start(kind, count, after, seconds, environment) for _ in range(triggerers)]
        for place, program in enumerate(programs):
            given = self.job_ids[place * count : (place + 1) * count] or self.job_ids[:count]
            assert program.stdin
            program.stdin.write(json.dumps(given))
            program.stdin.close()
        for program in programs:
            assert program.stdout
            if program.stdout.readline() != "measuring\n":
                raise RuntimeError("a triggerer did not come as far as to measure")
        before = len(self._emulator.ledger.entries)
        found = [json.loads(program.stdout.readline()) for program in programs if program.stdout]
        requests = len(self._emulator.ledger.entries) - before
        for program in programs:
            program.wait()
        if any(one["waiting"] != (0 if kind == "idle" else count) for one in found):
            raise RuntimeError("not every trigger was still waiting at the end")
        share = requests / triggerers * INTERVAL / seconds
        return [Load(share, one["cpu"] * MINUTE / seconds, one["stall"]) for one in found]

    def _environment(self, *, events: bool) -> Mapping[str, str]:
        from benchmarks.triggerer import connect

        extra = {"webhook_secret": "whsec-benchmark"} if events else {}
        environment = os.environ | connect(self._emulator.base_url, self._emulator.api_key, **extra)
        if events:  # one has just arrived, about another render
            inbox = Inbox().add([("00000000-0000-4000-8000-000000000001", RENDER_COMPLETE)], time.time())
            for key, part in ((variable_of, inbox), (newest_variable_of, inbox.newest())):
                environment[f"AIRFLOW_VAR_{key('renderjuice_default').upper()}"] = part.serialize()
        return environment


def _start(
    kind: str, count: int, after: float, seconds: float, environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.triggerer", kind, str(count), str(after), str(seconds)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
