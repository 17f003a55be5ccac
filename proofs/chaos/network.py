"""What the network and Renderjuice's own bad days do.

Outages, and a storm of every fault that there is.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from proofs.chaos.case import MODES, OPERATORS, Faults, Mode, Operator
from proofs.chaos.moves import Outage, disturb, outage, until_job_is
from proofs.chaos.scenario import Scenario

_OUTAGE = 120.0
_KINDS: dict[Outage, str] = {"refuse": "refuses connections", "freeze": "accepts them and says nothing"}
_STORM: dict[tuple[Operator, Mode], int] = {
    ("run", "deferred"): 35,
    ("render", "deferred"): 35,
    ("frames", "deferred"): 10,
    ("run", "sync"): 10,
    ("render", "sync"): 10,
}
ANSWERS = ("429", "429 retry-after=1", "500", "502", "503", "html 502", "nonsense")
LOSSES = ("reset-before", "reset-after", "truncate", "stall 3", "stall-after 3")
NOT_IN_THE_STORM = {
    "ok": "spares a request",
    "json": "an answer that is wrong in one place; `make hostile` gives them all",
    "redirect": "comes of a wrong address, every time",
    "expired": "cured by asking for another URL, by the store's clients alone",
    "slow": "late, but nothing is lost",
    "kill-before": "a death, which `kill_points` tries one by one",
    "kill-after": "the same",
}
"""Faults that are not of the network, and why."""
_MOST = {
    "create_upload": 4,
    "put_upload": 4,
    "create_job": 2,  # it is not repeated blindly, so each of these costs a try of the task
    "validate_job": 4,
    "get_job": 6,
    "start_render": 4,
    "get_downloads": 4,
}
"""Faults in a row for one shot, at most. The client tries five times, and the task five times."""
_OF_LISTS = 40
_OF_A_SCENE = {"create_upload", "put_upload", "create_job", "validate_job"}


def outages() -> Iterator[Scenario]:
    """Renderjuice is unreachable for two minutes while a shot renders."""
    for operator in OPERATORS:
        for mode in MODES:
            for kind, what in _KINDS.items():
                name = f"{operator}-{mode}-outage-{kind}"
                yield Scenario(
                    f"for two minutes, Renderjuice {what}",
                    name,
                    operator,
                    mode,
                    shots=2,
                    frames=10,
                    seconds=4,
                    moves=(until_job_is("rendering"), outage(kind, _OUTAGE)),
                    connection=name,
                    relayed=True,
                    patience=400,
                )


def storm(seed: int) -> Iterator[Scenario]:
    """A hundred shots, each with faults of its own, and faults of the lists that serve all."""
    dice = random.Random(seed)
    lists = [disturb(call, *dice.choices(ANSWERS + LOSSES, k=_OF_LISTS)) for call in ("list_jobs", "list_progress")]
    for (operator, mode), shots in _STORM.items():
        for number in range(shots):
            yield Scenario(
                f"storm over 100 shots: {operator}, {mode}",
                f"storm-{operator}-{mode}-{number:02d}",
                operator,
                mode,
                faults=_storm(dice, operator),
                unsure=True,
                moves=tuple(lists),
                patience=600,
            )
            lists = []


def _storm(dice: random.Random, operator: str) -> Faults:
    calls = [call for call in _MOST if operator != "render" or call not in _OF_A_SCENE]
    return tuple((call, tuple(dice.choices(_kinds(call), k=dice.randint(0, _MOST[call])))) for call in calls)


def _kinds(call: str) -> tuple[str, ...]:
    # A store that answers 200 to what it did not keep would be a lie, not a fault.
    return tuple(kind for kind in ANSWERS + LOSSES if (call, kind) != ("put_upload", "nonsense"))
