"""Prints how the nights went."""

from __future__ import annotations

from proofs.nights.evidence import MOST_RENDERED, ROUNDS, Figures
from proofs.nights.night import Outcome

_HEAD = ("night", "shots", *(f"round {number + 1}" for number in range(ROUNDS)), "named", "jobs", "frames", "rendered")
_WIDTH = 9


def head() -> str:
    """The names of the columns."""
    return _row(*_HEAD, "ratio", "seconds")


def line(outcome: Outcome) -> str:
    """One night."""
    return _numbers(str(outcome.number), outcome.figures, outcome.seconds)


def total(outcomes: list[Outcome], seconds: float) -> str:
    """All nights, each shot that was not delivered, and what is wrong."""
    figures = sum((outcome.figures for outcome in outcomes), Figures())
    lines = [_numbers("all", figures, seconds), ""]
    lines += [f"{shot}: {reason}" for outcome in outcomes for shot, reason in outcome.named.items()]
    wrong = complaints(outcomes)
    lines += ["", *(f"WRONG: {text}" for text in wrong)] if wrong else ["", "All as it should be."]
    return "\n".join(lines)


def complaints(outcomes: list[Outcome]) -> list[str]:
    """What is wrong with the nights, one by one and together."""
    figures = sum((outcome.figures for outcome in outcomes), Figures())
    found = [f"night {outcome.number}: {text}" for outcome in outcomes for text in outcome.complaints]
    if figures.ratio > MOST_RENDERED:
        found.append(f"{figures.rendered} frames were rendered for {figures.needed} that are needed")
    if sum(figures.delivered) + figures.named != figures.shots:
        found.append(f"of {figures.shots} shots {sum(figures.delivered)} are delivered, and {figures.named} are named")
    return found


def _numbers(name: str, figures: Figures, seconds: float) -> str:
    counts = (figures.shots, *figures.delivered, figures.named, figures.jobs, figures.needed, figures.rendered)
    return _row(name, *counts, f"{figures.ratio:.3f}", f"{seconds:.0f}")


def _row(*cells: object) -> str:
    return "".join(f"{cell!s:>{_WIDTH}}" for cell in cells)
