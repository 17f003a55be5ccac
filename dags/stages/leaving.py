"""What a task of a shot leaves behind: the shot's entry, its run's note, a word for the wall."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from renderjuice_provider.api.redact import redact
from renderjuice_provider.xcom_keys import REASON

_log = logging.getLogger(__name__)


def show(ti: Any, state: str, reason: str) -> None:
    """Leave what became of the shot, or what it waits for, for the render wall."""
    ti.xcom_push(REASON, {"state": state, "reason": reason, "next_step": ""})


def rendered(ti: Any) -> list[Mapping[str, Any]]:
    """What the tasks that render have returned, those of a probe first: what each job cost."""
    found: list[Mapping[str, Any]] = []
    for task_id in ("probe", "render"):
        results = ti.xcom_pull(task_ids=task_id) or ()
        found += [results] if isinstance(results, Mapping) else [each for each in results if each]  # of one, no list
    return found


def leave(entry: dict[str, Any], context: Any) -> None:
    """Leave what became of the shot: its entry for the night's report, and the note of its run.

    In a night with a ceiling, its share is settled.
    """
    from stages.entries import write_entry
    from stages.note import write_note
    from stages.summary import short_of_shot

    order = entry["order"]
    entry |= settle(order, entry["run_id"], context)
    write_entry(entry, order["entry"])
    write_note(context, short_of_shot(entry))


def settle(order: dict[str, Any], run_id: str, context: Any) -> dict[str, Any]:
    """Settle the share of a run that ends. Returns what its entry says of it.

    What cannot be settled now is settled by the next run that looks, so no error leaves here.
    """
    from stages import sharing
    from stages.ceiling_alerts import alert
    from stages.share_log import read

    try:
        facts = sharing.facts_of(read(sharing.folder_of(order)), order["shot"], run_id)
        night = sharing.settle(order, run_id)
        if night is not None:
            alert(sharing.folder_of(order), night, context)
    except Exception as error:  # noqa: BLE001 - the shot is delivered, or has failed, whatever the log says
        _log.warning("The share of %s could not be settled: %s", order["shot"], redact(str(error)))
        return {}
    return facts
