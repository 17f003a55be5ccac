"""Requests in ten seconds of failing polls: our trigger, and that of the stock HttpSensor.

Run it with `make bench`. Both poll every 30 seconds, and every poll gets the same response.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="renderjuice-bench-"))
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"

from airflow.providers.http.triggers.http import HttpSensorTrigger
from airflow.triggers.base import BaseTrigger

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.triggers.renderjuice import RenderjuiceJobTrigger

SECONDS = 10.0
ANSWERS = ("429", "429 retry-after=60", "401", "403", "503", "reset-before")
ENOUGH = 20_000
"""Faults that are queued: more than the requests of either."""


def main() -> None:
    """Print the table."""
    print(f"Requests in {SECONDS:.0f} s while every poll is answered with ...\n")
    print(f"{'answer':<22}{'this provider':>15}{'stock HttpSensor':>19}{'ratio':>9}")
    with Emulator() as emulator, tempfile.TemporaryDirectory() as folder:
        connect(emulator.base_url, emulator.api_key)
        job_id = new_job(emulator, Path(folder))
        for answer in ANSWERS:
            ours = count(emulator, answer, our_trigger(job_id))
            stock = count(emulator, answer, stock_trigger(job_id))
            print(f"{answer:<22}{ours:>15}{stock:>19}{stock / max(ours, 1):>8.0f}x")


def connect(base_url: str, api_key: str) -> None:
    """The same API for both, each by a connection of its own type."""
    ours = {"conn_type": "renderjuice", "host": base_url, "password": api_key}
    headers = {"Authorization": f"Bearer {api_key}"}
    os.environ["AIRFLOW_CONN_RENDERJUICE_DEFAULT"] = json.dumps(ours)
    os.environ["AIRFLOW_CONN_STOCK"] = json.dumps({"conn_type": "http", "host": base_url, "extra": headers})


def new_job(emulator: Emulator, folder: Path) -> str:
    """A job that is never rendered."""
    with RenderjuiceClient(emulator.api_key, emulator.base_url) as client:
        return client.create_job(client.upload(write_scene(folder / "shot.blend")).slug).id


def our_trigger(job_id: str, poll_interval: float = 30, conn_id: str = "renderjuice_default") -> BaseTrigger:
    """As `RenderjuiceJobSensor` makes it."""
    now = time.time()
    return RenderjuiceJobTrigger(
        renderjuice_conn_id=conn_id,
        job_id=job_id,
        target="completed",
        poll_interval=poll_interval,
        started=now,
        deadline=now + 3600,
    )


def stock_trigger(job_id: str) -> BaseTrigger:
    """As `HttpSensor(deferrable=True)` makes it."""
    return HttpSensorTrigger(http_conn_id="stock", endpoint=f"/jobs/{job_id}", poke_interval=30)


def count(emulator: Emulator, answer: str, trigger: BaseTrigger) -> int:
    """Requests that a trigger sends while it waits, or until it gives up."""
    emulator.faults.clear()
    emulator.faults.add("get_job", *[answer] * ENOUGH)
    before = emulator.ledger.count("get_job")

    async def wait() -> None:
        async for _ in trigger.run():
            return

    async def some_time() -> None:
        await asyncio.wait([asyncio.ensure_future(wait())], timeout=SECONDS)

    with silence():
        asyncio.run(some_time())
    return emulator.ledger.count("get_job") - before


@contextmanager
def silence() -> Iterator[None]:
    """Triggers write thousands of log lines."""
    logging.disable()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


if __name__ == "__main__":
    main()
