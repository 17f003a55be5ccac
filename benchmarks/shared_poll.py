"""What waiting renders cost Renderjuice and the triggerer: polled together, and each by itself.

Run it with `make bench`. All triggers wait on one event loop, as in a triggerer, for renders that
go on. The emulator runs in a process of its own, so that it does not hold up that loop. "Each by
itself" are the same triggers with a connection each: a poll for every task, as in every other
provider of remote jobs. The stock HttpSensor cannot be compared: with a condition on the response
it does not defer.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.politeness import connect, our_trigger, silence

# isort: split
import httpx
from airflow.triggers.base import BaseTrigger

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.client import RenderjuiceClient
from tools.local_emulator import KEY, LocalEmulator

JOBS = (10, 100, 300)
INTERVAL = 5.0
INTERVALS = 4
"""That are measured, after one in which all triggers subscribe."""


@dataclass
class Load:
    """Requests in one interval, and the longest time that the event loop was held up, in ms."""

    requests: float
    held_up: float


def main() -> None:
    """Print the table."""
    print(
        f"Requests in each poll interval of {INTERVAL:.0f} s, and the longest time that the event loop was held up:\n"
    )
    print(f"{'renders':>8}{'together':>11}{'each by itself':>17}{'ratio':>8}{'held up':>13}{'each by itself':>17}")
    with tempfile.TemporaryDirectory() as folder, closing(Renders(Path(folder))) as emulator:
        for count in JOBS:
            emulator.render(count)
            together = measure(emulator, [our_trigger(job_id, INTERVAL) for job_id in emulator.job_ids])
            alone = measure(emulator, [our_trigger(job_id, INTERVAL, job_id) for job_id in emulator.job_ids])
            print(
                f"{count:>8}{together.requests:>11.1f}{alone.requests:>17.1f}{alone.requests / together.requests:>7.0f}x"
                f"{together.held_up:>10.0f} ms{alone.held_up:>14.0f} ms"
            )


class Renders:
    """An emulator, and jobs that render for longer than is measured."""

    def __init__(self, folder: Path) -> None:
        self._emulator = LocalEmulator(folder, "--speed", "1000", "--renderer", "fast")
        self._ledger = f"{self._emulator.control_url}/ledger"
        self._client = RenderjuiceClient(KEY, self._emulator.base_url)
        self._scene = write_scene(folder / "shot.blend", frame_end=10, seconds_per_frame=1e7)
        self.job_ids: list[str] = []

    def render(self, count: int) -> None:
        """Have `count` renders in all, each with a connection of the same name."""
        connect(self._client.base_url, KEY)
        while len(self.job_ids) < count:
            job_id = self._client.create_job(self._client.upload(self._scene).slug).id
            self._client.validate_job(job_id)
            while self._client.get_job(job_id).status != "validated":
                time.sleep(0.01)
            self._client.start_render(job_id, {"colorManagementPreset": "default"})
            os.environ[f"AIRFLOW_CONN_{job_id.upper()}"] = os.environ["AIRFLOW_CONN_RENDERJUICE_DEFAULT"]
            self.job_ids.append(job_id)
        while sum(1 for _ in self._client.list_jobs("rendering")) < count:
            time.sleep(0.1)

    def requests(self) -> int:
        """The number of requests until now."""
        return len(httpx.get(self._ledger).raise_for_status().json()["requests"])

    def close(self) -> None:
        """End it."""
        self._client.close()
        self._emulator.stop()


def measure(emulator: Renders, triggers: Sequence[BaseTrigger]) -> Load:
    """The load of these triggers while they wait."""

    async def wait(trigger: BaseTrigger) -> None:
        async for _ in trigger.run():
            return

    async def some_time() -> Load:
        tasks = [asyncio.create_task(wait(trigger)) for trigger in triggers]
        await asyncio.sleep(1.5 * INTERVAL)
        before = emulator.requests()
        held_up = await longest_gap(INTERVAL * INTERVALS)
        requests = emulator.requests() - before
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return Load(requests / INTERVALS, held_up * 1000)

    with silence():
        return asyncio.run(some_time())


async def longest_gap(seconds: float) -> float:
    """The longest time that the event loop was late with a pause, in seconds."""
    pause, longest, end = 0.005, 0.0, time.monotonic() + seconds
    while (before := time.monotonic()) < end:
        await asyncio.sleep(pause)
        longest = max(longest, time.monotonic() - before - pause)
    return longest


if __name__ == "__main__":
    main()
