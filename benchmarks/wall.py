"""The render wall with 300 shots of 240 frames: against Airflow's grid, and with many viewers.

The grid is that of the DAG of the same shots, as Airflow opens it. Both pages are opened in the
same browser, one after the other, by somebody who has opened them before.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx

from benchmarks.table import Row, at_most, median, ratio_of, spread
from benchmarks.wall_farm import FRAMES, farm
from benchmarks.wall_page import first_useful_paint, refreshes
from benchmarks.wall_seed import SHOT
from tools.browser import browser, log_in
from tools.local_airflow import LocalAirflow
from tools.processes import free_port

SHOTS, VIEWERS, MINUTES = 300, 20, 5
SIZE = {"width": 1440, "height": 900}
_WALL, _GRID = "/plugin/renders", f"/dags/{SHOT}"
_ROW_OF_WALL = "[data-row]"
_CELL_OF_GRID = "a[href*='/runs/'][href*='/tasks/']"
_REFRESHES = 5
_INTERVAL = 5.0
_PICTURES = 30
"""Of those that a viewer's rows have, how many are in sight."""


def rows(pairs: int) -> Iterator[Row]:
    """Paint and refresh against the grid; then what viewers cost the farm."""
    with Night() as night:
        yield from _pages(night, pairs)
        one, many = (night.requests_by(viewers) for viewers in (1, VIEWERS))
        work = f"{VIEWERS} viewers of the render wall for {MINUTES} min, {SHOTS} shots, two API servers"
        note = f"{many} and {one} requests, pictures included"
        yield at_most(f"{work}: what the farm is asked, against one viewer", many / one, 1.2, note=note, digits=2)


def _pages(night: Night, pairs: int) -> Iterator[Row]:
    paints: list[tuple[float, float]] = []
    news: list[tuple[float, float]] = []
    for number in range(pairs + 1):
        paint, refresh = zip(*(_measure(night, *page) for page in _PAGES), strict=True)
        if number:  # the first pair fills the caches
            paints.append(paint)
            news.append(refresh)
    work = f"render wall, {SHOTS} shots of {FRAMES} frames"
    for name, found, limit in (("first useful paint", paints, 1.0), ("a refresh", news, 0.5)):
        ours, theirs = zip(*found, strict=True)
        note = f"{1000 * median(ours):.0f} and {1000 * median(theirs):.0f} ms; ours {spread(ours, ' s', 2)}"
        yield at_most(f"{work}: {name} against Airflow's grid", ratio_of(found), limit, note=note, digits=2)


_PAGES = ((_WALL, _ROW_OF_WALL), (_GRID, _CELL_OF_GRID))


def _measure(night: Night, path: str, selector: str) -> tuple[float, float]:
    """Seconds to the first useful paint, and of a refresh."""
    page = night.context.new_page()
    try:
        paint = first_useful_paint(page, path, selector)
        return paint, median(one.seconds for one in refreshes(page, _REFRESHES))
    finally:
        page.close()


class Night:
    """A farm, a database and two API servers; no other part of an Airflow. A context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="renderjuice-")))
            (folder / "scenes").mkdir()
            self.emulator, shots = stack.enter_context(farm(folder / "scenes", SHOTS))
            self.airflow = LocalAirflow(folder / "airflow", Path(__file__).parents[1] / "dags", self._settings())
            stack.callback(self.airflow.stop)
            self.airflow.prepare()
            self._seed(folder / "night.json", shots)
            self._start_servers()
            self.context = log_in(
                stack.enter_context(browser()), self.airflow.url, "admin", self.airflow.password, viewport=SIZE
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _settings(self) -> dict[str, str]:
        connection = {"conn_type": "renderjuice", "host": self.emulator.base_url, "password": self.emulator.api_key}
        return {
            "AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(connection),
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        }

    def _seed(self, path: Path, shots: list[dict[str, Any]]) -> None:
        path.write_text(json.dumps(shots))
        self.airflow.command("dags", "reserialize")
        command = [sys.executable, "-m", "benchmarks.wall_seed", str(path)]
        subprocess.run(command, env=self.airflow.environment, check=True, stdout=subprocess.DEVNULL)

    def _start_servers(self) -> None:
        """Two, each with its own caches, which are empty."""
        port = free_port()
        self._urls = [self.airflow.url, f"http://localhost:{port}"]
        self.airflow.start_component("api-server")
        self.airflow.start_component("api-server", "second", AIRFLOW__API__PORT=str(port))
        for url in self._urls:
            self.airflow.until_answers(url)

    def requests_by(self, viewers: int) -> int:
        """How many requests the farm gets while people watch, half of them by each server."""
        for program in ("api-server", "second"):
            self.airflow.programs.pop(program).stop()
        self._start_servers()
        token = self.airflow.request("GET", "/api/v2/version").request.headers["Authorization"]
        before = len(self.emulator.ledger.entries)
        asyncio.run(_watch(self._urls, token, viewers, time.monotonic() + 60 * MINUTES))
        return len(self.emulator.ledger.entries) - before


async def _watch(urls: list[str], token: str, viewers: int, until: float) -> None:
    async with httpx.AsyncClient(headers={"Authorization": token}, timeout=60) as client:
        await asyncio.gather(*(_view(client, urls[number % len(urls)], until, number) for number in range(viewers)))


async def _view(client: httpx.AsyncClient, url: str, until: float, number: int) -> None:
    """What an open wall asks for: the night every few seconds, the pictures in sight, and a row."""
    await asyncio.sleep(_INTERVAL * (number * 7 % 20) / 20)
    seen: set[str] = set()
    wall = f"{url}/renderjuice/wall"
    while time.monotonic() < until:
        night = (await client.get(f"{wall}/night")).raise_for_status().json()
        pictures = {row["picture"] for row in night["rows"] if row["picture"]} - seen
        for key in sorted(pictures)[:_PICTURES]:
            await client.get(f"{wall}/pictures/{key}", params={"size": 256})
            seen.add(key)
        running = [row["id"] for row in night["rows"] if row["state"] == "rendering"]
        if running:
            (await client.get(f"{wall}/rows/{running[0]}")).raise_for_status()
        await asyncio.sleep(_INTERVAL)


if __name__ == "__main__":
    for _row in rows(1):
        print(_row)
