"""A thousand nights with a ceiling, by simulation: what is spent, and how true the quotes are.

The decisions are those of `stages.shares` and `stages.quotes`; the log of shares, the renders and
the clock are simulated. Processes die before and after each step that they take, some go on as
zombies with what they had read, and runs die without a word. What is spent may exceed the ceiling
by what one poll's delay costs for each render that was held, and no more.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from math import pi, sin
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[2] / "dags"))

from stages import shares
from stages.quotes import Quote, by_history, by_probe, probe_frames
from stages.shares import Shares

SHOTS = 200
POLL = 30.0
"""Seconds between two polls of a render, in which it may spend as many."""
_DEATH = 0.05
"""Chance that a process dies at a step, before it or after it."""
_SILENT = 0.02
"""Chance that a run dies for good, and settles nothing."""
IN_RANGE, MEDIAN_ERROR, PROBES = 0.8, 0.15, 0.03
"""What quotes have to reach: costs in their range, the error, and their share of the cost."""
_EXACT = 1e-3
Shape = Callable[[int, Random], list[float]]


def _constant(frames: int, chance: Random) -> list[float]:
    return [chance.uniform(0.97, 1.03) for _ in range(frames)]


def _ramp(frames: int, chance: Random) -> list[float]:
    end = chance.uniform(0.4, 2.5)
    return [1 + (end - 1) * place / frames for place in range(frames)]


def _step(frames: int, chance: Random) -> list[float]:
    where, much = chance.randrange(frames), chance.uniform(0.6, 1.7)
    return [1.0 if place < where else much for place in range(frames)]


def _spike(frames: int, chance: Random) -> list[float]:
    dear = {chance.randrange(frames) for _ in range(max(1, frames // 60))}
    return [chance.uniform(5, 15) if place in dear else 1.0 for place in range(frames)]


def _wave(frames: int, chance: Random) -> list[float]:
    turns, start = chance.uniform(1, 4), chance.uniform(0, 2 * pi)
    return [1 + 0.4 * sin(start + 2 * pi * turns * place / frames) for place in range(frames)]


def _noise(frames: int, chance: Random) -> list[float]:
    return [chance.lognormvariate(0, 0.25) for _ in range(frames)]


SHAPES: tuple[Shape, ...] = (_constant, _ramp, _step, _spike, _wave, _noise)
"""What the frames of a shot cost, one against the other."""


@dataclass
class Shot:
    """A shot, and how far it is."""

    name: str
    priority: int
    costs: list[float]
    earlier: list[float]
    """Per frame, of earlier nights; empty for a new one."""
    quote: Quote | None = None
    paid: float = 0.0
    """Truly, of probe and render."""
    over_share: float = 0.0
    """What its render spent beyond its share, since it was polled late."""
    finished: bool = False


@dataclass
class Night:
    """A night, and what came of it."""

    seed: int
    shots: list[Shot] = field(default_factory=list)
    ceiling: float = 0.0
    log: list[Shares] = field(default_factory=list)
    zombies: list[tuple[int, Callable[[Shares], Shares]]] = field(default_factory=list)

    @property
    def spent(self) -> float:
        """Truly, whatever the log says."""
        return sum(shot.paid for shot in self.shots)


def plan(seed: int) -> Night:
    """Two hundred shots of six shapes, half of them with a history, and a ceiling."""
    chance = Random(seed)
    night = Night(seed)
    for number in range(SHOTS):
        frames, dear = chance.randrange(24, 241), chance.lognormvariate(1.5, 0.8)
        costs = [dear * cost for cost in chance.choice(SHAPES)(frames, chance)]
        usual = sum(costs) / frames
        earlier = (
            [usual * chance.uniform(0.9, 1.1) for _ in range(chance.randrange(1, 6))] if chance.random() < 0.5 else []
        )
        night.shots.append(Shot(f"s{number:03}", chance.choice((10, 50, 50, 90)), costs, earlier))
    night.ceiling = sum(sum(shot.costs) for shot in night.shots) * chance.uniform(0.2, 1.5)
    night.log.append(shares.begin(night.ceiling, [(shot.name, shot.priority) for shot in night.shots]))
    return night


def walk(night: Night) -> None:
    """Let all runs of a night go on, one step of one of them after the other, until none can."""
    chance = Random(night.seed + 1_000_000)
    runs = {shot.name: _run(shot, night, chance) for shot in night.shots}
    waiting = list(runs)
    while waiting:
        name = chance.choice(waiting)
        if not next(runs[name], False):
            waiting.remove(name)
        if night.zombies and chance.random() < 0.2:
            number, transition = night.zombies.pop(chance.randrange(len(night.zombies)))
            _append(night, number, shares.hand_out(transition(night.log[number - 2])))  # refused where it is taken


def _run(shot: Shot, night: Night, chance: Random) -> Iterator[bool]:  # noqa: C901 (as a run is: one step after the other)
    """One run: a step at each `next`; ends when the shot is over."""
    name, run_id = shot.name, f"run of {shot.name}"

    def change(transition: Callable[[Shares], Shares]) -> Shares:
        """As the log of shares does it: with deaths before and after it, and retries."""
        while True:
            number = len(night.log)
            if chance.random() < _DEATH:
                night.zombies.append((number + 1, transition))  # it was taken for dead, and goes on later
                continue
            after = shares.hand_out(transition(night.log[-1]))
            _append(night, number + 1, after)
            if chance.random() >= _DEATH:
                return after

    change(lambda now: shares.joined(now, name, shot.priority, run_id))
    yield True
    frames = len(shot.costs)
    shot.quote = by_history(shot.earlier, frames)
    if shot.quote is None:
        probed = probe_frames(range(frames))
        given = change(lambda now: shares.asked_for_probe(now, name, run_id, ["base"])).shots[name]
        yield True
        if given.state == "held":
            return
        cost = sum(shot.costs[place] for place in probed)
        allowed = sum(given.given.values())
        shot.over_share += max(0.0, min(POLL, cost - allowed))
        paid = min(cost, allowed + POLL)
        shot.paid += paid
        change(lambda now: shares.settled(now, name, run_id, paid, is_probe=True))
        yield True
        if paid < cost:
            change(lambda now: shares.held(now, name, run_id, "its probe was too dear"))
            return
        shot.quote = by_probe(cost, len(probed), frames - len(probed))
        shot.costs = [each for place, each in enumerate(shot.costs) if place not in probed]
    quote = shot.quote
    change(lambda now: shares.quoted(now, name, run_id, {"base": quote}))
    yield True
    while night.log[-1].shots[name].state == "waiting":
        if all(each.state in {"waiting", "settled", "held"} for each in night.log[-1].shots.values()):
            change(lambda now: now)
        yield True
    found = night.log[-1].shots[name]
    if found.state == "held":
        return
    cost, allowed = sum(shot.costs), sum(found.given.values())
    yield True
    late = chance.uniform(0, POLL)
    shot.over_share += max(0.0, min(late, cost - allowed))
    spent_before, paid = shot.paid, min(cost, allowed + late)
    shot.paid += paid
    shot.finished = paid == cost
    yield True
    known = None if chance.random() < _SILENT else spent_before + paid
    change(lambda now: shares.settled(now, name, run_id, known))


def _append(night: Night, number: int, state: Shares) -> bool:
    """Create the file of this number, exclusively."""
    if number <= len(night.log):
        return False
    night.log.append(state)
    return True


def quotes(seed: int, shots: int = 600) -> tuple[float, float, float]:
    """Of probes: how often the cost is in range, the median error, and their share of the cost."""
    chance = Random(seed)
    inside, errors, parts = 0, [], []
    for number in range(shots):
        frames = chance.randrange(120, 241)
        costs = SHAPES[number % len(SHAPES)](frames, chance)
        probed = probe_frames(range(frames))
        probe = sum(costs[place] for place in probed)
        quote = by_probe(probe, len(probed), frames - len(probed))
        true = sum(costs) - probe
        inside += quote.least <= true <= quote.most
        errors.append(abs(quote.likely / true - 1))
        parts.append(probe / sum(costs))
    return inside / shots, median(errors), median(parts)


class Outcome(NamedTuple):
    """What a night came to."""

    beyond: float
    """What was spent beyond the ceiling; below 0 where something is left."""
    unexplained: float
    """The same without what a poll's delay cost."""
    rendered: int
    held: int


