"""Plan a night: which shots are new or changed, and which of them are started again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from renderjuice_provider.api.redact import redact
from stages.delivery import current_delivery
from stages.entries import read_entry
from stages.orders import content_of, date_of, hashes_of, make_order, mark_of, quality_of, run_id_of
from stages.records import read_record
from stages.shot_list import ListedShot
from stages.shot_text import Problem
from stages.storage import join
from stages.summary_record import Summary

_LONGEST_REASON = 1000


def names_of(shots: Iterable[str] | None) -> set[str]:
    """The names that someone typed into the param `shots`."""
    return {name.strip() for name in shots or () if name.strip()}


def plan_night(
    shots: Sequence[ListedShot], problems: Sequence[Problem], params: Mapping[str, Any], night: str, run_id: str
) -> dict[str, Any]:
    """What to do with each shot.

    Args:
        shots: what can be rendered, by priority.
        problems: mistakes of single shots; these shots are rejected.
        params: of the DAG: `shots` (names; empty for all), `quality`, `destination`, `work`,
            `failed_only`.
        night: its date, such as `2026-11-23`.
        run_id: of the nightly's run. Shots that already had a run this night get another, whose id
            has a mark made from it.

    Returns:
        `night`, `shots` (each with the `order`, `run_id`, `why` it is rendered, and `replaces`:
        when the entry was written that an earlier run of the night has left), and `entries`, the
        summary's entries of all other shots: `skipped` when content and settings equal those of the
        last delivery, `rejected`, and `failed` for a shot that already failed this very night with
        the same content. To render that again would cost the same and fail the same, so only
        `failed_only` does.

    Raises:
        ValueError: when `params["shots"]` names one that is not in the list (with `failed_only`, in
            the night's summary), there is no such summary, or `night` is not a date.
        RecordError: when the night's summary is not as it was written.
    """
    night, wanted, again = date_of(night), names_of(params["shots"]), params.get("failed_only", False)
    quality_of(params["quality"])
    summary = read_record(join(params["destination"], "nights", night, "summary.json"), Summary)
    earlier = (summary or {"shots": {}})["shots"]
    known = {shot.name for shot in shots} | {str(problem.shot) for problem in problems}
    if again:
        if summary is None:
            raise ValueError(f"There is no summary of the night of {night} in {params['destination']}")
        if unknown := sorted(wanted - set(earlier)):
            raise ValueError(f"The night of {night} had no {', '.join(unknown)}")
        failed = {name for name, entry in earlier.items() if entry["state"] == "failed"}
        wanted = failed & (wanted or failed)
    elif unknown := sorted(wanted - known):
        raise ValueError(f"The shot list has no {', '.join(unknown)}")
    else:
        wanted = wanted or known
    entries = _rejections([problem for problem in problems if problem.shot in wanted])
    gone = "the shot list does not have it any more, so it was not started again"
    entries += [earlier[name] | {"carried_over": True, "reason": gone} for name in sorted(wanted - known)]
    planned = []
    orders, unread = _orders([shot for shot in shots if shot.name in wanted], params, night, earlier)
    entries += unread
    for order, before in orders:
        delivered = current_delivery(order["delivery"])
        if not again and was_paid_in_vain(before, order):
            entries.append({**before, "carried_over": True})
        elif not again and delivered and delivered["fingerprint"] == order["fingerprint"]:
            reason = f"unchanged since its delivery of {delivered.get('night', 'an unknown night')}"
            entries.append({"shot": order["shot"], "state": "skipped", "reason": reason})
        else:
            why = "started again" if again else "changed" if delivered else "new"
            planned.append({"order": order, "why": why} | _run(order, before, run_id))
    return {"night": night, "shots": planned, "entries": entries}


def was_paid_in_vain(entry: Mapping[str, Any], order: Mapping[str, Any]) -> bool:
    """Whether the night's entry says that this order was already rendered, and failed."""
    same = (entry.get("order") or {}).get("fingerprint") == order["fingerprint"]
    return same and entry.get("state") == "failed" and bool(entry.get("decision") or entry.get("spent"))


def _run(order: Mapping[str, Any], before: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    same = (before.get("order") or {}).get("fingerprint") == order["fingerprint"]
    return {"run_id": run_id_of(order, mark_of(run_id) if same else ""), "replaces": before.get("written")}


def _rejections(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    reasons: dict[str, list[str]] = {}
    for problem in problems:
        reasons.setdefault(str(problem.shot), []).append(f"line {problem.line}: {problem.message}")
    return [_rejection(shot, "; ".join(found)) for shot, found in reasons.items()]


def _rejection(shot: str, reason: str) -> dict[str, Any]:
    return {"shot": shot, "state": "rejected", "reason": redact(reason, longest=_LONGEST_REASON)}


def _orders(
    shots: Sequence[ListedShot], params: Mapping[str, Any], night: str, earlier: Mapping[str, Any]
) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], list[dict[str, Any]]]:
    """The order of each shot, and what became of it earlier this night: its entry, or empty.

    An entry of its own is newer than what the night's last summary says. Beside them the entries of
    shots whose scenes cannot be read.
    """
    hashes = hashes_of({file for shot in shots for file in shot.files.values()})
    orders: list[dict[str, Any]] = []
    unread = []
    for shot in shots:
        quality = params["quality"]
        if params.get("failed_only") and quality == "auto":  # what is there has that of the night
            quality = (earlier.get(shot.name, {}).get("order") or {}).get("quality", quality)
        try:
            content = content_of(shot, hashes)
        except ValueError as error:
            unread.append(_rejection(shot.name, str(error)))
        else:
            orders.append(make_order(shot, content, {**params, "quality": quality}, night))
    with ThreadPoolExecutor(max_workers=8) as pool:
        entries = list(pool.map(read_entry, [order["entry"] for order in orders]))
    before = [entry or earlier.get(order["shot"], {}) for order, entry in zip(orders, entries, strict=True)]
    return list(zip(orders, before, strict=True)), unread
