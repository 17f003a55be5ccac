"""`make bench`: every measurement, and one table of them.

    python -m benchmarks --only receiver latency --pairs 5

The whole takes about an hour on two cores, which nothing else should use meanwhile. With
`--only`, the rows of the other parts stay as they were last measured.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.table import Row, head, markdown

PARTS = ("waiting", "latency", "receiver", "transfers", "import_time", "poll_path", "politeness", "wall")
"""Modules with a function `rows`, in the order of the table."""
RESULTS = Path(__file__).parent / "RESULTS.md"
KEPT = Path(__file__).parents[1] / ".run" / "bench"
"""The rows of each part, as they were last measured."""


def main() -> None:
    """The command line. Exits with 1 if a goal was missed, or a part has failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure, and write one table.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="these parts alone")
    parser.add_argument("--pairs", type=int, default=5, help="how often each pair is measured (%(default)s)")
    options = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    failed = [part for part in PARTS if part in options.only and not _measure(part, options.pairs)]
    if "waiting" in options.only and "waiting" not in failed:
        from benchmarks.plots import draw

        draw()
    parts = _kept()
    rows = [Row(**row) for about in parts.values() for row in about["rows"]]
    RESULTS.write_text(_page(rows, parts))
    print(f"\n{markdown(rows)}\n\n{RESULTS}")
    missed = [row.work for row in rows if row.met is False]
    print("\n".join([f"missed: {work}" for work in missed] + [f"failed: {part}" for part in failed]))
    sys.exit(bool(missed or failed))


def _measure(part: str, pairs: int) -> bool:
    """Measure one part and keep its rows; those before an error are kept too."""
    print(f"{datetime.now(UTC):%H:%M:%S}  {part}", flush=True)
    rows: list[Row] = []
    began, load = datetime.now(UTC), os.getloadavg()[0]
    try:
        for row in importlib.import_module(f"benchmarks.{part}").rows(pairs):
            rows.append(row)
            print(f"          {row.work}: {row.result} {row.goal and f'({row.goal})'}", flush=True)
    except Exception:  # noqa: BLE001 - the other parts are still worth their time
        traceback.print_exc()
        return False
    finally:
        minutes = (datetime.now(UTC) - began).total_seconds() / 60
        about: dict[str, Any] = {"began": f"{began:%Y-%m-%d %H:%M} UTC", "load": load, "minutes": minutes}
        about["pairs"] = pairs
        about["rows"] = [asdict(row) for row in rows]
        (KEPT / f"{part}.json").write_text(json.dumps(about))
    return True


def _kept() -> dict[str, dict[str, Any]]:
    """Each part that was ever measured: when, at which load of the machine, and its rows."""
    paths = {part: KEPT / f"{part}.json" for part in PARTS}
    return {part: json.loads(path.read_text()) for part, path in paths.items() if path.exists()}


def _page(rows: list[Row], parts: Mapping[str, Mapping[str, Any]]) -> str:
    loads = "; ".join(
        f"{part} {about['began']}, {about['load']:.1f}, {about.get('minutes', 0):.0f} min, {about['pairs']} runs"
        for part, about in parts.items()
    )
    return f"""\
# Measured

What `make bench` wrote. [Performance](../docs/performance.md) says how each row is measured, and
what it means.

{head()}
- Each row is the median of its part's runs; where there is a peer, of as many pairs, the two of a
  pair one after the other.
- When each part was measured, the machine's load as it began, how long it took, and its runs:
  {loads}.
  Above a load of 0.5, times say little.

{markdown(rows)}
"""


if __name__ == "__main__":
    main()
