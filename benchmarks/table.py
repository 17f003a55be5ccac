"""Rows of the table that `make bench` writes, and what they are made of."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "apache-airflow",
    "apache-airflow-providers-http",
    "httpx",
    "aiohttp",
    "urllib3",
    "fastapi",
    "uvicorn",
    "SQLAlchemy",
)
"""Whose versions stand in the table's head."""


@dataclass(frozen=True)
class Row:
    """One piece of work that was measured.

    Attributes:
        work: what was done.
        goal: what was to be reached, in words; empty where a figure is only for information.
        result: what was measured.
        met: whether the goal was reached; None where there is none.
        note: what one has to know to read the result, such as the two figures of a ratio.
    """

    work: str
    goal: str
    result: str
    met: bool | None = None
    note: str = ""


def at_most(work: str, value: float, limit: float, unit: str = "", note: str = "", digits: int = 1) -> Row:
    """A row whose value has to stay at or below a limit."""
    return Row(work, f"at most {limit:g}{unit}", f"{value:.{digits}f}{unit}", value <= limit, note)


def under(work: str, value: float, limit: float, unit: str = "", note: str = "", digits: int = 1) -> Row:
    """A row whose value has to stay below a limit."""
    return Row(work, f"under {limit:g}{unit}", f"{value:.{digits}f}{unit}", value < limit, note)


def at_least(work: str, value: float, limit: float, unit: str = "", note: str = "", digits: int = 2) -> Row:
    """A row whose value has to reach a limit."""
    return Row(work, f"at least {limit:g}{unit}", f"{value:.{digits}f}{unit}", value >= limit, note)


def median(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which this share of all values lies: one of them, never one in between."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(percent) // 100) - 1)]


def spread(values: Sequence[float], unit: str = "", digits: int = 1) -> str:
    """The smallest and the largest, for a note."""
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}{unit} in {len(values)} runs"


def ratio_of(pairs: Sequence[tuple[float, float]]) -> float:
    """The median of the ratios: the two of a pair were measured one after the other."""
    return median(ours / theirs for ours, theirs in pairs)


def markdown(rows: Sequence[Row]) -> str:
    """The table, as it stands in `RESULTS.md`."""
    lines = ["| work | goal | measured | met |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.work} | {row.goal} | {row.result} | {_met(row)} |" for row in rows]
    notes = [f"- {row.work}: {row.note}" for row in rows if row.note]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def _met(row: Row) -> str:
    return "" if row.met is None else "yes" if row.met else "**no**"


def head() -> str:
    """When and where the table was made."""
    cpu = _first("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()
    memory = _first("/proc/meminfo", "MemTotal")
    gib = f", {int(memory.split()[0]) / 1024**2:.0f} GiB of memory" if memory else ""
    lines = [
        f"- Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"- Machine: {os.cpu_count()} cores, {cpu}{gib}",
        f"- System: {platform.system()} {platform.release()}",
        f"- Python {sys.version.split()[0]}; {', '.join(_versions())}",
    ]
    return "\n".join(lines)


def _versions() -> Iterable[str]:
    for name in PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue


def _first(path: str, name: str) -> str:
    """The first value of this name in a file of the kernel."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
