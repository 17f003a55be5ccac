"""`make nights`: frames are lost and renders fail; which shots become whole, and at what cost?

Exits with 1 where something is not as it should be.

    python -m proofs.nights                         # 50 nights of 20 shots
    python -m proofs.nights --nights 2 --shots 5
    python -m proofs.nights --real                  # three nights through a real scheduler
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

from proofs.nights import real, table
from proofs.nights.night import Outcome, run, start
from proofs.nights.studio import Night, plan
from tools.tracker import LocalTracker

NIGHTS, REAL_NIGHTS, SHOTS = 50, 3, 20


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m proofs.nights", description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, help=f"{NIGHTS} by default, {REAL_NIGHTS} with --real")
    parser.add_argument("--shots", type=int, default=SHOTS, help="of a night (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: %(default)s)")
    parser.add_argument("--real", action="store_true", help="through renderjuice_nightly and a real scheduler")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(mkdtemp(prefix="renderjuice-nights-"))
    nights = [
        plan(number + 1, options.shots) for number in range(options.nights or (NIGHTS, REAL_NIGHTS)[options.real])
    ]
    outcomes: list[Outcome] = []
    began = time.monotonic()
    with ExitStack() as cleanup:
        tracker = LocalTracker(folder)
        cleanup.callback(tracker.program.stop)
        os.environ["AIRFLOW_CONN_PRODUCTION_TRACKER"] = json.dumps({"conn_type": "http", "host": tracker.url})
        print(table.head(), flush=True)
        for outcome in (
            real.nights(nights, folder) if options.real else in_processes(nights, folder, cleanup, options.workers)
        ):
            outcomes.append(outcome)
            print(table.line(outcome), flush=True)
    print(table.total(outcomes, time.monotonic() - began), flush=True)
    if table.complaints(outcomes):
        sys.exit(f"What the runs left: {folder}")
    shutil.rmtree(folder)


def in_processes(nights: Sequence[Night], folder: Path, cleanup: ExitStack, workers: int) -> Iterator[Outcome]:
    """Run the nights side by side, each process an Airflow and an emulator of its own."""
    # A fresh interpreter each: Airflow reads its settings when it is imported.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(nights)), context, initializer=start, initargs=(folder,))
    cleanup.callback(pool.shutdown, cancel_futures=True)
    return pool.map(run, nights)


if __name__ == "__main__":
    main()
