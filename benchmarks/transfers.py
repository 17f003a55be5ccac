"""Files against curl: how fast they arrive, and what they cost. Linux only.

    python -m benchmarks.transfers --only lanes --pairs 5

The store is a process of its own (`benchmarks.transfer_store`), and so is each client; files lie on
a RAM disk where there is one, so that neither a disk nor the emulator is what is measured. curl
neither hashes nor syncs what it writes; this provider does both. Of curl's `--parallel-max` 4, 16
and 50, the one that was fastest in a run before is the peer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.table import Row, at_least, at_most
from benchmarks.transfer_store import JOB_ID
from renderjuice_emulator.scenes import write_scene

MIB = 1 << 20
RAM_DISK = Path("/dev/shm")
CLIENTS = ("blocking", "asynchronous")
AT_ONCE = (4, 16, 50)
LONGEST = 600
"""Seconds that any process of this measurement may take."""


@dataclass(frozen=True)
class Taken:
    """What one transfer took: seconds, seconds of processor time, MiB of memory over idle."""

    seconds: float
    processor: float
    over_idle: float = 0.0


def rows(pairs: int) -> Iterator[Row]:
    """All of them; each is the median of this many pairs."""
    for part in PARTS.values():
        yield from part(pairs)


def upload(pairs: int) -> Iterator[Row]:
    """2 GiB in one file, to a store beside us."""
    size = 2048 * MIB
    with _folder(2 * size) as folder, _store(folder) as base_url:
        scene = write_scene(folder / "large.blend", size=size)
        curl = [
            "curl",
            "--silent",
            "--fail",
            "--output",
            os.devnull,
            "--upload-file",
            str(scene),
            f"{base_url}/uploaded",
        ]
        for client in CLIENTS:
            ours = partial(_child, client, "upload", base_url, str(scene))
            both = _pairs(pairs, partial(_timed, curl), ours)
            yield _speed(f"upload of 2 GiB, {client}: throughput against curl", both, size, 0.95)
            yield _memory(f"the same: memory over idle, {client}", both)


def frames(pairs: int) -> Iterator[Row]:
    """500 files of 1 MiB, and 5,000 of 50 KiB."""
    for count, size, delay in ((500, MIB, 0.0), (500, MIB, 0.02), (500, MIB, 0.08), (5000, 50 << 10, 0.02)):
        name = f"{count:,} x {_size(size)} at {delay * 1000:.0f} ms"
        with _folder(2 * count * size) as folder, _store(folder, count, size, delay) as base_url:
            tried = [(_curl(base_url, folder, count, at_once).seconds, at_once) for at_once in AT_ONCE]
            best = min(tried)[1]
            for client in CLIENTS:
                curl = partial(_curl, base_url, folder, count, best)
                both = _pairs(pairs, curl, partial(_download, client, base_url, folder))
                work = f"{name}, {client}: throughput against curl"
                yield _speed(work, both, count * size, 0.9, f"curl with {best} at once")
                if delay == 0:
                    yield _memory(f"the same: memory over idle, {client}", both)


def cost(pairs: int) -> Iterator[Row]:
    """Processor time and memory of 2 GiB in one file, downloaded."""
    size = 2048 * MIB
    with _folder(3 * size) as folder, _store(folder, 1, size) as base_url:
        for client in CLIENTS:
            both = _pairs(pairs, partial(_curl, base_url, folder), partial(_download, client, base_url, folder))
            ratio = median(ours.processor / curl.processor for curl, ours in both)
            each = [median(one[place].processor for one in both) / 2 for place in (0, 1)]
            note = f"{each[1]:.2f} s, of which SHA-256 {_hashing():.2f} s, and {each[0]:.2f} s"
            work = f"processor time per GiB downloaded, {client}, against curl"
            yield at_most(work, ratio, 1.5, note=note, digits=2)
            yield _memory(f"the same: memory over idle, {client}", both)


def again(_pairs: int) -> Iterator[Row]:
    """A second download of 500 whole files."""
    count = 500
    with _folder(count * MIB) as folder, _store(folder, count, MIB) as base_url:
        for client in CLIENTS:
            out = folder / client
            _child(client, "download", base_url, JOB_ID, str(out))
            before = _served(base_url)
            second = _child(client, "download", base_url, JOB_ID, str(out))
            fetched = _served(base_url) - before
            note = f"in {second.seconds:.2f} s"
            yield at_most(f"second download of {count} whole files, {client}: files fetched", fetched, 0, "", note, 0)
            shutil.rmtree(out)


PARTS: dict[str, Callable[[int], Iterator[Row]]] = {"frames": frames, "upload": upload, "cost": cost, "again": again}


def main() -> None:
    """Measure some parts, and print their rows."""
    parser = argparse.ArgumentParser(description="Files against curl.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--pairs", type=int, default=5, help="how often each pair is measured (%(default)s)")
    options = parser.parse_args()
    for part in options.only:
        for row in PARTS[part](options.pairs):
            met = {True: "met", False: "missed", None: ""}[row.met]
            print(f"{row.work}: {row.result} ({row.goal}, {met}) {row.note}", flush=True)


def _pairs(count: int, curl: Callable[[], Taken], ours: Callable[[], Taken]) -> list[tuple[Taken, Taken]]:
    """Both, one after the other, in turns the one or the other first."""
    both = []
    for number in range(count):
        first, second = (curl, ours) if number % 2 else (ours, curl)
        one, other = first(), second()
        both.append((one, other) if number % 2 else (other, one))
    return both


def _speed(work: str, both: list[tuple[Taken, Taken]], size: int, goal: float, how: str = "") -> Row:
    ratio = median(curl.seconds / ours.seconds for curl, ours in both)
    mib = size / MIB
    speeds = f"{mib / median(ours.seconds for _, ours in both):.0f} and {mib / median(curl.seconds for curl, _ in both):.0f} MiB/s"
    return at_least(work, ratio, goal, note="; ".join(filter(None, (speeds, how))))


def _memory(work: str, both: list[tuple[Taken, Taken]]) -> Row:
    return at_most(work, max(ours.over_idle for _, ours in both), 60, " MiB", digits=0)


def _hashing() -> float:
    """Seconds that one GiB takes to be hashed on this machine."""
    piece, digest, start = bytes(MIB), hashlib.sha256(), time.process_time()
    for _ in range(256):
        digest.update(piece)
    return 4 * (time.process_time() - start)


def _size(size: int) -> str:
    return f"{size >> 20} MiB" if size >= MIB else f"{size >> 10} KiB"


@contextmanager
def _folder(size: int) -> Iterator[Path]:
    """A folder with room for `size` bytes, on a RAM disk if that has it."""
    roomy = RAM_DISK.is_dir() and shutil.disk_usage(RAM_DISK).free > 2 * size
    with tempfile.TemporaryDirectory(prefix="renderjuice-", dir=RAM_DISK if roomy else None) as name:
        yield Path(name)


@contextmanager
def _store(folder: Path, files: int = 1, size: int = MIB, delay: float = 0.0) -> Iterator[str]:
    """A store's address."""
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    options = ("--files", str(files), "--bytes", str(size), "--delay", str(delay))
    command = [sys.executable, "-m", "benchmarks.transfer_store", str(ready), *options]
    server = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(folder)})
    try:
        deadline = time.monotonic() + LONGEST
        while not ready.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the store did not start")
            time.sleep(0.02)
        yield json.loads(ready.read_text())["base_url"]
    finally:
        server.terminate()
        server.wait()


