"""What became of a night: text for on-call, and JSON for programs and for the nights after it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from renderjuice_provider.frames import numbers
from stages.records import Summary, read_record
from stages.storage import join, put_json, put_text

STATES = ("delivered", "skipped", "rejected", "failed")
_COUNTS = frozenset({"frames_ordered", "frames_rendered"})
_MOST_SHOWN = 20
_MOST_NOTED = 3
_LONGEST_REASON = 120
_LONGEST_NOTE = 600
"""Characters. Airflow takes a note of 1000."""
_VERSION = 8
"""Characters of a version that a person compares."""
_INSTANCE = re.compile(r"(.+)_(\d+)")
_OVER = frozenset({"success", "skipped", "failed", "upstream_failed", "removed"})


def entries_of(
    orders: Sequence[Mapping[str, Any]],
    states: Mapping[str, str | None],
    xcoms: Mapping[str, Iterable[Mapping[str, Any]]],
    outcomes: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> list[dict[str, Any]]:
    """An entry for each shot that the DAG went through.

    Args:
        orders: in the order of their map indexes.
        states: of the group's task instances, by `<task id>_<map index>`, as Airflow gives them.
        xcoms: what the tasks left: `decisions`, `rejections`, `deliveries`, and `failures` (of
            `note_failure`).
        outcomes: what became of the jobs, by shot; see `stages.spending`.
    """
    decisions = {decision["shot"]: decision for decision in xcoms["decisions"]}
    rejections = {rejection["shot"]: rejection for rejection in xcoms["rejections"]}
    deliveries = {delivery["shot"]: delivery for delivery in xcoms["deliveries"]}
    failures = {failure["map_index"]: failure for failure in xcoms["failures"]}
    entries = []
    for index, order in enumerate(orders):
        shot = order["shot"]
        failure, jobs = failures.get(index, {}), outcomes.get(shot, {})
        spent = {job_id: outcome["seconds"] for job_id, outcome in jobs.items()}
        entry: dict[str, Any] = {"shot": shot, "state": "failed", "order": dict(order), "decision": decisions.get(shot)}
        entry |= {"spent": spent, "render_seconds": _sum(spent)}
        troubled = _not_well(states, index)
        if shot in rejections:
            entry |= {"state": "rejected", "reason": "; ".join(rejections[shot]["reasons"])}
        elif failure.get("rejects"):
            entry |= {"state": "rejected", "reason": failure["reason"]}
        elif shot in deliveries and not troubled:
            entry |= {"state": "delivered", **deliveries[shot]}
        else:
            task = failure.get("task") or (troubled[0] if troubled else "")
            entry |= {"reason": failure.get("reason") or _reason(task, jobs), "task": task}
        if running := [job_id for job_id, outcome in jobs.items() if outcome["running"]]:
            entry["still_rendering"] = running
        entries.append(entry)
    return entries


def _reason(task: str, jobs: Mapping[str, Mapping[str, Any]]) -> str:
    """Why a shot failed whose tasks left no reason, such as a deferred task that was ended."""
    reasons = "; ".join(outcome["reason"] for outcome in jobs.values() if outcome["reason"])
    if not reasons and any(outcome["status"] == "canceled" for outcome in jobs.values()):
        reasons = "its render was cancelled"
    where = f"see the log of {task or 'its tasks'}"
    return f"{reasons}; {where}" if reasons else where


def report(
    night: str,
    entries: Sequence[Mapping[str, Any]],
    *,
    dry_run: Sequence[str] | None = None,
    refused: str | None = None,
) -> dict[str, Any]:
    """The entries by state, with totals, small enough for XCom.

    What an earlier run of the night spent is not counted again.

    Args:
        night: its date.
        entries: see `entries_of`.
        dry_run: the shots that would be rendered; None when this is not a dry run.
        refused: why a dry run planned no shots.
    """
    found: dict[str, Any] = {"night": night}
    for state in STATES:
        of_state = [entry for entry in entries if entry["state"] == state]
        found[state] = {entry["shot"]: _line(entry) for entry in of_state}
    own = [entry for entry in entries if not entry.get("carried_over")]
    found["frames"] = sum(entry.get("frames", 0) for entry in own if entry["state"] == "delivered")
    found["render_seconds"] = round(sum(entry.get("render_seconds", 0.0) for entry in own), 1)
    unknown = [job for entry in own for job, seconds in entry.get("spent", {}).items() if seconds is None]
    found |= {"jobs_of_unknown_cost": unknown} if unknown else {}
    found |= {"would_render": list(dry_run)} if dry_run is not None else {}
    return found | ({"refused": refused} if refused else {})


def _delivered(entry: Mapping[str, Any]) -> Any:
    """Where the movie is, and what was ordered and is missing."""
    lost = [
        f"frames {numbers(gap['frames'], 5)} of node {gap['node']} ({gap['layer']})" for gap in entry.get("missing", ())
    ]
    return f"{entry.get('movie')} (not complete: {'; '.join(lost)} are missing)" if lost else entry.get("movie")


def as_text(found: Mapping[str, Any]) -> str:
    """A report as Markdown, which also reads well in a log."""
    lines = [f"# Night of {found['night']}", ""]
    counts = [f"{len(found[state])} {state}" for state in STATES]
    lines.append(f"{', '.join(counts)}; {found['frames']} frames, {_cost(found)}")
    for state in STATES:
        if found[state]:
            lines += ["", f"## {state.capitalize()}", ""]
            lines += [f"- **{shot}**: {line}" for shot, line in sorted(found[state].items())]
    if "would_render" in found:
        would = [f"- **{shot}**" for shot in found["would_render"]] or [found.get("refused") or "Nothing."]
        lines += ["", "## Dry run: would be rendered", "", *would]
    return "\n".join(lines) + "\n"


def alarm(found: Mapping[str, Any]) -> str:
    """The error of a run in which shots failed: which and why, what it cost, and what to do."""
    failed = sorted(found["failed"].items())
    count = "1 shot failed" if len(failed) == 1 else f"{len(failed)} shots failed"
    shown = [f"{shot}: {reason}" for shot, reason in failed[:_MOST_SHOWN]]
    shown += [f"... and {len(failed) - _MOST_SHOWN} more"] if len(failed) > _MOST_SHOWN else []
    next_step = (
        f"Next: open the run of the shot and Clear it, or trigger renderjuice_nightly with date {found['night']} and failed_only: "
        "only the frames that are missing are rendered."
    )
    money = f"This run spent {_cost(found)}, those of failed and killed renders included."
    return "\n".join(
        [f"{count}. {shown[0]}" if len(shown) == 1 else "\n".join([f"{count}:", *shown]), money, next_step]
    )


def short(found: Mapping[str, Any]) -> str:
    """A report in one line, for the note of the nightly's run."""
    counts = [f"{len(found[state])} {state}" for state in STATES]
    if failed := sorted(found["failed"].items()):
        named = [f"{shot}: {_clip(reason, _LONGEST_REASON)}" for shot, reason in failed[:_MOST_NOTED]]
        named += [f"{len(failed) - _MOST_NOTED} more"] if len(failed) > _MOST_NOTED else []
        counts[-1] += f" ({'; '.join(named)})"
    return f"{', '.join(counts)}; {_cost(found)}"


