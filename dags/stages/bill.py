"""The bill of a night: what each job, layer, shot and sequence has cost, against quote and ceiling.

    <destination>/nights/<night>/bill.csv

Amounts are normalized seconds, and money where the connection has a rate. A cost that is not known
is an empty cell, never 0. Failed, killed and held shots are on it too.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stages.amounts import HOUR, Price
from stages.morning_figures import (
    Cost,
    again_text,
    by_layer,
    ceiling_of,
    cost_again,
    cost_of,
    cost_of_layers,
    quote_text,
    sequence_of,
    settings_of,
)
from stages.storage import join, put_text

COLUMNS = (
    *("level", "sequence", "shot", "layer", "job", "state", "settings", "frames", "frames_ordered", "frames_again"),
    *("seconds", "seconds_again", "jobs_of_unknown_cost", "quote", "quote_least", "quote_most", "share", "ceiling"),
)
"""`level` is `job`, `layer`, `shot`, `sequence` or `night`: each says the sum of the one before.
`frames` were delivered. `frames_again` had been ordered before, and `seconds_again` is their part
of the seconds."""
_FORMULA = re.compile(r"""(?:^|(?<=[;,|\t\r\n]))(?=[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20])""")
"""Where a spreadsheet would begin a formula: with a cell, also where its separator is another."""
_QUOTES = {"quote": "likely", "quote_least": "least", "quote_most": "most"}
Entry = Mapping[str, Any]


def write(destination: str, night: str, entries: Mapping[str, Entry], price: Price | None) -> str:
    """Write the bill of a night from the entries of its summary, and return where it is."""
    amount = f"amount_{price.currency}" if price else ""
    text = io.StringIO()
    table = csv.DictWriter(text, [*COLUMNS, *([amount] if amount else [])], restval="", lineterminator="\n")
    table.writeheader()
    for row in rows(night, entries):
        if price and row["seconds"] != "":
            row[amount] = round(float(row["seconds"]) / HOUR * price.per_hour, 4)
        table.writerow({name: _harmless(value) for name, value in row.items()})
    return put_text(join(destination, "nights", night), "bill.csv", text.getvalue())


def rows(night: str, entries: Mapping[str, Entry]) -> Iterator[dict[str, Any]]:
    """All lines, without the head: jobs before their layer, layers before their shot, and so on."""
    for name, shots in _by_sequence(entries.values()):
        for entry in shots:
            yield from _of_shot(entry)
        yield {"level": "sequence", "sequence": name, **_sum(shots)}
    whole = {"level": "night", "shot": night, **_sum(entries.values())}
    yield whole | {"ceiling": _known(ceiling_of(entries.values()))}


def as_text(entries: Iterable[Entry]) -> str:
    """The same in short, as Markdown: sequences, and their shots that cost something."""
    lines = []
    for name, shots in _by_sequence(entries):
        said = [f"  - **{entry['shot']}**: {found}" for entry in shots if (found := line(entry))]
        if said:
            lines += [f"- **{name}**: {sum(map(cost_of, shots), Cost())}", *said]
    return "\n".join(["", "## Spent", "", *lines, ""]) if lines else ""


def line(entry: Entry) -> str:
    """`95 s (base 60 s, over 30 s), 5.0 s of it for frames ordered again, quoted 100 s ...`."""
    cost, layers = cost_of(entry), cost_of_layers(entry)
    if not (cost.seconds or cost.unknown or entry.get("quote")):
        return ""
    of_layers = ", ".join(f"{layer} {each}" for layer, each in layers.items()) if len(layers) > 1 else ""
    words = [f"{cost} ({of_layers})" if of_layers else str(cost), again_text(entry), quote_text(entry)]
    return ", ".join(filter(None, words))


def _by_sequence(entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    sequences: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda each: (sequence_of(each), each["shot"])):
        sequences.setdefault(sequence_of(entry), []).append(entry)
    yield from sequences.items()


def _of_shot(entry: Entry) -> Iterator[dict[str, Any]]:
    spent: Mapping[str, float | None] = entry.get("spent") or {}
    ordered = entry.get("jobs") or {}
    common = {"sequence": sequence_of(entry), "shot": entry["shot"], "state": entry["state"]}
    for layer, jobs in by_layer(entry).items():
        for job in jobs:
            yield {"level": "job", **common, "layer": layer, "job": job, **_of_jobs([job], spent, ordered)}
        if layer:  # of jobs that another version of the shot had ordered, it is not known
            yield {"level": "layer", **common, "layer": layer, **_of_jobs(jobs, spent, ordered)}
    yield {
        "level": "shot",
        **common,
        "settings": settings_of(entry),
        **_sum([entry]),
        "share": _known(entry.get("share")),
        "ceiling": _known(entry.get("ceiling")),
    }


def _of_jobs(
    jobs: Iterable[str], spent: Mapping[str, float | None], ordered: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    chosen = {job: spent.get(job) for job in jobs}
    part = {"shot": "", "state": "", "spent": chosen, "jobs": {job: ordered[job] for job in chosen if job in ordered}}
    return {name: value for name, value in _sum([part]).items() if name != "frames"}


def _sum(entries: Iterable[Entry]) -> dict[str, Any]:
    entries = list(entries)
    cost = sum(map(cost_of, entries), Cost())
    seconds = round(cost.seconds, 3) if cost.seconds or not cost.unknown else ""
    jobs = [job for entry in entries for job in (entry.get("jobs") or {}).values()]
    quotes = [entry["quote"] for entry in entries if entry.get("quote")]
    return {
        "frames": sum(entry.get("frames") or 0 for entry in entries if entry["state"] == "delivered"),
        "frames_ordered": sum(job["frames"] for job in jobs),
        "frames_again": sum(job["again"] for job in jobs),
        "seconds": seconds,
        "seconds_again": seconds if seconds == "" else round(sum(map(cost_again, entries)), 3),
        "jobs_of_unknown_cost": cost.unknown,
    } | {column: _known(sum(quote[name] for quote in quotes) if quotes else None) for column, name in _QUOTES.items()}


def _known(value: float | None) -> Any:
    return "" if value is None else round(value, 3)


def _harmless(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula."""
    return _FORMULA.sub("'", value) if isinstance(value, str) else value
