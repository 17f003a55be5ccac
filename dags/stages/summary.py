"""What became of the night: for on-call in the log, for programs in JSON, and for `renderjuice_rerender_failed` to go on from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from renderjuice_provider.waiting.frames import numbers
from stages.storage import join, put_json, put_text, read_json

STATES = ("delivered", "skipped", "rejected", "failed")
_INSTANCE = re.compile(r"(.+)_(\d+)")
_OVER = frozenset({"success", "skipped", "failed", "upstream_failed", "removed"})


def entries_of(
    orders: Sequence[Mapping[str, Any]],
    states: Mapping[str, str | None],
    xcoms: Mapping[str, Iterable[Mapping[str, Any]]],
) -> list[dict[str, Any]]:
    """An entry for each shot that the DAG went through.

    Args:
        orders: in the order of their map indexes.
        states: of the group's task instances, by `<task id>_<map index>`, as Airflow gives them.
        xcoms: what the tasks left: `decisions`, `renders`, `rejections`, `deliveries`, and `failures` (of `note_failure`).
    """
    decisions = {decision["shot"]: decision for decision in xcoms["decisions"]}
    rejections = {rejection["shot"]: rejection for rejection in xcoms["rejections"]}
    deliveries = {delivery["shot"]: delivery for delivery in xcoms["deliveries"]}
    seconds = {render["job_id"]: render.get("normalized_seconds") or 0.0 for render in xcoms["renders"]}
    failures = {failure["map_index"]: failure for failure in xcoms["failures"]}
    entries = []
    for index, order in enumerate(orders):
        shot = order["shot"]
        decision, failure = decisions.get(shot), failures.get(index, {})
        entry: dict[str, Any] = {"shot": shot, "state": "failed", "order": dict(order), "decision": decision}
        jobs = decision["jobs"].values() if decision else ()
        entry["render_seconds"] = round(
            sum(seconds.get(job, 0.0) for job in jobs) + failure.get("render_seconds", 0.0), 3
        )
        troubled = _not_well(states, index)
        if shot in rejections:
            entry |= {"state": "rejected", "reason": "; ".join(rejections[shot]["reasons"])}
        elif failure.get("rejects"):
            entry |= {"state": "rejected", "reason": failure["reason"]}
        elif shot in deliveries and not troubled:
            entry |= {"state": "delivered", **deliveries[shot]}
        else:
            task = failure.get("task") or (troubled[0] if troubled else "")
            entry |= {"reason": failure.get("reason") or f"see the log of {task or 'its tasks'}", "task": task}
        entries.append(entry)
    return entries


def report(night: str, entries: Sequence[Mapping[str, Any]], *, dry_run: Sequence[str] = ()) -> dict[str, Any]:
    """The entries by state, with totals; small enough for XCom. What an earlier run of the night spent is not counted again."""
    found: dict[str, Any] = {"night": night}
    for state in STATES:
        of_state = [entry for entry in entries if entry["state"] == state]
        found[state] = {entry["shot"]: entry.get("reason") or _delivered(entry) for entry in of_state}
    own = [entry for entry in entries if not entry.get("carried_over")]
    found["frames"] = sum(entry["frames"] for entry in own if entry["state"] == "delivered")
    found["render_seconds"] = round(sum(entry.get("render_seconds", 0.0) for entry in own), 1)
    return found | ({"would_render": list(dry_run)} if dry_run else {})


def _delivered(entry: Mapping[str, Any]) -> Any:
    """Where the movie is, and what else was ordered and is not there."""
    lost = [
        f"frames {numbers(gap['frames'], 5)} of node {gap['node']} ({gap['layer']})" for gap in entry.get("missing", ())
    ]
    return f"{entry['movie']} (not complete: {'; '.join(lost)} are missing)" if lost else entry.get("movie")


def as_text(found: Mapping[str, Any]) -> str:
    """A report as Markdown, which also reads well in a log."""
    lines = [f"# Night of {found['night']}", ""]
    counts = [f"{len(found[state])} {state}" for state in STATES]
    lines.append(f"{', '.join(counts)}; {found['frames']} frames, {found['render_seconds']} render seconds")
    for state in STATES:
        if found[state]:
            lines += ["", f"## {state.capitalize()}", ""]
            lines += [f"- **{shot}**: {told}" for shot, told in sorted(found[state].items())]
    if found.get("would_render"):
        lines += ["", "## Dry run: would be rendered", "", *(f"- **{shot}**" for shot in found["would_render"])]
    return "\n".join(lines) + "\n"


def keep(destination: str, night: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """Write the night's `summary.json` and `summary.md`, and return where the first is.

    They tell of the whole night: a later run of the same night changes the entries of its own shots, and a shot that was delivered
    stays so when the later run finds it unchanged.
    """
    where = join(destination, "nights", night)
    shots = dict((read_json(join(where, "summary.json")) or {}).get("shots", {}))
    for entry in entries:
        if not (entry["state"] == "skipped" and shots.get(entry["shot"], {}).get("state") == "delivered"):
            shots[entry["shot"]] = {name: value for name, value in entry.items() if name != "carried_over"}
    put_text(where, "summary.md", as_text(report(night, list(shots.values()))))
    return put_json(where, "summary.json", {"night": night, "shots": shots})


def _not_well(states: Mapping[str, str | None], index: int) -> list[str]:
    """The tasks of a shot that failed or never ran; those that really failed come first."""
    own = {
        match[1]: state
        for key, state in states.items()
        if (match := _INSTANCE.fullmatch(key)) and int(match[2]) == index
    }
    wrong = [task for task, state in own.items() if state == "failed"]
    return wrong + [
        task for task, state in own.items() if state not in _OVER or state in {"upstream_failed", "removed"}
    ]
