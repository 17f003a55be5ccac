"""A plan of an action: what a person is asked before anything is done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from renderjuice_provider.wall.actions import Intent
from renderjuice_provider.wall.costs import money_sentence
from renderjuice_provider.wall.facts import Look
from renderjuice_provider.wall.models import Action, Plan, PlannedRow, WantedAction
from renderjuice_provider.wall.rows import name_of

__all__ = [
    "GONE",
    "make_plan",
]

GONE = "Airflow has no such row any more, or you may not see it: reload the page."
_QUESTIONS = {
    Action.STOP: "Stop {}?",
    Action.AGAIN: "Render {} again?",
    Action.MISSING: "Render only what is missing of {}?",
    Action.TAKE_UP: "Take up {}?",
    Action.SETTINGS: "Render {} with other settings?",
}
_IMPOSSIBLE = {
    Action.STOP: "be stopped",
    Action.AGAIN: "be rendered again",
    Action.MISSING: "have only what is missing rendered",
    Action.TAKE_UP: "be taken up",
    Action.SETTINGS: "be rendered with other settings",
}


def make_plan(wanted: WantedAction, intents: Sequence[Intent], look: Look) -> Plan:
    """What a person is asked.

    Args:
        wanted: what the person has chosen.
        intents: for each row that there is.
        look: what is known of their jobs.
    """
    found = {intent.row.id: intent for intent in intents}
    return Plan(
        question=_question(wanted.action, [found[row] for row in wanted.rows if row in found], len(set(wanted.rows))),
        money=money_sentence(wanted.action, intents, look),
        rows=[
            PlannedRow(id=row, will=found[row].will, refused=found[row].refused or None)
            if row in found
            else PlannedRow(id=row, refused=GONE)
            for row in dict.fromkeys(wanted.rows)
        ],
        confirm=_digest(wanted, intents),
    )


def _digest(wanted: WantedAction, intents: Sequence[Intent]) -> str:
    """Stands for what the person was asked about, but for figures that move while it renders."""
    rows = sorted([intent.row.id, intent.mark] for intent in intents)
    said = json.dumps([wanted.action, wanted.settings, rows], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()


def _question(action: Action, intents: Sequence[Intent], asked: int) -> str:
    willing = [intent for intent in intents if not intent.refused]
    if not willing:
        which = name_of(intents[0].row) if len(intents) == asked == 1 else "None of these rows"
        return f"{which} can{'not' if len(intents) == asked == 1 else ''} {_IMPOSSIBLE[action]}."
    what = name_of(willing[0].row) if len(willing) == 1 else f"{len(willing)} rows"
    question = _QUESTIONS[action].format(what)
    others = asked - len(willing)
    return f"{question[:-1]}, and leave {others} as {'it is' if others == 1 else 'they are'}?" if others else question
