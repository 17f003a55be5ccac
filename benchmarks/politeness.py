"""Requests in twelve seconds of failing polls: our trigger, and that of the stock HttpSensor.

Both poll every five seconds, and every poll gets the same response.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Row
from benchmarks.triggerer import connect, our_trigger, silence, stock_trigger, wait

# isort: split
from airflow.triggers.base import BaseTrigger

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import RenderjuiceClient

SECONDS, INTERVAL = 12.0, 5.0
RESPONSES = ("429", "429 retry-after=60", "401", "403", "503", "reset-before")
ENOUGH = 100_000
"""Faults that are queued: more than the requests of either."""


def rows(_: int) -> Iterator[Row]:
    """One row for each response; there is no goal but to be few."""
    with Emulator() as emulator, tempfile.TemporaryDirectory() as folder:
        os.environ.update(connect(emulator.base_url, emulator.api_key))
        job_id = new_job(emulator, Path(folder))
        for response in RESPONSES:
            ours = count(emulator, response, our_trigger(job_id, INTERVAL))
            stock = count(emulator, response, stock_trigger(f"/jobs/{job_id}", INTERVAL))
            work = f"requests in {SECONDS:.0f} s in which every poll is answered with {response}"
            yield Row(work, "", f"{ours}", note=f"of the stock HttpSensor {stock:,}")


def new_job(emulator: Emulator, folder: Path) -> str:
    """A job that is never rendered."""
    with RenderjuiceClient(emulator.api_key, emulator.base_url) as client:
        return client.create_job(client.upload(write_scene(folder / "shot.blend")).slug).id


def count(emulator: Emulator, response: str, trigger: BaseTrigger) -> int:
    """Requests that a trigger sends while it waits, or until it gives up."""
    emulator.faults.clear()
    emulator.faults.add("get_job", *[response] * ENOUGH)
    before = emulator.ledger.count("get_job")

    async def some_time() -> None:
        await asyncio.wait([asyncio.ensure_future(wait(trigger))], timeout=SECONDS)

    with silence():
        asyncio.run(some_time())
    return emulator.ledger.count("get_job") - before
