"""How much memory a transfer takes.

The peak over an idle client, for one large upload and one large download, by each client.

    python benchmarks/transfer_memory.py --mib 2048

Files are sparse where they lie; every byte of them goes through the client. The emulator runs in
this process, each client in one of its own, whose high-water mark the kernel keeps (`VmHWM`, so
Linux only).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import AsyncRenderjuiceClient, RenderjuiceClient

MIB = 1024**2


def main() -> None:
    """Run as the parent, which serves, or as one of its children, which transfers."""
    parser = argparse.ArgumentParser(description="Peak memory of one large upload and download, by each client.")
    parser.add_argument("--mib", type=int, default=2048, help="size of the file (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON array instead of a table")
    parser.add_argument("--transfer", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.transfer:
        print(json.dumps(transfer(*options.transfer)))
        return
    results = measure(options.mib)
    if options.json:
        print(json.dumps(results))
        return
    print(
        "| client | transfer | MiB | idle, MiB | peak over idle, MiB | MiB/s |\n| --- | --- | --- | --- | --- | --- |"
    )
    for row in results:
        print("| {client} | {transfer} | {mib} | {idle:.0f} | {over_idle:.0f} | {speed:.0f} |".format(**row))


def measure(mib: int) -> list[dict[str, Any]]:
    """One row for each client and direction."""
    with tempfile.TemporaryDirectory(prefix="renderjuice-") as name, Emulator(data=Path(name, "farm")) as emulator:
        folder = Path(name)
        scene = write_scene(folder / "large.blend", size=mib * MIB)
        job_id = render_one_frame(emulator, folder)
        os.truncate(emulator.jobs[job_id].outputs[0].path, mib * MIB)
        rows = []
        for client in ("blocking", "asynchronous"):
            for direction, what in (("upload", str(scene)), ("download", job_id)):
                arguments = (client, direction, what, emulator.base_url, emulator.api_key)
                command = [sys.executable, __file__, "--transfer", *arguments]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                row = json.loads(done.stdout)
                if row.pop("bytes") != mib * MIB:
                    raise RuntimeError(f"not all of the file arrived: {row}")
                rows.append({"client": client, "transfer": direction, "mib": mib, "speed": mib / row["seconds"]} | row)
        return rows


def render_one_frame(emulator: Emulator, folder: Path) -> str:
    """A completed job with one output."""
    with RenderjuiceClient(emulator.api_key, emulator.base_url) as client:
        job = client.create_job(client.upload(write_scene(folder / "small.blend")).slug)

        def until(status: str) -> None:
            while client.get_job(job.id).status != status:
                time.sleep(0.01)

        client.validate_job(job.id)
        until("validated")
        client.start_render(job.id, {"colorManagementPreset": "default", "frameRanges": ["1"]})
        until("completed")
        return job.id


def transfer(client: str, direction: str, what: str, base_url: str, key: str) -> dict[str, Any]:
    """In a process of its own: what one transfer takes."""
    with tempfile.TemporaryDirectory(prefix="renderjuice-") as folder:
        done = blocking if client == "blocking" else lambda *given: asyncio.run(asynchronous(*given))
        return done(direction, what, folder, (key, base_url))


def blocking(direction: str, what: str, folder: str, given: tuple[str, str]) -> dict[str, Any]:
    """By the client that blocks."""
    with RenderjuiceClient(*given) as client:
        list(client.list_jobs())
        idle, started = peak(), time.perf_counter()
        if direction == "upload":
            client.upload(what)
            size = Path(what).stat().st_size
        else:
            size = client.download_outputs(what, folder).size
        return row(size, idle, started)


async def asynchronous(direction: str, what: str, folder: str, given: tuple[str, str]) -> dict[str, Any]:
    """By the client for event loops."""
    async with AsyncRenderjuiceClient(*given) as client:
        _ = [job async for job in client.list_jobs()]
        idle, started = peak(), time.perf_counter()
        work: Callable[..., Awaitable[Any]] = client.upload if direction == "upload" else client.download_outputs
        report = await work(*([what] if direction == "upload" else [what, folder]))
        size = Path(what).stat().st_size if direction == "upload" else report.size  # noqa: ASYNC240 - a benchmark's own
        return row(size, idle, started)


def row(size: int, idle: float, started: float) -> dict[str, Any]:
    """What was measured."""
    return {"bytes": size, "idle": idle, "over_idle": peak() - idle, "seconds": time.perf_counter() - started}


def peak() -> float:
    """The most memory that this process has had so far, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


if __name__ == "__main__":
    main()
