"""The table, and what deviates."""

from __future__ import annotations

from collections.abc import Sequence

from proofs.chaos.driver import Report

_HEAD = (
    "scenario",
    "shots",
    "renders per shot",
    "left running",
    "results lost",
    "healthy cancelled",
    "faults met",
    "seconds",
)


def table(reports: Sequence[Report]) -> str:
    """One row for each group of scenarios."""
    groups: dict[str, list[Report]] = {}
    for report in reports:
        groups.setdefault(report.scenario.group, []).append(report)
    rows = [_HEAD, *(_row(name, group) for name, group in groups.items()), _row("all", reports)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _row(name: str, reports: Sequence[Report]) -> tuple[str, ...]:
    pairs = [(report.scenario.expect, figures) for report in reports for figures in report.figures]
    lost = sum(expected.result and not found.result for expected, found in pairs)
    cancelled = sum(max(0, found.canceled - expected.canceled) for expected, found in pairs)
    # What was to be stopped and was not counts too, though it may have come to its own end by now.
    running = sum(max(found.running, expected.canceled - found.canceled) for expected, found in pairs)
    renders = sorted({found.renders for _, found in pairs})
    seconds = max((report.seconds for report in reports), default=0.0)
    return (
        name,
        str(len(pairs)),
        " or ".join(map(str, renders)),
        str(running),
        str(lost),
        str(cancelled),
        f"{sum(report.met for report in reports)} of {sum(report.planned for report in reports)}",
        f"{seconds:.0f}",
    )


def deviations(reports: Sequence[Report]) -> list[str]:
    """Every figure that is off."""
    return [text for report in reports for text in report.deviations]
