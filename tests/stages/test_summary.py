from __future__ import annotations

import json
from pathlib import Path

from stages.spending import UNKNOWN, outcome_of
from stages.summary import alarm, as_text, entries_of, keep, report

from renderjuice_provider.api.models import Job

NIGHT = "2026-11-23"
NOTHING = {"decisions": [], "rejections": [], "deliveries": [], "failures": []}


def entries(states, outcomes=None, **xcoms):
    orders = [{"shot": name} for name in ("a", "b", "c")]
    return entries_of(orders, states, NOTHING | xcoms, outcomes or {})


def outcome(seconds, status="completed", running=False, reason=""):
    return {"status": status, "running": running, "seconds": seconds, "reason": reason}


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
        outcomes={"a": {"1": outcome(4.5)}, "c": {"3": outcome(1.5, "failed")}},
        decisions=[decision("a", "1"), decision("b", "2"), decision("c", "3")],
        rejections=[{"shot": "b", "reasons": ["no usable camera", "zero frames"]}],
        deliveries=[{"shot": "a", "frames": 24, "movie": "a.mp4"}],
        failures=[
            {
                "map_index": 2,
                "task": "shot.render_base.render_final",
                "reason": "frame 4",
                "rejects": False,
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


def test_a_render_that_was_killed_or_of_which_nobody_knows_is_not_a_free_render():
    found = entries(
        {"shot.render_base.render_final_0": "failed", "shot.render_base.render_final_1": "failed"},
        outcomes={
            "a": {"1": outcome(183.0, "canceled")},
            "b": {"2": dict(UNKNOWN), "3": outcome(2.0, "rendering", running=True)},
        },
        decisions=[decision("a", "1"), decision("b", "2")],
    )

    assert found[0]["reason"] == "its render was cancelled; see the log of shot.render_base.render_final"
    reported = report(NIGHT, found)
    assert (reported["render_seconds"], reported["jobs_of_unknown_cost"]) == (185.0, ["2"])
    assert reported["failed"]["b"].endswith("(still rendering, and being paid: 3)")
    assert "185 render seconds, and 1 job of unknown cost" in as_text(reported)


def test_a_job_that_was_never_ordered_to_render_cost_nothing_and_one_that_was_is_never_free():
    def seconds(status, config=None, cost=None):
        fields = {"id": "1", "status": status, "requestedConfig": config, "normalizedSeconds": cost}
        return outcome_of(Job.model_validate(fields))["seconds"]

    assert [seconds("validated"), seconds("canceled"), seconds("failed")] == [0.0, 0.0, 0.0]
    assert [seconds("canceled", {"notes": ""}), seconds("rendering", {"notes": ""}), seconds("suspended")] == [None] * 3
    assert seconds("failed", {"notes": ""}, 183.5) == 183.5
    assert [outcome_of(Job(id="1", status=status))["running"] for status in ("validated", "rendering", "failed")] == [
        False,
        True,
        False,
    ]


def test_what_earlier_jobs_of_the_night_cost_is_not_forgotten_and_not_counted_twice(tmp_path):
    failed = {"shot": "a", "state": "failed", "reason": "frame 4", "spent": {"1": 183.0}, "render_seconds": 183.0}
    keep(str(tmp_path), NIGHT, [failed])
    keep(str(tmp_path), NIGHT, [failed | {"carried_over": True}])
    repaired = {
        "shot": "a",
        "state": "delivered",
        "frames": 3,
        "movie": "m",
        "spent": {"2": 7.0},
        "render_seconds": 7.0,
    }

    kept = json.loads(Path(keep(str(tmp_path), NIGHT, [repaired])).read_text())

    assert kept["shots"]["a"]["render_seconds"] == 190.0
    assert "3 frames, 190 render seconds" in Path(tmp_path, "nights", NIGHT, "summary.md").read_text()
    assert report(NIGHT, [repaired])["render_seconds"] == 7.0


def test_the_alarm_begins_with_shot_and_reason_and_ends_with_what_to_do():
    one = {
        "shot": "ice",
        "state": "failed",
        "reason": "RENDER_ERROR: frame 4\ncould not be rendered",
        "render_seconds": 9.0,
    }

    lines = alarm(report(NIGHT, [one])).splitlines()

    assert lines[0] == "1 shot failed. ice: RENDER_ERROR: frame 4 could not be rendered"
    assert "9 render seconds" in lines[1]
    assert "open the run of the shot and Clear it" in lines[2]
    assert "trigger renderjuice_nightly with date 2026-11-23 and failed_only" in lines[2]
    many = alarm(report(NIGHT, [one | {"shot": f"s{number:02}"} for number in range(30)])).splitlines()
    assert (many[0], many[1].partition(":")[0], many[21]) == ("30 shots failed:", "s00", "... and 10 more")


def test_a_shot_is_named_once_in_its_line():
    entry = {"shot": "a", "state": "failed", "reason": "a failed: frame 7: no camera.", "frames": 0, "task": "render"}
    assert report(NIGHT, [entry])["failed"] == {"a": "frame 7: no camera."}


def test_a_dry_run_reports_what_it_would_do_also_when_that_is_nothing_or_is_refused():
    assert "## Dry run: would be rendered\n\n- **a**" in as_text(report(NIGHT, [], dry_run=["a"]))
    assert as_text(report(NIGHT, [], dry_run=[])).endswith("would be rendered\n\nNothing.\n")
    assert as_text(report(NIGHT, [], dry_run=[], refused="no YAML")).endswith("would be rendered\n\nno YAML\n")
    assert "Dry run" not in as_text(report(NIGHT, []))


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
    }

    assert entries({"shot.check_base.validate_0": "failed"}, failures=[failure])[0]["state"] == "rejected"


def test_a_delivery_that_was_not_reported_to_the_tracker_counts_as_failed():
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
        {},
    )

    assert found[11]["task"] == "shot.check_base.create"
    assert found[1]["task"] == ""


def test_the_files_report_the_whole_night_and_a_later_run_changes_only_its_own_shots(tmp_path):
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
    assert "2 delivered, 0 skipped, 0 rejected, 0 failed; 30 frames, 7 render seconds" in text


def test_what_an_earlier_run_spent_is_not_counted_again():
    entry = {"shot": "a", "state": "failed", "reason": "x", "render_seconds": 9.0, "carried_over": True}

    assert report(NIGHT, [entry])["render_seconds"] == 0


def test_a_dry_run_names_what_it_would_render():
    assert "- **juice**" in as_text(report(NIGHT, [], dry_run=["juice"]))