def short_of_shot(entry: Mapping[str, Any]) -> str:
    """An entry in one line, for the note of the shot's own run."""
    state, running = entry["state"], entry.get("still_rendering")
    if state == "delivered":
        facts = [f"delivered {str(entry.get('version') or '')[:_VERSION]}".rstrip(), f"{entry.get('frames', 0)} frames"]
        rounds = entry.get("rounds")
        facts += [f"{rounds} rounds" if rounds != 1 else "1 round"] if rounds is not None else []
        facts += ["not complete"] if entry.get("missing") else []
    else:
        facts = [f"{state}: {_clip(_line(entry | {'still_rendering': ()}), _LONGEST_NOTE)}"]
    spent = entry.get("spent") or {}
    facts += [f"{_sum(spent):,.0f} s"] if any(seconds is not None for seconds in spent.values()) else []
    unknown = sum(seconds is None for seconds in spent.values())
    facts += [f"{'1 job' if unknown == 1 else f'{unknown} jobs'} of unknown cost"] if unknown else []
    facts += [f"still rendering, and being paid: {', '.join(running)}"] if running else []
    return ", ".join(facts)


def _cost(found: Mapping[str, Any]) -> str:
    """What a night cost. Jobs whose cost is not known are named beside it, never counted as 0."""
    unknown = len(found.get("jobs_of_unknown_cost", ()))
    jobs = "1 job" if unknown == 1 else f"{unknown} jobs"
    seconds = f"{found['render_seconds']:,.1f}".removesuffix(".0")
    return f"{seconds} render seconds" + (f", and {jobs} of unknown cost" if unknown else "")


def _clip(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def keep(destination: str, night: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """Write the night's `summary.json` and `summary.md`, and return where the first is.

    They are about the whole night. A later run of the same night changes only the entries of its
    own shots, and a delivered shot stays delivered when that run finds it unchanged. The cost of
    earlier jobs is kept, because it was paid.

    Raises:
        RecordError: when the summary that is there was not written by these DAGs.
    """
    where = join(destination, "nights", night)
    shots = dict((read_record(join(where, "summary.json"), Summary) or {"shots": {}})["shots"])
    for entry in entries:
        before = shots.get(entry["shot"], {})
        if entry["state"] == "skipped" and before.get("state") == "delivered":
            continue
        own = entry.get("spent", {})
        spent = before.get("spent", {}) | own
        # Counts of frames that do not cover all these jobs would make a frame look too dear.
        left_out = {"carried_over"} | (_COUNTS if spent.keys() - own.keys() else frozenset())
        now = {name: value for name, value in entry.items() if name not in left_out}
        shots[entry["shot"]] = now | ({"spent": spent, "render_seconds": _sum(spent)} if spent else {})
    put_text(where, "summary.md", as_text(report(night, list(shots.values()))))
    return put_json(where, "summary.json", {"night": night, "shots": shots})


def _sum(spent: Mapping[str, float | None]) -> float:
    return round(sum(seconds or 0.0 for seconds in spent.values()), 3)


def _line(entry: Mapping[str, Any]) -> str:
    """A shot's line in a report."""
    line = " ".join(str(entry.get("reason") or _delivered(entry)).split())
    line = line.removeprefix(f"{entry['shot']} failed: ")  # as a render's own error begins
    line += f" [run {entry['run_id']}]" if entry["state"] == "failed" and entry.get("run_id") else ""
    running = ", ".join(entry.get("still_rendering", ()))
    return f"{line} (still rendering, and being paid: {running})" if running else line


def _not_well(states: Mapping[str, str | None], index: int) -> list[str]:
    """The tasks of a shot that failed or did not run. Those that failed come first."""
    own = {
        match[1]: state
        for key, state in states.items()
        if (match := _INSTANCE.fullmatch(key)) and int(match[2]) == index
    }
    wrong = [task for task, state in own.items() if state == "failed"]
    return wrong + [
        task for task, state in own.items() if state not in _OVER or state in {"upstream_failed", "removed"}
    ]