def outcome(seed: int) -> Outcome:
    """Simulate one night."""
    night = plan(seed)
    walk(night)
    beyond = night.spent - night.ceiling
    late = sum(shot.over_share for shot in night.shots)
    if any(after.ceiling != before.ceiling for before, after in pairwise(night.log)):
        raise RuntimeError(f"night {seed}: the ceiling has changed")
    held = sum(share.state == "held" for share in night.log[-1].shots.values())
    return Outcome(beyond, beyond - late, sum(shot.finished for shot in night.shots), held)


def main(nights: int) -> None:
    """Simulate, print, and exit with 1 if a figure is off."""
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(outcome, range(nights), chunksize=4))
    unexplained, beyond = max(each.unexplained for each in found), max(each.beyond for each in found)
    inside, error, part = quotes(1)
    print(
        f"{nights} nights of {SHOTS} shots: {sum(each.rendered for each in found)} rendered whole, "
        f"{sum(each.held for each in found)} held"
    )
    print(f"spent beyond the ceiling: at most {max(0.0, beyond):.0f} s, one poll takes {POLL:.0f} s")
    print(f"and beyond what the delay of polls explains: at most {max(0.0, unexplained):.3f} s")
    print(
        f"probes: {inside:.1%} of costs in the range of their quote, median error {error:.1%}, {part:.1%} of the cost"
    )
    sys.exit(unexplained > _EXACT or inside < IN_RANGE or error > MEDIAN_ERROR or part > PROBES)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1000)
