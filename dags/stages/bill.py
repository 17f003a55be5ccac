"""The bill of a night, for a spreadsheet: what each job, layer, shot and sequence has cost.

    <destination>/nights/<night>/bill.csv

Amounts are normalized seconds, and money where the connection has a rate. A cost that is not known
is an empty cell, never 0. Failed, killed and held shots are on it too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from stages.morning_figures import cost_of, sequence_of, settings_of
from stages.storage import join, put_text

COLUMNS = (
    *("level", "sequence", "shot", "layer", "job", "state", "settings", "frames"),
    *("seconds", "jobs_of_unknown_cost", "quote", "quote_least", "quote_most", "share", "ceiling"),
)
"""`level` is `job`, `layer`, `shot`, `sequence` or `night`: each says the sum of the one before."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_HOUR = 3600.0
Entry = Mapping[str, Any]


class Price(NamedTuple):
    """What a normalized hour costs, and in which currency."""

    per_hour: float
    currency: str


def write(destination: str, night: str, entries: Mapping[str, Entry], price: Price | None) -> str:
    """Write the bill of a night from the entries of its summary, and return where it is."""
    columns = [*COLUMNS, *([f"amount_{price.currency}"] if price else [])]
    text = io.StringIO()
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    table.writeheader()
    for row in rows(night, entries):
        if price and row["seconds"] != "":
            row[f"amount_{price.currency}"] = round(float(row["seconds"]) / _HOUR * price.per_hour, 4)
        table.writerow({name: _harmless(value) for name, value in row.items()})
    return put_text(join(destination, "nights", night), "bill.csv", text.getvalue())


def rows(night: str, entries: Mapping[str, Entry]) -> Iterator[dict[str, Any]]:
    """All lines, without the head: jobs before their layer, layers before their shot, and so on."""
    sequences: dict[str, list[Entry]] = {}
    for _, entry in sorted(entries.items(), key=lambda each: (sequence_of(each[1]), each[0])):
        sequences.setdefault(sequence_of(entry), []).append(entry)
        yield from _of_shot(entry)
    for name, shots in sequences.items():
        yield {"level": "sequence", "sequence": name, **_sum(shots)}
    ceilings = [entry["ceiling"] for entry in entries.values() if entry.get("ceiling") is not None]
    whole = {"level": "night", "shot": night, **_sum(list(entries.values()))}
    yield whole | ({"ceiling": max(ceilings)} if ceilings else {})


def _of_shot(entry: Entry) -> Iterator[dict[str, Any]]:
    spent: Mapping[str, float | None] = entry.get("spent") or {}
    common = {"sequence": sequence_of(entry), "shot": entry["shot"], "state": entry["state"]}
    by_layer: Mapping[str, Mapping[str, float | None]] = entry.get("by_layer") or {}
    for layer, jobs in by_layer.items():
        known = {job: spent.get(job, seconds) for job, seconds in jobs.items()}
        for job, seconds in known.items():
            yield {"level": "job", **common, "layer": layer, "job": job, "seconds": _known(seconds)}
        yield {"level": "layer", **common, "layer": layer, **_seconds(known)}
    of_layers = {job for jobs in by_layer.values() for job in jobs}
    for job, seconds in spent.items():
        if job not in of_layers:  # of an earlier run, or of another version of the shot
            yield {"level": "job", **common, "job": job, "seconds": _known(seconds)}
    quote = entry.get("quote") or {}
    yield {
        "level": "shot",
        **common,
        "settings": settings_of(entry),
        "frames": entry.get("frames") or "",
        **_cost([entry]),
        "quote": _known(quote.get("likely")),
        "quote_least": _known(quote.get("least")),
        "quote_most": _known(quote.get("most")),
        "share": _known(entry.get("share")),
        "ceiling": _known(entry.get("ceiling")),
    }


def _sum(entries: list[Entry]) -> dict[str, Any]:
    return {"frames": sum(entry.get("frames") or 0 for entry in entries), **_cost(entries)}


def _cost(entries: list[Entry]) -> dict[str, Any]:
    costs = [cost_of(entry) for entry in entries]
    unknown = sum(cost.unknown for cost in costs)
    seconds = round(sum(cost.seconds for cost in costs), 3)
    return {"seconds": seconds if seconds or not unknown else "", "jobs_of_unknown_cost": unknown}


def _seconds(jobs: Mapping[str, float | None]) -> dict[str, Any]:
    known = [seconds for seconds in jobs.values() if seconds is not None]
    unknown = len(jobs) - len(known)
    return {"seconds": round(sum(known), 3) if known or not unknown else "", "jobs_of_unknown_cost": unknown}


def _known(value: float | None) -> Any:
    return "" if value is None else round(value, 3)


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet does not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