def _served(base_url: str) -> int:
    """How many files the store has sent so far."""
    import httpx

    return int(httpx.get(f"{base_url}/served").raise_for_status().json()["served"])


def _curl(base_url: str, folder: Path, files: int = 1, at_once: int = 1) -> Taken:
    """Fetch them all with curl."""
    out = folder / "curl"
    out.mkdir()
    names = [f"{number:04}.exr" for number in range(1, files + 1)]
    listed = "".join(f'url = "{base_url}/file/{name}"\noutput = "{out / name}"\n' for name in names)
    config = folder / "curl.txt"
    config.write_text(listed)
    several = ["--parallel", "--parallel-max", str(at_once)] if files > 1 else []
    taken = _timed(["curl", "--silent", "--fail", *several, "--config", str(config)])
    if len(list(out.iterdir())) != files:
        raise RuntimeError("curl did not fetch all files")
    shutil.rmtree(out)
    return taken


def _download(client: str, base_url: str, folder: Path) -> Taken:
    out = folder / "ours"
    taken = _child(client, "download", base_url, JOB_ID, str(out))
    shutil.rmtree(out)
    return taken


def _timed(command: list[str]) -> Taken:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, timeout=LONGEST, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(seconds, processor)


def _child(client: str, *arguments: str) -> Taken:
    command = [sys.executable, "-m", "benchmarks.transfer_child", client, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=LONGEST)
    taken: dict[str, Any] = json.loads(done.stdout)
    return Taken(taken["seconds"], taken["processor"], taken["over_idle"])


if __name__ == "__main__":
    main()
