"""What `make nights` takes for wrong: each kind is found, and a night without it is not blamed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proofs.nights import table
from proofs.nights.evidence import Figures, Render, complaints, count, differences, renders
from proofs.nights.night import Outcome
from proofs.nights.studio import Night, Shot, plan
from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import RawClient

NIGHT = Night(1, (Shot("a", ("base",), 4), Shot("b", ("base", "over"), 2)))
PAID = (
    Render("a1", "a_base.blend", frozenset({1, 2, 3, 4}), frozenset({1, 2}), 4, 8.0),
    Render("b1", "b_base.blend", frozenset({1, 2}), frozenset({1, 2}), 2, 4.0),
    Render("b2", "b_over.blend", frozenset({1, 2}), frozenset({1, 2}), 2, 4.0),
    Render("a2", "a_base.blend", frozenset({3, 4}), frozenset({3, 4}), 2, 4.0),
)
ENTRIES: dict[str, dict[str, Any]] = {
    "a": {"state": "delivered", "spent": {"a1": 8.0, "a2": 4.0}},
    "b": {"state": "delivered", "spent": {"b1": 4.0, "b2": 4.0}},
}


def test_a_night_that_is_as_it_should_be_is_not_blamed() -> None:
    assert complaints(NIGHT, PAID, ENTRIES, []) == []


def test_a_night_is_counted_by_rounds_and_frames() -> None:
    assert count(NIGHT, PAID, ENTRIES) == Figures(2, (1, 1, 0), 0, 8, 10, 4)
    figures = count(NIGHT, PAID[:-1], ENTRIES | {"a": {"state": "failed", "reason": "frames 3-4 are lost"}})
    assert (figures.delivered, figures.named) == ((1, 0, 0), 1)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"a": None}, "a is not in the summary"),
        ({"z": {"state": "failed"}}, "z is in the summary, and not in the list"),
        ({"a": {"spent": {"a1": 8.0}}}, "the ledger has job a2, the summary has not"),
        ({"a": {"spent": {"a1": 8.0, "a2": 4.0, "a3": 1.0}}}, "the summary has job a3, the ledger has not"),
        ({"a": {"spent": {"a1": 8.0, "a2": 5.0}}}, "job a2 cost 4.0 s, the summary says 5.0"),
        ({"a": {"spent": {"a1": 8.0, "a2": None}}}, "job a2 cost 4.0 s, the summary says None"),
        ({"a": {"state": "failed", "reason": "bad luck"}}, "its frames are all there, and it is failed: bad luck"),
    ],
)
def test_a_summary_that_is_not_true_is_found(change: dict[str, Any], complaint: str) -> None:
    entries = {name: ENTRIES.get(name, {}) | value for name, value in (ENTRIES | change).items() if value is not None}
    (found,) = complaints(NIGHT, PAID, entries, [])
    assert complaint in found


def test_a_frame_that_is_ordered_again_although_it_is_there_is_found() -> None:
    again = replace(PAID[3], ordered=frozenset({2, 3, 4}))
    (found,) = complaints(NIGHT, (*PAID[:3], again), ENTRIES, [])
    assert "job a2 ordered frames [2], which were there and whole" in found


def test_a_fourth_round_is_found() -> None:
    vain = [replace(PAID[3], job_id=f"v{number}", brought=frozenset(), seconds=0.0) for number in range(2)]
    assert complaints(NIGHT, (PAID[0], *vain[:1], *PAID[1:]), ENTRIES, []) == []
    (found,) = complaints(NIGHT, (PAID[0], *vain, *PAID[1:]), ENTRIES, [])
    assert "a, base: 4 rounds" in found


def test_a_shot_that_is_not_whole_has_to_be_named_and_only_after_three_rounds() -> None:
    vain = [replace(PAID[3], job_id=f"v{number}", brought=frozenset(), seconds=0.0) for number in range(2)]
    paid = (PAID[0], *vain, *PAID[1:3])
    named = ENTRIES | {"a": {"state": "failed", "reason": "frames 3-4 are lost", "spent": {"a1": 8.0}}}
    assert complaints(NIGHT, paid, named, []) == []
    (found,) = complaints(NIGHT, (PAID[0], *PAID[1:3]), named, [])
    assert "base is given up after 1 rounds" in found
    (found,) = complaints(NIGHT, paid, named | {"a": named["a"] | {"reason": None}}, [])
    assert "failed without a reason" in found
    (found,) = complaints(NIGHT, paid, named | {"a": named["a"] | {"state": "delivered"}}, [])
    assert "delivered without frames" in found


def test_a_job_that_is_left_running_is_found() -> None:
    assert complaints(NIGHT, PAID, ENTRIES, ["a2"]) == ["job a2 was left running"]


def test_what_a_second_run_changes_is_found() -> None:
    assert differences(ENTRIES, ENTRIES) == []
    (found,) = differences(ENTRIES, ENTRIES | {"a": ENTRIES["a"] | {"state": "failed"}})
    assert found == "a: a second run of the night changed state from delivered to failed"


def test_too_many_frames_and_shots_of_which_nothing_is_known_are_found() -> None:
    def found(figures: Figures) -> list[str]:
        return table.complaints([Outcome(1, figures, {}, [], 1.0)])

    assert found(Figures(2, (2, 0, 0), 0, 100, 110, 2)) == []
    assert "111 frames were rendered for 100" in found(Figures(2, (2, 0, 0), 0, 100, 111, 2))[0]
    assert "of 2 shots 1 are delivered, and 0 are named" in found(Figures(2, (1, 0, 0), 0, 100, 100, 2))[0]


def test_what_the_emulator_knows_of_its_jobs_is_what_came_to_them(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.switches.mishaps = "drop=20% damage=20% fail=100% seed=2"
    raw_client.create()
    job_id = raw_client.completed(frame_end=20)
    (render,) = renders(emulator)
    mishaps = emulator.jobs[job_id].mishaps
    assert (render.job_id, render.file_name, render.ordered) == (job_id, "shot_010.blend", frozenset(range(1, 21)))
    assert render.brought == render.ordered - mishaps.dropped - mishaps.damaged - mishaps.never_rendered
    assert 0 < len(render.brought) < render.frames_rendered < 20


def test_the_nights_are_the_same_each_time_and_differ_from_each_other() -> None:
    assert plan(1, 20) == plan(1, 20)
    assert plan(1, 20).shots != plan(2, 20).shots
    assert {len(shot.layers) for shot in plan(1, 20).shots} == {1, 2}
    assert plan(31, 1).date == "2026-12-01"
