"""The morning report: one HTML file that opens anywhere, about a night's shots and their cost.

It holds its pictures, and needs no script and no other file. Links lead to deliveries only where
they can be followed: relative ones, which work when the report is opened from beside them, and
addresses without a signature.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from renderjuice_provider.api.redact import redact
from renderjuice_provider.frames import numbers
from stages import morning_figures as figures
from stages.morning_figures import Comparison, Cost, Entry, Nights
from stages.records import RecordError, read_record
from stages.storage import join, put_text, storage
from stages.summary_record import Summary
from stages.thumbnails import Picture, pictures

MOST_NIGHTS = 5
"""Earlier nights that a night is compared with."""
TEMPLATE = Path(__file__).with_name("morning_report.html.jinja")
_NIGHT = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONGEST_REASON = 1000
_LONGEST_PLACE = 2000
_ORDER = ("failed", "rejected", "held", "delivered", "skipped")


class Shot(NamedTuple):
    """A shot as the page shows it. All texts are clean; the template escapes them."""

    anchor: str
    name: str
    sequence: str
    state: str
    reason: str
    task: str
    run_id: str
    nights: int
    facts: list[str]
    lost: list[str]
    remarks: list[str]
    rendering: str
    cost: Cost
    layers: str
    again: str
    quote: tuple[str, str] | None
    comparison: Comparison | None
    frames: int
    rounds: int
    settings: str
    picture: Picture
    links: list[tuple[str, str, str]]


def write(destination: str, night: str) -> str:
    """Make `<destination>/nights/<night>/report.html` and return where it is.

    All pictures together take at most 6 MiB, the text some kilobytes for each shot: 200 shots stay
    below 8 MB. What cannot be read, such as a contact sheet or an earlier night's summary, is named
    in the report.

    Args:
        destination: of the deliveries: a local path, or any ObjectStoragePath URL.
        night: its date; its `summary.json` is there.

    Raises:
        ValueError: when there is no summary of that night.
        RecordError: when it is damaged.
    """
    where = join(destination, "nights", night)
    summary = read_record(join(where, "summary.json"), Summary)
    if summary is None:
        raise ValueError(f"There is no summary of the night of {night} in {redact(destination)}")
    nights, notes = earlier_nights(destination, night)
    return put_text(where, "report.html", page(destination, night, summary["shots"], nights, notes))


def earlier_nights(destination: str, night: str) -> tuple[Nights, list[str]]:
    """The summaries of the nights before, the last one first, and what is wrong with them."""
    nights: list[tuple[str, Mapping[str, Entry]]] = []
    notes: list[str] = []
    try:
        names = [path.name.strip("/") for path in storage(join(destination, "nights")).iterdir()]
        before = sorted((name for name in names if _NIGHT.fullmatch(name) and name < night), reverse=True)
    except Exception as error:  # noqa: BLE001 - each store has errors of its own, and none is worth a report
        return [], [f"Earlier nights could not be listed ({type(error).__name__}): nothing is compared"]
    for name in before[:MOST_NIGHTS]:
        try:
            found = read_record(join(destination, "nights", name, "summary.json"), Summary)
            problem = "is not there, or was cut short"
        except RecordError:
            found, problem = None, "is damaged, or was not written by these DAGs"
        except Exception as error:  # noqa: BLE001 - likewise
            found, problem = None, f"could not be read ({type(error).__name__})"
        if found is None:
            notes.append(f"The summary of {name} {problem}: nothing is compared with that night")
        else:
            nights.append((name, found["shots"]))
    return nights, notes


def page(destination: str, night: str, entries: Mapping[str, Entry], nights: Nights, notes: Sequence[str] = ()) -> str:
    """The report as HTML."""
    import jinja2

    sheets = {
        name: sheet
        for name, entry in entries.items()
        if entry["state"] == "delivered" and (sheet := _sheet_of(entry, destination))
    }
    shown = pictures(sheets)
    shots = [
        _shot(f"shot-{number}", entry, shown.get(name), destination, nights)
        for number, (name, entry) in enumerate(sorted(entries.items()))
    ]
    spending = [shot for shot in shots if shot.cost.seconds or shot.cost.unknown or shot.quote]
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        night=night,
        title=_title(night),
        shows=sorted({_clean(entry["show"]) for entry in entries.values() if entry.get("show")}),
        total=figures.row(night, entries.values()),
        groups={state: [shot for shot in shots if shot.state == state] for state in _ORDER},
        skipped=_by_reason(shot for shot in shots if shot.state == "skipped"),
        sequences=[each._replace(name=_clean(each.name)) for each in figures.by_sequence(entries.values())],
        spending=sorted(spending, key=lambda shot: (-shot.cost.seconds, -shot.cost.unknown, shot.name)),
        nights=[figures.row(name, found.values()) for name, found in nights],
        ceiling=figures.ceiling_of(entries.values()),
        quoted=any(shot.quote for shot in spending),
        notes=list(notes),
        seconds=figures.seconds_text,
        per_frame=figures.per_frame_text,
        duration=figures.duration_text,
    )


def _title(night: str) -> str:
    try:
        return f"{date.fromisoformat(night):%A, %-d %B %Y}"
    except ValueError:
        return night


def _shot(anchor: str, entry: Entry, picture: Picture | None, destination: str, nights: Nights) -> Shot:
    name = entry["shot"]
    reason = " ".join(str(entry.get("reason") or "").split()).removeprefix(f"{name} failed: ")
    wanted = (("movie", entry.get("movie")), ("manifest", entry.get("manifest")))
    return Shot(
        anchor=anchor,
        name=_clean(name),
        sequence=_clean(figures.sequence_of(entry)),
        state=entry["state"],
        reason=_clean(reason, _LONGEST_REASON),
        task=_clean(entry.get("task")),
        run_id=_clean(entry.get("run_id")),
        nights=figures.nights_in_a_row(name, entry["state"], nights),
        facts=_facts(entry),
        lost=[
            f"frames {numbers(gap['frames'], 5)} of {_clean(gap['node'])} ({_clean(gap['layer'])})"
            for gap in entry.get("missing", ())
        ]
        or (["some of it: see its manifest"] if entry.get("complete") is False else []),
        remarks=[f"{_clean(place)} {_clean(why)}" for place, why in sorted((entry.get("remarks") or {}).items())],
        rendering=_clean(", ".join(entry.get("still_rendering", ()))),
        cost=figures.cost_of(entry),
        layers=_layers(entry),
        again=figures.again_text(entry),
        quote=_quote(entry),
        comparison=figures.compare(name, entry, nights),
        frames=entry.get("frames", 0),
        rounds=entry.get("rounds") or 0,
        settings=_clean(figures.settings_of(entry)),
        picture=picture or Picture(problem="it has no contact sheet among these deliveries"),
        links=[(label, link(place, destination), _clean(place, _LONGEST_PLACE)) for label, place in wanted if place],
    )


def _layers(entry: Entry) -> str:
    """What each of several layers cost."""
    costs = figures.cost_of_layers(entry)
    return _clean(", ".join(f"{layer} {cost}" for layer, cost in costs.items())) if len(costs) > 1 else ""


def _quote(entry: Entry) -> tuple[str, str] | None:
    """What it was likely to cost, and the range; marked where it came out above that."""
    quote = entry.get("quote")
    if not quote:
        return None
    mark = "dearer" if figures.cost_of(entry).seconds > quote["most"] else ""
    return f"{figures.seconds_text(quote['likely'])} ({quote['least']:,.0f}\u2013{quote['most']:,.0f})", mark


def _facts(entry: Entry) -> list[str]:
    """A shot's line of small print, such as `24 frames · final · 2 layers: sky, base`."""
    frames, rounds, layers = entry.get("frames", 0), entry.get("rounds") or 0, figures.layers_of(entry)
    size, fps, settings = (entry.get("width"), entry.get("height")), entry.get("fps"), figures.settings_of(entry)
    facts = ["1 frame" if frames == 1 else f"{frames:,} frames"] if frames else []
    facts += [f"{size[0]} × {size[1]}"] if all(isinstance(side, int) for side in size) else []  # noqa: RUF001
    facts += [f"{fps:g} fps"] if isinstance(fps, (int, float)) else []
    facts += [f"{settings} settings"] if settings else []
    facts += [f"{len(layers)} layers: {', '.join(layers)}"] if len(layers) > 1 else []
    facts += [f"{rounds} rounds"] if rounds > 1 else []
    facts += [quoted] if (quoted := figures.quote_text(entry)) else []
    facts += [f"version {entry['version'][:8]}"] if entry.get("version") else []
    return [_clean(fact) for fact in facts]


