"""One transfer in a process of its own, and what it took, as one line of JSON.

    python -m benchmarks.transfer_child blocking download http://127.0.0.1:8000 <job id> <folder>

Seconds and processor time are counted from the first request on: what Python and httpx take to
start is another row of the table. Memory is what the kernel says it was at most (`VmHWM`, so Linux
only), less what it was before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

from renderjuice_provider.api.client import AsyncRenderjuiceClient, RenderjuiceClient


class Meter:
    """What this process takes from now on."""

    def __init__(self) -> None:
        self._memory, self._processor, self._clock = peak(), time.process_time(), time.perf_counter()

    def read(self) -> dict[str, float]:
        """Seconds, seconds of processor time, and MiB of memory until now."""
        seconds, processor = time.perf_counter() - self._clock, time.process_time() - self._processor
        return {"seconds": seconds, "processor": processor, "over_idle": peak() - self._memory}


def main() -> None:
    """Transfer, and print what it took."""
    parser = argparse.ArgumentParser(description="One transfer by one client.")
    parser.add_argument("client", choices=("blocking", "asynchronous"))
    parser.add_argument("direction", choices=("download", "upload"))
    parser.add_argument("base_url")
    parser.add_argument("what", help="a job's id, or the path of a scene")
    parser.add_argument("folder", nargs="?", default="", help="where outputs go")
    parser.add_argument("--max-transfers", type=int, help="files on their way at once, at most")
    parser.add_argument("--api-key", default="RJ-benchmark", help="the store of the benchmarks takes any")
    given = parser.parse_args()
    options: dict[str, Any] = {"api_key": given.api_key}
    if given.max_transfers:
        options["max_transfers"] = given.max_transfers
    arguments = (given.direction, given.base_url, given.what, given.folder, options)
    print(json.dumps(blocking(*arguments) if given.client == "blocking" else asyncio.run(asynchronous(*arguments))))


def blocking(direction: str, base_url: str, what: str, folder: str, options: dict[str, Any]) -> dict[str, Any]:
    """By the client that blocks."""
    with RenderjuiceClient(base_url=base_url, **options) as client:
        meter = Meter()
        if direction == "upload":
            client.upload(what)
            return meter.read()
        report = client.download_outputs(what, folder)
        return meter.read() | {"files": len(report.files), "bytes": report.size}


async def asynchronous(
    direction: str, base_url: str, what: str, folder: str, options: dict[str, Any]
) -> dict[str, Any]:
    """By the client for event loops."""
    async with AsyncRenderjuiceClient(base_url=base_url, **options) as client:
        meter = Meter()
        if direction == "upload":
            await client.upload(what)
            return meter.read()
        report = await client.download_outputs(what, folder)
        return meter.read() | {"files": len(report.files), "bytes": report.size}


def peak() -> float:
    """The most memory that this process has had so far, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


if __name__ == "__main__":
    main()
