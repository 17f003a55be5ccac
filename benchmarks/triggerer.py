"""A triggerer without an Airflow around it: triggers that wait on one event loop, and their cost.

    python -m benchmarks.triggerer together 1000 15 60 < job-ids.json

Run by `benchmarks.waiting`, in a process of its own, so that its processor time is that of the
triggers alone. It writes a line when it begins to measure, and its figures as JSON at the end.
Connections and Variables come from the environment, so reading them costs less than in a triggerer.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="renderjuice-bench-"))
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"  # of what Airflow prints while it is imported

from airflow.providers.http.triggers.http import HttpSensorTrigger
from airflow.sdk.log import configure_logging
from airflow.triggers.base import BaseTrigger

from renderjuice_provider.triggers.renderjuice import RenderjuiceJobTrigger

INTERVAL = 30.0
"""Seconds between two polls of a render: the provider's default, and given to the stock one too."""
_PAUSE = 0.01
_AN_HOUR = 3600.0
NOWHERE = "/jobs/00000000-0000-4000-8000-000000000000"
"""Answered 404, the one response at which the stock trigger goes on waiting."""


def connect(base_url: str, api_key: str, **extra: object) -> dict[str, str]:
    """The environment in which both kinds of trigger reach the same API."""
    ours = {"conn_type": "renderjuice", "host": base_url, "password": api_key, "extra": extra}
    stock = {"conn_type": "http", "host": base_url, "extra": {"Authorization": f"Bearer {api_key}"}}
    return {"AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(ours), "AIRFLOW_CONN_STOCK": json.dumps(stock)}


def our_trigger(job_id: str, poll_interval: float = INTERVAL) -> BaseTrigger:
    """As `RenderjuiceJobSensor` makes it."""
    now = time.time()
    return RenderjuiceJobTrigger(
        renderjuice_conn_id="renderjuice_default",
        job_id=job_id,
        target="completed",
        poll_interval=poll_interval,
        started=now,
        deadline=now + _AN_HOUR,
    )


def stock_trigger(endpoint: str, poll_interval: float = INTERVAL) -> BaseTrigger:
    """As `HttpSensor(deferrable=True)` makes it."""
    return HttpSensorTrigger(http_conn_id="stock", endpoint=endpoint, poke_interval=poll_interval)


KINDS: Mapping[str, Callable[[Sequence[str]], list[BaseTrigger]]] = {
    "idle": lambda _: [],
    "together": lambda job_ids: [our_trigger(job_id) for job_id in job_ids],
    "stock": lambda job_ids: [stock_trigger(NOWHERE) for _ in job_ids],
}
"""What waits, by its name on the command line."""


async def wait(trigger: BaseTrigger) -> None:
    """Until a trigger has fired."""
    async for _ in trigger.run():
        return


async def cost(
    triggers: Sequence[BaseTrigger], after: float, seconds: float, begin: Callable[[], object]
) -> dict[str, float]:
    """Processor time and the longest stall, both in seconds, while these triggers wait."""
    tasks = [asyncio.create_task(wait(trigger)) for trigger in triggers]
    await asyncio.sleep(after)
    gc.collect()
    begin()
    used = time.process_time()
    stall = await longest_stall(seconds)
    used = time.process_time() - used
    waiting = sum(not task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {"cpu": used, "stall": stall, "waiting": waiting}


async def longest_stall(seconds: float) -> float:
    """The longest time by which the event loop was late with a pause, in seconds."""
    longest, end = 0.0, time.monotonic() + seconds
    while (before := time.monotonic()) < end:
        await asyncio.sleep(_PAUSE)
        longest = max(longest, time.monotonic() - before - _PAUSE)
    return longest


@contextmanager
def silence() -> Iterator[None]:
    """Triggers write thousands of log lines."""
    logging.disable()
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def main() -> None:
    """The command line: what waits, how many, seconds before measuring, seconds to measure."""
    kind, count, after, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    job_ids = json.load(sys.stdin)[:count]
    out = sys.stdout

    def begin() -> None:
        print("measuring", file=out, flush=True)

    with Path(os.devnull).open("wb") as nowhere:
        # As a triggerer logs, to nowhere: lines are part of what a poll costs.
        configure_logging(json_output=True, log_level="INFO", output=nowhere, sending_to_supervisor=True)
        found = asyncio.run(cost(KINDS[kind](job_ids), after, seconds, begin))
    print(json.dumps(found), file=out, flush=True)


if __name__ == "__main__":
    main()
