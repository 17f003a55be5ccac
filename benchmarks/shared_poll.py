"""What hundreds of waiting renders ask of Renderjuice and of the triggerer: our triggers beside the stock deferrable HttpSensor's.

Run with `make bench`. All wait on one event loop, as in a triggerer, for renders that go on; the emulator is
a process of its own, so that it does not hold up their loop.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.politeness import connect, our_trigger, silence, stock_trigger

# isort: split
import httpx
from airflow.triggers.base import BaseTrigger

from devtools.local_emulator import KEY, LocalEmulator
from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.client import RenderjuiceClient

JOBS = (10, 100, 300)
INTERVAL = 5.0
INTERVALS = 4
"""Measured, after one in which everyone arrives."""


@dataclass
class Load:
    """Requests in one interval, and the longest time in milliseconds that the event loop was held up."""

    requests: float
    held_up: float


def main() -> None:
    """Print the table."""
    print(
        f"Requests in each poll interval of {INTERVAL:.0f} s, and the longest time that the event loop was held up:\n"
    )
    print(f"{'renders':>8}{'this provider':>15}{'stock HttpSensor':>19}{'ratio':>9}{'held up':>12}{'stock':>10}")
    with tempfile.TemporaryDirectory() as folder, closing(Renders(Path(folder), max(JOBS))) as emulator:
        job_ids = emulator.job_ids
        for count in JOBS:
            some = job_ids[:count]
            ours = measure(emulator, [our_trigger(job_id, INTERVAL) for job_id in some])
            stock = measure(emulator, [stock_trigger(job_id, INTERVAL) for job_id in some])
            ratio = stock.requests / max(ours.requests, 1)
            print(
                f"{count:>8}{ours.requests:>15.1f}{stock.requests:>19.1f}{ratio:>8.0f}x"
                f"{ours.held_up:>9.0f} ms{stock.held_up:>7.0f} ms"
            )


class Renders:
    """An emulator, and jobs that render for longer than anyone measures here."""

    def __init__(self, folder: Path, count: int) -> None:
        self._emulator = LocalEmulator(folder, "--speed", "1000", "--renderer", "fast")
        base_url = self._emulator.base_url
        self._ledger = f"{base_url.removesuffix(urlsplit(base_url).path)}/_emulator/ledger"
        connect(base_url, KEY)
        scene = write_scene(folder / "shot.blend", frame_end=10, seconds_per_frame=1e7)
        with RenderjuiceClient(KEY, base_url) as client:
            self.job_ids = [client.create_job(client.upload(scene).slug).id for _ in range(count)]
            for job_id in self.job_ids:
                client.validate_job(job_id)
            for job_id in self.job_ids:
                while client.get_job(job_id).status != "validated":
                    time.sleep(0.01)
                client.start_render(job_id, {"colorManagementPreset": "default"})
            while sum(1 for _ in client.list_jobs("rendering")) < count:
                time.sleep(0.1)

    def requests(self) -> int:
        """How many there were until now."""
        return len(httpx.get(self._ledger).raise_for_status().json()["requests"])

    def close(self) -> None:
        """End it."""
        self._emulator.stop()


def measure(emulator: Renders, triggers: Sequence[BaseTrigger]) -> Load:
    """What these triggers cost while they wait."""

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
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        return Load(requests / INTERVALS, held_up * 1000)

    with silence():
        return asyncio.run(some_time())


async def longest_gap(seconds: float) -> float:
    """The longest time that the loop took for a turn, beyond the pause that was asked for."""
    pause, longest, end = 0.005, 0.0, time.monotonic() + seconds
    while (before := time.monotonic()) < end:
        await asyncio.sleep(pause)
        longest = max(longest, time.monotonic() - before - pause)
    return longest


if __name__ == "__main__":
    main()