def _sheet_of(entry: Entry, destination: str) -> str:
    """Where a contact sheet is. Only files among the deliveries are shown."""
    beside = entry.get("manifest") or entry.get("movie") or ""
    sheet = entry.get("contact_sheet") or (join(beside.rpartition("/")[0], "contact_sheet.png") if beside else "")
    return sheet if _inside(sheet, destination) else ""


def _inside(place: str, destination: str) -> str:
    """The rest of a path below `destination`; empty when it is not below it."""
    root = destination.rstrip("/") + "/"
    rest = place[len(root) :] if place.startswith(root) else ""
    return "" if ".." in rest.split("/") else rest


def link(place: str, destination: str) -> str:
    """An address for `place` that a reader can follow; empty when there is none."""
    if redact(place, longest=_LONGEST_PLACE) != place:
        return ""  # a query may be a signature, and what is not printable leads nowhere
    if rest := _inside(place, destination):
        return "../../" + quote(rest)
    try:
        parts = urlsplit(place)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https", "s3"} or not parts.hostname:
        return ""
    # The id of an Airflow connection before a bucket means nothing outside Airflow.
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _by_reason(shots: Any) -> list[tuple[str, list[str]]]:
    reasons: dict[str, list[str]] = {}
    for shot in shots:
        reasons.setdefault(shot.reason or "no reason is on record", []).append(shot.name)
    return sorted(reasons.items(), key=lambda each: (-len(each[1]), each[0]))


def _clean(text: Any, longest: int = 300) -> str:
    return redact(str(text or ""), longest=longest)
