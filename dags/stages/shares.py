"""A night's ceiling, and who may spend what of it. Pure: `stages.share_log` keeps it.

    planned ──► (probing ──►) waiting ──► given ──► settled
                                 │
                                 └──► held

`probing` where no history gives a quote. From any state a run may end, and is settled.

What was handed out counts in full until its render is settled, which says what was spent; what is
left of the share goes back then. Spending that is not known counts as the whole share. So the sum
never exceeds the ceiling by more than what one poll's delay costs for each render.

All amounts are normalized seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from stages.quotes import Quote, whole

State = Literal["planned", "probing", "waiting", "given", "settled", "held"]
_OVER = frozenset({"settled", "held"})
_OPEN = frozenset({"probing", "given"})
_WITHOUT_QUOTE = frozenset({"planned", "probing"})
_FOR_PROBES = 0.5
"""The part of what is left that goes to probes at once. They take minutes, and give most of it
back."""
_ROUNDING = 1e-6


class ShotShare(BaseModel):
    """One shot in the night's ceiling."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    shot: str
    priority: int = 50
    state: State = "planned"
    run_id: str = ""
    """The run that has the shot."""
    quotes: dict[str, Quote] = {}
    """By layer."""
    given: dict[str, float] = {}
    """By layer: what its probe or its render may spend now."""
    share: float | None = None
    """What its render was given, all layers together; it stays here when it is settled."""
    spent: dict[str, float] = {}
    """By run: what it has spent, as far as that is settled."""
    why: str = ""
    """Why the shot is held."""

    @property
    def quote(self) -> Quote | None:
        """Of all layers."""
        return whole(self.quotes)

    @property
    def settled(self) -> float:
        """What all runs of the shot have spent."""
        return sum(self.spent.values())

    @property
    def handed_out(self) -> float:
        """What counts against the ceiling."""
        return self.settled + sum(self.given.values())

    @property
    def is_over(self) -> bool:
        """Whether nothing more of it is expected this night."""
        return self.state in _OVER


class Shares(BaseModel):
    """The whole night."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    ceiling: float
    shots: dict[str, ShotShare] = {}
    """In the order of the list."""
    order: list[str] = []
    """The names of `shots`: some stores lose the order of keys."""

    @property
    def handed_out(self) -> float:
        """What may be spent in the worst case."""
        return sum(shot.handed_out for shot in self.shots.values())

    @property
    def spent(self) -> float:
        """What is settled."""
        return sum(shot.settled for shot in self.shots.values())

    @property
    def left(self) -> float:
        """What may still be handed out."""
        return max(0.0, self.ceiling - self.handed_out)

    def by_priority(self) -> list[ShotShare]:
        """The higher ones first, then in the order of the list."""
        place = {name: number for number, name in enumerate(self.order)}
        return sorted(self.shots.values(), key=lambda shot: (-shot.priority, place.get(shot.shot, len(place))))

    def changed(self, shot: str, **values: Any) -> Shares:
        """With other values of one shot."""
        return self.model_copy(update={"shots": {**self.shots, shot: self.shots[shot].model_copy(update=values)}})


def begin(ceiling: float, shots: Iterable[tuple[str, int]]) -> Shares:
    """A night with a ceiling.

    Args:
        ceiling: normalized seconds, above 0.
        shots: that are to be rendered: each with its priority, in the order of the list.
    """
    found = {name: ShotShare(shot=name, priority=priority) for name, priority in shots}
    return Shares(ceiling=ceiling, shots=found, order=[*found])


def joined(shares: Shares, shot: str, priority: int, run_id: str) -> Shares:
    """With a run that has the shot now: of the list, or one that came later, such as by hand.

    What earlier runs of the shot were given and have not settled stays handed out in full.
    """
    before = shares.shots.get(shot)
    if before is None:
        new = ShotShare(shot=shot, priority=priority, run_id=run_id)
        return shares.model_copy(update={"shots": {**shares.shots, shot: new}, "order": [*shares.order, shot]})
    if before.run_id == run_id and not before.is_over:
        return shares
    if before.given and before.run_id != run_id:
        shares = settled(shares, shot, before.run_id, None)
    return shares.changed(shot, run_id=run_id, priority=priority, state="planned", quotes={}, share=None, why="")


def asked_for_probe(shares: Shares, shot: str, run_id: str, layers: Iterable[str]) -> Shares:
    """With a share for the probe of these layers: each shot without a quote can have one."""
    if not _is_of(shares, shot, run_id) or shares.shots[shot].state != "planned":
        return shares
    layers = list(layers)
    unquoted = sum(each.state == "planned" for each in shares.shots.values())
    each = shares.left * _FOR_PROBES / max(1, unquoted) / len(layers)
    if each <= _ROUNDING:
        return _held(shares, shot, "nothing of the ceiling is left for a probe, and there is no history for a quote")
    return shares.changed(shot, state="probing", given=dict.fromkeys(layers, each))


def quoted(shares: Shares, shot: str, run_id: str, quotes: Mapping[str, Quote]) -> Shares:
    """With the quotes of a shot's layers: it waits for its share from now on."""
    if not _is_of(shares, shot, run_id) or shares.shots[shot].state in {"given", *_OVER}:
        return shares
    if shares.shots[shot].given:  # nobody has said what its probe has spent
        shares = settled(shares, shot, run_id, None, is_probe=True)
    return shares.changed(shot, state="waiting", quotes=dict(quotes))


