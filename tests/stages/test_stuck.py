"""What is usual for a shot comes from its last delivery; a stuck render is in the run's note."""

from __future__ import annotations

import pytest
from stages import note, stuck
from stages.entries import write_entry
from stages.stuck import note_stuck, seconds_per_frame, stuck_defaults

DELIVERED = {"run_id": "r", "state": "delivered", "settings": "final", "frames_ordered": 24, "render_seconds": 60.0}
DELIVERED |= {"spent": {"1": 60.0}}


@pytest.fixture
def order(tmp_path):
    nights = tmp_path / "out" / "nights"
    return {
        "delivery": str(tmp_path / "out" / "juice"),
        "entry": str(nights / "2026-11-24" / "shots" / "juice.json"),
        "before": str(nights / "2026-11-23" / "shots" / "juice.json"),
    }


@pytest.fixture
def deliver(order, monkeypatch):
    def leave(entry, night="2026-11-23"):
        monkeypatch.setattr("stages.delivery.current_delivery", lambda place: {"night": night})
        write_entry(entry, order["before"])

    return leave


def test_a_frame_usually_takes_what_it_took_when_the_shot_was_last_delivered(order, deliver):
    deliver(DELIVERED)
    assert seconds_per_frame(order, "final") == 2.5


@pytest.mark.parametrize(
    "entry",
    [
        {"state": "failed"},
        {"settings": "economical"},
        {"spent": {"1": None}},
        {"frames_ordered": 0},
        {"render_seconds": 0.0},
        {"render_seconds": float("nan")},
    ],
)
def test_what_is_not_known_is_not_guessed(order, deliver, entry):
    deliver(DELIVERED | entry)
    assert seconds_per_frame(order, "final") is None


def test_a_shot_that_was_never_delivered_has_no_usual_time(order):
    assert seconds_per_frame(order, "final") is None


def test_a_night_that_is_no_folder_of_nights_is_not_read(order, deliver):
    deliver(DELIVERED, night="../nights/2026-11-23")
    assert seconds_per_frame(order, "final") is None


def test_the_note_of_the_run_says_that_a_render_was_stuck(monkeypatch):
    written = []
    monkeypatch.setattr(note, "write_note", lambda context, text: written.append(text))
    note_stuck({"ti": None, "reason": "Job j has been stuck: no new frame for 5 min 00 s"})
    assert written == ["stuck: Job j has been stuck: no new frame for 5 min 00 s. What is missing is ordered again"]


def test_a_studio_can_do_without(monkeypatch):
    assert stuck_defaults()["cancel_stuck"]
    monkeypatch.setattr(stuck, "STUCK_AFTER", 0.0)
    assert stuck_defaults() == {}
