"""What the layers of a shot have cost per frame: in its last nights, and in its work folder.

All amounts are normalized seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from renderjuice_provider.api.config import CHANGES_NO_PIXEL
from renderjuice_provider.frames import ordered_frames, read_numbers
from stages.decisions import frame_numbers, layers_of
from stages.entries import JOBS, read_entry
from stages.quotes import Quote, by_history, by_probe
from stages.spending import job_outcomes
from stages.storage import join, names_in, read_json

NIGHTS = 5
"""Earlier nights that a quote is made from, at most."""


def quotes_of(order: Mapping[str, Any], decision: Mapping[str, Any], renderjuice_conn_id: str) -> dict[str, Quote]:
    """The quotes of a shot's layers, of what is still to be rendered, as far as there can be one.

    By its last nights with the same settings; else by what its frames have cost that are rendered
    already, such as those of a probe.
    """
    nights = _per_frame(order, decision)
    found = {}
    for layer in layers_of(order):
        frames = len(missing(order, decision, layer)) or 1  # one that is there may turn out to be damaged
        quote = by_history(nights.get(layer, ()), frames) or _by_frames(order, layer, frames, renderjuice_conn_id)
        if quote is not None:
            found[layer] = quote
    return found


def missing(order: Mapping[str, Any], decision: Mapping[str, Any], layer: str) -> list[int]:
    """The frames of a layer that are not in its work folder."""
    names = (name for name in names_in(join(order["work"], layer, "frames")) if not name.startswith("."))
    there = set(read_numbers(names).values())
    return [frame for frame in frame_numbers(decision["frames"]) if frame not in there]


def _by_frames(order: Mapping[str, Any], layer: str, frames: int, renderjuice_conn_id: str) -> Quote | None:
    """By all jobs of this version, whichever run has ordered them."""
    jobs = [job for job in read_json(join(order["work"], layer, JOBS)) or () if isinstance(job, dict)]
    counts = {job["job_id"]: len(ordered_frames(job.get("render_config")) or ()) for job in jobs}
    if not counts:
        return None
    outcomes = job_outcomes({layer: counts}, [], renderjuice_conn_id)[layer]
    known = {job: outcomes[job]["seconds"] for job in counts if counts[job] and outcomes[job]["seconds"]}
    # A job that failed half-way has rendered fewer frames than were ordered: the dearest counts.
    each = max((seconds / counts[job] for job, seconds in known.items()), default=0.0)
    return by_probe(each, 1, frames) if each else None


def _per_frame(order: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, list[float]]:
    """By layer, what a frame has cost in each of the last nights with the same settings."""
    nights, _, place = order["entry"].partition(f"/{order['night']}/")
    earlier = sorted((name for name in names_in(nights) if name < order["night"]), reverse=True)
    found: dict[str, list[float]] = {}
    nights_found = 0
    for night in earlier:
        entry = read_entry(join(nights, night, place))
        if entry.get("state") != "delivered" or nights_found >= NIGHTS:
            continue
        before = (entry.get("decision") or {}).get("configs") or {}
        frames = (entry.get("frames_ordered") or 0) / max(1, len(entry.get("layers") or ()))
        nights_found += 1
        for layer, jobs in (entry.get("by_layer") or {}).items():
            same = _settings(before.get(layer)) == _settings((decision.get("configs") or {}).get(layer))
            if same and frames and jobs and None not in jobs.values() and (seconds := sum(jobs.values())):
                found.setdefault(layer, []).append(seconds / frames)
    return found


def _settings(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """What decides on pixels, and so on the cost of a frame."""
    return {name: value for name, value in (config or {}).items() if name not in {"frameRanges", *CHANGES_NO_PIXEL}}
