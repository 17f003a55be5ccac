"""How many files are on their way at once: decided by how they move, without a network."""

from __future__ import annotations

import math
from typing import Any

import pytest

from renderjuice_provider.api._flow import NoResponse, Received, Response
from renderjuice_provider.api._lanes import FEWEST, MOST, Lanes

SIZE = 1 << 20
HERE = Response(200, {}, received=Received(SIZE, "00"))
RESET = NoResponse("ReadError", sent=True)
FAR = 0.08
"""Seconds until a store begins to send."""
ENDLESS = 1e12
"""Bytes in a second."""


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def moved(
    lanes: Lanes, clock: Clock, files: int, wire: float = ENDLESS, delay: float = FAR, outcome=lambda number: HERE
) -> list[int]:
    """The widths after each file: after a delay, it shares the wire with all others."""
    waiting: list[list[Any]] = []  # until when, began, number
    moving: list[list[Any]] = []  # bytes left, began, number
    widths: list[int] = []
    begun = 0
    while len(widths) < files:
        while len(waiting) + len(moving) < lanes.width and begun < files:
            waiting.append([clock.now + delay, lanes.begin(), begun])
            begun += 1
        share = wire / max(1, len(moving))
        first = min((each[0] for each in waiting), default=math.inf)
        last = min((each[0] / share for each in moving), default=math.inf)
        passed = max(0.0, min(first - clock.now, last))
        clock.now += passed
        for each in moving:
            each[0] -= passed * share
        for each in [each for each in moving if each[0] <= 1e-3]:
            moving.remove(each)
            lanes.end(each[1], outcome(int(each[2])))
            widths.append(lanes.width)
        for each in [each for each in waiting if each[0] <= clock.now]:
            waiting.remove(each)
            received = outcome(int(each[2])).received if isinstance(outcome(int(each[2])), Response) else None
            moving.append([received.size if received else 1.0, *each[1:]])
    return widths


def made(most: int = MOST) -> tuple[Lanes, Clock]:
    clock = Clock()
    return Lanes(most, clock, processor=lambda: 0.0), clock


@pytest.mark.parametrize(("processors", "width"), [(2, FEWEST), (64, MOST)])
def test_a_processor_that_is_the_limit_gets_no_more(processors, width):
    """The lanes use one of them all the time."""
    clock = Clock()
    lanes = Lanes(MOST, clock, lambda: clock.now / lanes.width, processors)
    assert max(moved(lanes, clock, 500)) == width


def test_it_begins_with_few_and_takes_as_many_as_a_store_far_away_is_worth():
    lanes, clock = made()
    assert lanes.width == FEWEST == 4
    widths = moved(lanes, clock, 500)
    assert max(widths) == lanes.width == MOST
    assert widths.index(MOST) < 50  # or a download of some hundred frames would be over before


def test_a_wire_that_is_full_gets_no_more_than_it_is_worth():
    lanes, clock = made()
    widths = moved(lanes, clock, 2000, wire=100 * SIZE, delay=0.001)
    assert set(widths) == {4, 16}
    assert widths.count(4) > 0.75 * len(widths)


def test_a_wire_that_half_a_dozen_fill_gets_not_many_more():
    lanes, clock = made()
    widths = moved(lanes, clock, 5000, wire=6 * SIZE / FAR)
    assert 6 <= sum(widths) / len(widths) <= 24


@pytest.mark.parametrize("most", [1, 2, 4, 10, 300])
def test_there_are_never_more_than_the_client_allows(most):
    lanes, clock = made(most)
    assert max(moved(lanes, clock, 3000)) == most
    assert lanes.width == most


@pytest.mark.parametrize("sign", [Response(429), Response(503), RESET], ids=["429", "503", "reset"])
def test_a_store_that_refuses_gets_half_as_many_once_for_all_that_it_refused(sign):
    lanes, clock = made()
    moved(lanes, clock, 500)
    began = [lanes.begin() for _ in range(64)]
    clock.now += 0.1
    for each in began:
        lanes.end(each, sign)
    assert lanes.width == MOST // 2


def test_a_store_that_goes_on_refusing_gets_the_fewest_and_never_fewer():
    lanes, clock = made()
    moved(lanes, clock, 500)
    widths = moved(lanes, clock, 500, outcome=lambda number: Response(503))
    assert min(widths) == lanes.width == FEWEST


def test_a_store_that_has_recovered_gets_more_again():
    lanes, clock = made()
    moved(lanes, clock, 100, outcome=lambda number: Response(429))
    assert moved(lanes, clock, 1000)[-1] == MOST


@pytest.mark.parametrize(
    "sign", [Response(403), Response(404), Response(302), NoResponse("bad", sent=False, transient=False)]
)
def test_what_says_nothing_of_the_load_changes_nothing(sign):
    lanes, clock = made()
    assert set(moved(lanes, clock, 100, outcome=lambda number: sign)) == {FEWEST}
    moved(lanes, clock, 500)
    assert set(moved(lanes, clock, 500, outcome=lambda number: sign)) == {MOST}


@pytest.mark.parametrize("sizes", [(40 * SIZE, SIZE), (SIZE, 40 * SIZE)], ids=["fewer bytes", "fewer files"])
def test_more_files_or_more_bytes_are_worth_more_lanes(sizes):
    """What comes first is of another size than the rest."""
    lanes, clock = made()

    def outcome(number):
        return Response(200, {}, received=Received(sizes[number >= 8], "00"))

    widths = moved(lanes, clock, 60, wire=1000 * SIZE, outcome=outcome)
    assert MOST in widths[:40]


def test_files_of_many_sizes_are_no_reason_to_stay_with_few():
    lanes, clock = made()
    sizes = [SIZE, 3 * SIZE, 40 * SIZE]

    def outcome(number):
        return Response(200, {}, received=Received(sizes[number % 3], "00"))

    moved(lanes, clock, 500, outcome=outcome)
    assert lanes.width == MOST
