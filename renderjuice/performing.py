"""Taking walks to their ends in front of a person: progress, a line of data for each, Ctrl-C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from renderjuice.batch import AT_ONCE, Batch
from renderjuice.budget import Budget
from renderjuice.exits import Exit, gravest
from renderjuice.jobs import end_of, goes_on, text_of
from renderjuice.output import Output
from renderjuice.screen import Screen
from renderjuice.session import Session
from renderjuice.walks import Walk
from renderjuice_provider.api.models import JobStatus


def perform(
    session: Session,
    screen: Screen,
    walks: Sequence[Walk],
    *,
    every: float,
    at_once: int = AT_ONCE,
    hint: str = "",
    most: float | None = None,
) -> Exit:
    """Take walks to their ends; a line of data for each.

    Args:
        session: of the command.
        screen: shows them.
        walks: in their order.
        every: seconds between two polls of a job.
        at_once: walks that are moved on at once.
        hint: what else to say after Ctrl-C.
        most: normalized seconds that all together may spend; None for any number.
    """
    seen = [walk.seen for walk in walks]
    batch = Batch(
        session.client,
        walks,
        say=screen.log,
        on_end=lambda walk: report(session.output, walk),
        at_once=at_once,
        poll_interval=every,
        budget=None if most is None else Budget(most),
    )
    try:
        with screen.show(seen):
            batch.run()
    except KeyboardInterrupt:
        session.output.say(*goes_on(seen), *filter(None, [hint]))
        return Exit.INTERRUPTED
    return gravest(map(end_of, seen))


def report(output: Output, walk: Walk) -> None:
    """The line of data of a walk that has ended."""
    seen, fetching = walk.seen, walk.fetching
    job = seen.job
    fields: dict[str, Any] = {
        "job_id": job.id if job else None,
        "status": job.status if job else "error",
        "name": seen.name,
        "exit": int(end_of(seen)),
        "error": str(seen.error) if seen.error else None,
        "normalized_seconds": job.normalized_seconds if job else None,
    }
    words = ""
    if fetching is not None and fetching.folder is not None:
        words = fields["folder"] = str(fetching.folder)
        if fetching.report is not None:
            files = {"files": len(fetching.report.files), "already_there": fetching.report.already_there}
            fields |= files | {"bytes": fetching.report.size}
    if job is not None and job.status == JobStatus.VALIDATED and isinstance(job.analysis, Mapping):
        warnings = job.analysis.get("warnings")
        words = "; ".join(map(str, warnings)) if isinstance(warnings, list) else ""
        fields["analysis"] = job.analysis
    if seen.error is not None and not output.json_lines:
        what = text_of(seen.error)
        output.say(what if what.startswith(seen.name) else f"{seen.name}: {what}")
    output.data(fields, fields["job_id"] or "-", fields["status"], seen.name, *([words] if words else []))
