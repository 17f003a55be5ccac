"""Plan a night: which shots are new or changed, and with which fingerprint they are delivered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from renderjuice_provider.api.config import CHANGES_NO_PIXEL
from stages.colour_spaces import COLOUR_CONFIG
from stages.composite import VIEWS
from stages.decisions import CAPS, SETTINGS, frame_numbers, frame_ranges
from stages.delivery import current_delivery
from stages.records import Summary, read_record
from stages.shot_list import ListedShot
from stages.shot_text import Problem
from stages.storage import join, sha256

PIPELINE = 1
"""Raise it when a change of these stages should deliver every shot again."""
_SHORT = 16
"""Hex digits of a fingerprint in names of folders: 64 bits do not collide within one shot."""


def night_of(moment: datetime, timezone: str) -> str:
    """The date of the night that `moment` belongs to. A night ends at noon of the next day."""
    return str((moment.astimezone(ZoneInfo(timezone)) - timedelta(hours=12)).date())


def date_of(text: str) -> str:
    """A date as in names of folders, such as 2026-11-23. Python also accepts `20261123`.

    Raises:
        ValueError: for any other text.
    """
    try:
        return str(datetime.strptime(text.strip(), "%Y-%m-%d").date())  # noqa: DTZ007 - a date has no time zone
    except ValueError:
        raise ValueError(f"{text!r} is not a date: write it as 2026-11-23") from None


def names_of(shots: Iterable[str] | None) -> set[str]:
    """The names that someone typed into the param `shots`."""
    return {name.strip() for name in shots or () if name.strip()}


def plan_night(
    shots: Sequence[ListedShot], problems: Sequence[Problem], params: Mapping[str, Any], night: str
) -> dict[str, Any]:
    """What to do with each shot.

    Args:
        shots: what can be rendered, by priority.
        problems: mistakes of single shots; these shots are rejected.
        params: of the DAG: `shots` (names; empty for all), `quality`, `destination`, `work`.
        night: its date, such as `2026-11-23`.

    Returns:
        `night`, `orders` (what to render), and `entries`, the summary's entries of all other shots:
        `skipped` when content and settings equal those of the last delivery, `rejected`, and
        `failed` for a shot that already failed this very night with the same content. To render
        that again would cost the same and fail the same; `renderjuice_rerender_failed` repairs it.

    Raises:
        ValueError: when `params["shots"]` names one that is not in the list, or `night` is not a
            date.
        RecordError: when the night's summary is not as it was written.
    """
    night = date_of(night)
    wanted = names_of(params["shots"])
    known = {shot.name for shot in shots} | {problem.shot for problem in problems}
    if unknown := sorted(wanted - known):
        raise ValueError(f"The shot list has no {', '.join(unknown)}")
    entries = _rejections([problem for problem in problems if not wanted or problem.shot in wanted])
    earlier = read_record(join(params["destination"], "nights", night, "summary.json"), Summary) or {"shots": {}}
    orders = []
    for order in _orders([shot for shot in shots if not wanted or shot.name in wanted], params, night):
        delivered = current_delivery(order["delivery"])
        before = earlier["shots"].get(order["shot"], {})
        if delivered and delivered["fingerprint"] == order["fingerprint"]:
            reason = f"unchanged since its delivery of {delivered.get('night', 'an unknown night')}"
            entries.append({"shot": order["shot"], "state": "skipped", "reason": reason})
        elif was_paid_in_vain(before, order):
            entries.append(before | {"carried_over": True})
        else:
            orders.append(order)
    return {"night": night, "orders": orders, "entries": entries}


def was_paid_in_vain(entry: Mapping[str, Any], order: Mapping[str, Any]) -> bool:
    """Whether the night's summary says that this order was already rendered, and failed."""
    same = (entry.get("order") or {}).get("fingerprint") == order["fingerprint"]
    return same and entry.get("state") == "failed" and bool(entry.get("decision"))


def _rejections(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    reasons: dict[str, list[str]] = {}
    for problem in problems:
        reasons.setdefault(str(problem.shot), []).append(f"line {problem.line}: {problem.message}")
    return [{"shot": shot, "state": "rejected", "reason": "; ".join(found)} for shot, found in reasons.items()]


def _orders(shots: Sequence[ListedShot], params: Mapping[str, Any], night: str) -> list[dict[str, Any]]:
    files = sorted({file for shot in shots for file in shot.files.values()})
    with ThreadPoolExecutor(max_workers=4) as pool:  # hashing and reading both release Python's lock
        hashes = dict(zip(files, pool.map(sha256, files), strict=True))
    return [_order(shot, hashes, params, night) for shot in shots]


def _order(shot: ListedShot, hashes: Mapping[str, str], params: Mapping[str, Any], night: str) -> dict[str, Any]:
    """All that the tasks of a shot need. It goes through XCom, so it is small, and JSON."""
    content = {layer: hashes[file] for layer, file in shot.files.items()}
    mark = fingerprint(shot, content, params["quality"])
    return {
        "shot": shot.name,
        "show": shot.show,
        "night": night,
        "fingerprint": mark,
        "sequence": shot.sequence,
        "layers": list(shot.files),
        "blends": shot.blends,
        "files": shot.files,
        "content": content,
        "frames": shot.frames,
        "fps": shot.fps,
        "hero": shot.hero,
        "quality": params["quality"],
        "render": shot.render,
        "delivery": join(params["destination"], "shots", shot.name),
        "work": join(params["work"], shot.name, mark[:_SHORT]),
    }


def fingerprint(shot: ListedShot, content: Mapping[str, str], quality: str) -> str:
    """SHA-256 of all that changes pixels: the scenes' bytes, and shot and pipeline settings.

    What is as it always was is left out, so that adding a feature delivers nothing again. Paths,
    priorities, dates, notes and the way in which frames are written are not part of it:
    changing them renders nothing again.
    """
    decisive = {
        "pipeline": PIPELINE,
        "content": dict(content),
        "frames": shot.frames and frame_ranges(frame_numbers(shot.frames)),
        "fps": shot.fps,
        "hero": shot.hero,
        "quality": quality,
        "render": {name: value for name, value in shot.render.items() if name not in CHANGES_NO_PIXEL},
        "settings": [SETTINGS, CAPS],
        "colour": [COLOUR_CONFIG, VIEWS],
    }
    if (layers := list(shot.files)) != sorted(layers):
        decisive["layers"] = layers  # `content` does not say their order, since its keys are sorted
    if shot.blends:
        decisive["blends"] = dict(shot.blends)
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
