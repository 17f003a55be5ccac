from __future__ import annotations

import json
from pathlib import Path

from stages.summary import as_text, entries_of, keep, report

NIGHT = "2026-11-23"
NOTHING = {"decisions": [], "renders": [], "rejections": [], "deliveries": [], "failures": []}


def entries(states, **xcoms):
    orders = [{"shot": name} for name in ("a", "b", "c")]
    return entries_of(orders, states, NOTHING | xcoms)


def decision(shot, job):
    return {"shot": shot, "jobs": {"base": job}}


def test_each_shot_ends_in_one_state_with_its_reason_and_its_seconds():
    found = entries(
        {
            "shot.deliver_0": "success",
            "shot.render_base.render_final_0": "success",
            "shot.reject_1": "success",
            "shot.render_base.render_final_2": "failed",
            "shot.deliver_2": "upstream_failed",
        },
        decisions=[decision("a", "1"), decision("b", "2"), decision("c", "3")],
        renders=[{"job_id": "1", "normalized_seconds": 4.5}],
        rejections=[{"shot": "b", "reasons": ["no usable camera", "zero frames"]}],
        deliveries=[{"shot": "a", "frames": 24, "movie": "a.mp4"}],
        failures=[
            {
                "map_index": 2,
                "task": "shot.render_base.render_final",
                "reason": "frame 4",
                "rejects": False,
                "render_seconds": 1.5,
            }
        ],
    )

    assert [(entry["shot"], entry["state"], entry["render_seconds"]) for entry in found] == [
        ("a", "delivered", 4.5),
        ("b", "rejected", 0),
        ("c", "failed", 1.5),
    ]
    assert found[1]["reason"] == "no usable camera; zero frames"
    assert (found[2]["reason"], found[2]["task"]) == ("frame 4", "shot.render_base.render_final")
    assert report(NIGHT, found)["frames"] == 24
    assert report(NIGHT, found)["render_seconds"] == 6.0


def test_a_killed_task_leaves_no_reason_and_is_found_by_its_state():
    found = entries({"shot.render_base.render_final_1": "failed", "shot.deliver_1": "upstream_failed"})

    assert found[1]["state"] == "failed"
    assert found[1]["reason"] == "see the log of shot.render_base.render_final"


def test_a_scene_that_renderjuice_cannot_open_is_rejected():
    failure = {
        "map_index": 0,
        "task": "shot.check_base.validate",
        "reason": "not a scene",
        "rejects": True,
        "render_seconds": 0.0,
    }

    assert entries({"shot.check_base.validate_0": "failed"}, failures=[failure])[0]["state"] == "rejected"


def test_a_delivery_that_the_tracker_was_not_told_of_counts_as_failed():
    found = entries(
        {"shot.deliver_0": "success", "shot.tell_tracker_0": "failed"},
        decisions=[decision("a", "1")],
        deliveries=[{"shot": "a", "frames": 24, "movie": "a.mp4"}],
    )

    assert (found[0]["state"], found[0]["task"]) == ("failed", "shot.tell_tracker")


def test_map_indexes_above_nine_are_not_mistaken():
    found = entries_of(
        [{"shot": str(n)} for n in range(12)],
        {"shot.check_base.create_11": "failed", "shot.check_base.create_1": "success"},
        NOTHING,
    )

    assert found[11]["task"] == "shot.check_base.create"
    assert found[1]["task"] == ""


def test_the_files_tell_of_the_whole_night_and_a_later_run_changes_only_its_own_shots(tmp_path):
    delivered = {"shot": "a", "state": "delivered", "frames": 24, "movie": "a.mp4", "render_seconds": 5.0}
    failed = {"shot": "b", "state": "failed", "reason": "frame 4", "render_seconds": 2.0}
    keep(str(tmp_path), NIGHT, [delivered, failed])

    path = keep(
        str(tmp_path),
        NIGHT,
        [
            {"shot": "a", "state": "skipped", "reason": "unchanged"},
            failed | {"state": "delivered", "frames": 6, "movie": "b.mp4"},
        ],
    )

    shots = json.loads(Path(path).read_text())["shots"]
    assert {name: entry["state"] for name, entry in shots.items()} == {"a": "delivered", "b": "delivered"}
    text = Path(path).with_name("summary.md").read_text()
    assert "2 delivered, 0 skipped, 0 rejected, 0 failed; 30 frames, 7.0 render seconds" in text


def test_what_an_earlier_run_spent_is_not_counted_again():
    entry = {"shot": "a", "state": "failed", "reason": "x", "render_seconds": 9.0, "carried_over": True}

    assert report(NIGHT, [entry])["render_seconds"] == 0


def test_a_dry_run_names_what_it_would_render():
    assert "- **juice**" in as_text(report(NIGHT, [], dry_run=["juice"]))
