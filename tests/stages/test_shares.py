"""Who may spend what of a night's ceiling, as `stages.shares` decides."""

from __future__ import annotations

import pytest
from stages.quotes import Quote
from stages.shares import Shares, asked_for_probe, begin, hand_out, held, joined, quoted, settled


def quote(most: float) -> dict[str, Quote]:
    return {"base": Quote(likely=most * 0.8, least=most / 2, most=most, source="history", nights=1)}


def night(ceiling: float, **most: float) -> Shares:
    """Shots that all wait for their shares, each with priority 50."""
    shares = begin(ceiling, [(shot, 50) for shot in most])
    for shot, seconds in most.items():
        shares = quoted(joined(shares, shot, 50, f"run_{shot}"), shot, f"run_{shot}", quote(seconds))
    return hand_out(shares)


def states(shares: Shares) -> dict[str, str]:
    return {name: shot.state for name, shot in shares.shots.items()}


def test_each_shot_that_fits_gets_its_share_and_the_others_wait_for_what_comes_back() -> None:
    shares = night(100, a=60, b=60, c=40)
    assert states(shares) == {"a": "given", "b": "waiting", "c": "given"}
    assert (shares.handed_out, shares.left) == (100, 0)

    shares = hand_out(settled(hand_out(settled(shares, "a", "run_a", 20.0)), "c", "run_c", 20.0))
    assert states(shares) == {"a": "settled", "b": "given", "c": "settled"}
    assert (shares.spent, shares.handed_out) == (40, 100)


def test_a_shot_that_never_fits_is_held_at_once_and_one_that_no_longer_fits_in_the_end() -> None:
    assert states(night(100, a=101)) == {"a": "held"}
    shares = night(100, a=60, b=60)
    shares = hand_out(settled(shares, "a", "run_a", 60.0))
    assert states(shares) == {"a": "settled", "b": "held"}
    assert shares.shots["b"].why == "its render may cost 60 s, and 40 s of the ceiling of 100 s are left"


def test_a_shot_waits_while_one_of_higher_priority_has_no_quote() -> None:
    shares = joined(begin(100, [("low", 1), ("high", 9)]), "low", 1, "l")
    shares = hand_out(quoted(shares, "low", "l", quote(60)))
    assert states(shares)["low"] == "waiting"
    shares = hand_out(quoted(joined(shares, "high", 9, "h"), "high", "h", quote(60)))
    assert states(shares) == {"low": "waiting", "high": "given"}


@pytest.mark.parametrize("unknown", [None, float("nan"), float("inf")])
def test_spending_that_is_not_known_counts_as_the_whole_share(unknown: float | None) -> None:
    shares = settled(night(100, a=60), "a", "run_a", unknown)
    assert (states(shares), shares.spent) == ({"a": "settled"}, 60)
    assert settled(shares, "a", "run_a", unknown) == shares
    assert settled(shares, "a", "run_a", 5.0).spent == 5, "known later"


def test_another_run_of_a_shot_does_not_free_what_the_first_was_given() -> None:
    shares = joined(night(100, a=60), "a", 50, "second")
    assert (states(shares), shares.handed_out) == ({"a": "planned"}, 60)
    assert quoted(shares, "a", "run_a", quote(10)) == shares, "the first has no say any more"


def test_a_probe_that_nobody_has_settled_stays_counted() -> None:
    shares = asked_for_probe(joined(begin(100, [("a", 50)]), "a", 50, "run"), "a", "run", ["base"])
    probe = shares.handed_out
    assert 0 < probe < 100
    assert hand_out(quoted(shares, "a", "run", quote(10))).handed_out == probe + 10
    assert held(shares, "a", "run", "refused").handed_out == probe