def settled(shares: Shares, shot: str, run_id: str, spent: float | None, *, is_probe: bool = False) -> Shares:
    """With what a run has spent, in all. To settle twice is harmless.

    Args:
        shares: the night.
        shot: its name.
        run_id: of the run.
        spent: by all jobs of the run; None where that is not known: all that it was given, then.
        is_probe: whether the run goes on: its shot has no quote yet.
    """
    if spent is not None and not math.isfinite(spent):
        spent = None
    found = shares.shots.get(shot)
    if found is None:
        return shares
    is_its_own = found.run_id == run_id
    before = found.spent.get(run_id, 0.0)
    in_all = before + (sum(found.given.values()) if is_its_own else 0.0) if spent is None else max(spent, 0.0)
    values: dict[str, Any] = {"spent": {**found.spent, run_id: in_all}}
    if is_its_own and found.state != "held":
        values |= {"given": {}, "state": "planned" if is_probe else "settled"}
    return shares.changed(shot, **values)


def held(shares: Shares, shot: str, run_id: str, why: str) -> Shares:
    """Without the shot: it gets nothing this night, such as since somebody refused it."""
    return _held(shares, shot, why) if _is_of(shares, shot, run_id) else shares


def hand_out(shares: Shares) -> Shares:
    """With a share for each shot that may have one now, and those held that cannot have any."""
    waiting = [shot for shot in shares.by_priority() if shot.state == "waiting"]
    expected = max((each.priority for each in shares.shots.values() if each.state in _WITHOUT_QUOTE), default=-math.inf)
    for shot in waiting:
        most = sum(quote.most for quote in shot.quotes.values())
        if shot.settled + most > shares.ceiling + _ROUNDING:
            why = f"its render may cost {most:,.0f} s, and the whole ceiling is {shares.ceiling:,.0f} s"
            shares = _held(shares, shot.shot, why)
        elif most <= shares.left + _ROUNDING and shot.priority >= expected:
            given = {layer: quote.most for layer, quote in shot.quotes.items()}
            shares = shares.changed(shot.shot, state="given", given=given, share=most)
    if waiting and not any(shot.given for shot in shares.shots.values()):  # nothing comes back any more
        for shot in waiting:
            most = sum(quote.most for quote in shot.quotes.values())
            if shares.shots[shot.shot].state == "waiting" and most > shares.left + _ROUNDING:
                why = (
                    f"its render may cost {most:,.0f} s, and {shares.left:,.0f} s "
                    f"of the ceiling of {shares.ceiling:,.0f} s are left"
                )
                shares = _held(shares, shot.shot, why)
    return shares


def _is_of(shares: Shares, shot: str, run_id: str) -> bool:
    return shot in shares.shots and shares.shots[shot].run_id == run_id


def _held(shares: Shares, shot: str, why: str) -> Shares:
    found = shares.shots[shot]
    if found.state in _OPEN:  # what it was given is not known to be free
        shares = settled(shares, shot, found.run_id, None)
    return shares.changed(shot, state="held", given={}, why=why)
