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
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

from proofs.nights import real, table
from proofs.nights.night import Outcome, right, run, start
from proofs.nights.studio import MISHAPS, plan
from tools.tracker import LocalTracker

NIGHTS, REAL_NIGHTS, SHOTS = 50, 3, 20


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m proofs.nights", description=__doc__.splitlines()[0])
    parser.add_argument("--nights", type=int, help=f"{NIGHTS} by default, {REAL_NIGHTS} with --real")
    parser.add_argument("--shots", type=int, default=SHOTS, help="of a night (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: %(default)s)")
    parser.add_argument("--mishaps", default=MISHAPS, help="of the emulator (default: %(default)s)")
    parser.add_argument("--real", action="store_true", help="through renderjuice_nightly and a real scheduler")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(mkdtemp(prefix="renderjuice-nights-"))
    nights = [
        plan(number + 1, options.shots, options.mishaps)
        for number in range(options.nights or (NIGHTS, REAL_NIGHTS)[options.real])
    ]
    outcomes: list[Outcome] = []
    began = time.monotonic()
    with ExitStack() as cleanup:
        tracker = LocalTracker(folder)
        cleanup.callback(tracker.program.stop)
        os.environ["AIRFLOW_CONN_PRODUCTION_TRACKER"] = json.dumps({"conn_type": "http", "host": tracker.url})
        print(table.head(), flush=True)
        pool = processes(1 if options.real else min(options.workers, len(nights)), folder)
        cleanup.callback(pool.shutdown, cancel_futures=True)
        by_airflow = options.real and real.nights(nights, folder, pool.submit(right).result())
        for outcome in by_airflow or pool.map(run, nights):
            outcomes.append(outcome)
            print(table.line(outcome), flush=True)
    print(table.total(outcomes, time.monotonic() - began), flush=True)
    if table.complaints(outcomes):
        sys.exit(f"What the runs left: {folder}")
    shutil.rmtree(folder)


def processes(number: int, folder: Path) -> ProcessPoolExecutor:
    """Processes that walk nights, each with an emulator of its own."""
    # A fresh interpreter each: Airflow reads its settings when it is imported.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(number, context, initializer=start, initargs=(folder,))


if __name__ == "__main__":
    main()
