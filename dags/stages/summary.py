"""What became of a night: text for on-call, and JSON for programs and for the nights after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from renderjuice_provider.frames import numbers
from stages import bill
from stages.entries import joined
from stages.morning_figures import again_text, ceiling_of, quote_text
from stages.records import check_record, read_record
from stages.storage import join, put_json, put_text

STATES = ("delivered", "skipped", "rejected", "held", "failed")
_COUNTS = frozenset({"frames_ordered", "frames_rendered"})
_MOST_SHOWN = 20
_MOST_NOTED = 3
_LONGEST_REASON = 120
_LONGEST_NOTE = 600
"""Characters. Airflow takes a note of 1000."""
_VERSION = 8
"""Characters of a version that a person compares."""


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
        entries: see `stages.entries`.
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
    ceiling = ceiling_of(entries)
    found |= {"ceiling": ceiling} if ceiling is not None else {}
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
    lines.append(f"{', '.join(_counts(found))}; {found['frames']} frames, {_cost(found)}")
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
    counts = _counts(found)
    if failed := sorted(found["failed"].items()):
        named = [f"{shot}: {_clip(reason, _LONGEST_REASON)}" for shot, reason in failed[:_MOST_NOTED]]
        named += [f"{len(failed) - _MOST_NOTED} more"] if len(failed) > _MOST_NOTED else []
        counts[-1] += f" ({'; '.join(named)})"
    return f"{', '.join(counts)}; {_cost(found)}"


def _counts(found: Mapping[str, Any]) -> list[str]:
    """How many shots of each state; `held` only where there are any: most nights hold none."""
    return [f"{len(found[state])} {state}" for state in STATES if found[state] or state != "held"]


def short_of_shot(entry: Mapping[str, Any]) -> str:
    """An entry in one line, for the note of the shot's own run."""
    state, running = entry["state"], entry.get("still_rendering")
    if state == "delivered":
        frames = entry.get("frames", 0)
        facts = [f"delivered {str(entry.get('version') or '')[:_VERSION]}".rstrip()]
        facts += ["1 frame" if frames == 1 else f"{frames} frames"]
        rounds = entry.get("rounds")
        facts += [f"{rounds} rounds" if rounds != 1 else "1 round"] if rounds is not None else []
        facts += ["not complete"] if entry.get("missing") else []
    else:
        facts = [f"{state}: {_clip(_line({**entry, 'still_rendering': ()}), _LONGEST_NOTE)}"]
    spent = entry.get("spent") or {}
    facts += [f"{len(entry['remarks'])} remarks"] if entry.get("remarks") else []
    facts += [quote] if (quote := quote_text(entry)) else []
    facts += [f"{_sum(spent):,.0f} s"] if any(seconds is not None for seconds in spent.values()) else []
    facts += [again] if (again := again_text(entry)) else []
    unknown = sum(seconds is None for seconds in spent.values())
    facts += [f"{'1 job' if unknown == 1 else f'{unknown} jobs'} of unknown cost"] if unknown else []
    facts += [f"still rendering, and being paid: {', '.join(running)}"] if running else []
    return ", ".join(facts)


def _cost(found: Mapping[str, Any]) -> str:
    """What a night cost. Jobs whose cost is not known are named beside it, never counted as 0."""
    unknown = len(found.get("jobs_of_unknown_cost", ()))
    jobs = "1 job" if unknown == 1 else f"{unknown} jobs"
    seconds = f"{found['render_seconds']:,.1f}".removesuffix(".0")
    ceiling = f" of a ceiling of {found['ceiling']:,.0f}" if "ceiling" in found else ""
    return f"{seconds} render seconds{ceiling}" + (f", and {jobs} of unknown cost" if unknown else "")


def _clip(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def keep(destination: str, night: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """Write the night's `summary.json` and `summary.md`, and return where the first is.

    They are about the whole night. A later run of the same night changes only the entries of its
    own shots, and a delivered shot stays delivered when that run finds it unchanged. The cost of
    earlier jobs is kept, because it was paid.

    Raises:
        RecordError: when the summary that is there, or an entry, was not written by these DAGs.
            Then nothing is written.
    """
    from stages.summary_record import Summary  # here: the tasks of a shot import this module, too

    where = join(destination, "nights", night)
    shots = dict((read_record(join(where, "summary.json"), Summary) or {"shots": {}})["shots"])
    for entry in entries:
        before = shots.get(entry["shot"], {})
        if entry["state"] == "skipped" and before.get("state") == "delivered":
            continue
        own = entry.get("spent", {})
        spent = joined(before.get("spent", {}), own)
        # Counts of frames that do not cover all these jobs would make a frame look too dear.
        covered = spent.keys() == own.keys() and not entry.get("spent_before")
        left_out = {"carried_over", "spent_before"} | (frozenset() if covered else _COUNTS)
        now = {name: value for name, value in entry.items() if name not in left_out}
        jobs = {**before.get("jobs", {}), **entry.get("jobs", {})}
        now |= {"jobs": jobs} if jobs else {}
        shots[entry["shot"]] = now | ({"spent": spent, "render_seconds": _sum(spent)} if spent else {})
    check_record({"shots": shots}, Summary, f"An entry in {join(where, 'shots')}")
    put_text(where, "summary.md", as_text(report(night, list(shots.values()))) + bill.as_text(shots.values()))
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
