from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from stages import summary_record
from stages.spending import outcome_of
from stages.summary import alarm, as_text, keep, report, short, short_of_shot

from proofs.look.sample_night import sample_night
from renderjuice_provider.api.models import Job

DAGS = Path(summary_record.__file__).parents[1]
NIGHT = "2026-11-23"


def test_a_render_that_was_killed_or_of_which_nobody_knows_is_not_a_free_render():
    killed = {"shot": "a", "state": "failed", "reason": "killed", "spent": {"1": 183.0}, "render_seconds": 183.0}
    spent = {"2": None, "3": 2.0}
    running = killed | {"shot": "b", "spent": spent, "render_seconds": 2.0, "still_rendering": ["3"]}

    reported = report(NIGHT, [killed, running])
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


def test_what_is_known_of_a_job_is_not_forgotten_by_an_entry_that_does_not_know_it(tmp_path):
    failed = {"shot": "a", "state": "failed", "reason": "frame 4", "spent": {"1": 183.0, "2": None}}
    keep(str(tmp_path), NIGHT, [failed])

    path = keep(str(tmp_path), NIGHT, [failed | {"spent": {"1": None, "2": 7.0, "3": None}}])

    kept = json.loads(Path(path).read_text())["shots"]["a"]
    assert kept["spent"] == {"1": 183.0, "2": 7.0, "3": None}
    assert kept["render_seconds"] == 190.0


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


def test_the_schema_in_the_repository_is_that_of_the_models():
    kept = json.loads((DAGS / "summary.schema.json").read_text())

    assert kept == summary_record.schema(), "cd dags && python -m stages.summary_record > summary.schema.json"


def test_what_is_kept_of_a_night_is_as_the_schema_says(tmp_path):
    whole = {"shot": "a", "state": "delivered", "frames": 24, "layers": ["base"], "rounds": 2, "version": "3fa2"}
    lost = {"layer": "base", "node": "Depth", "frames": [3]}
    entry = whole | {"complete": False, "missing": [lost], "spent": {"1": 4.0, "2": None}, "movie": "a.mp4"}
    keep(str(tmp_path), NIGHT, [entry])
    sample_night(tmp_path / "more", 40)
    validator = Draft202012Validator(json.loads((DAGS / "summary.schema.json").read_text()))

    for path in tmp_path.rglob("summary.json"):
        validator.validate(json.loads(path.read_text()))
    for wrong in ({}, {"shots": {"a": {"shot": "a", "state": "lost"}}}, {"shots": {"a": entry | {"frames": "24"}}}):
        assert not validator.is_valid(wrong)


def test_counts_of_frames_that_do_not_cover_all_jobs_are_not_kept(tmp_path):
    failed = {"shot": "a", "state": "failed", "spent": {"1": 183.0}, "frames_ordered": 24, "frames_rendered": 24}
    counts = {"frames_ordered": 24, "frames_rendered": 3}
    repaired = failed | counts | {"state": "delivered"}
    others = [{"spent": {"2": 7.0}}, {"spent": {"1": 183.0, "2": 7.0}, "spent_before": {"1": 183.0}}]
    for number, more in enumerate(others):
        folder = str(tmp_path / str(number))
        keep(folder, NIGHT, [failed])
        assert json.loads(Path(keep(folder, NIGHT, [failed])).read_text())["shots"]["a"].keys() >= counts.keys()
        kept = json.loads(Path(keep(folder, NIGHT, [repaired | more])).read_text())["shots"]["a"]
        assert kept["render_seconds"] == 190.0
        assert not kept.keys() & {*counts, "spent_before"}


def test_a_night_in_one_line_names_what_failed_and_what_is_not_known():
    done = [{"shot": f"d{number}", "state": "delivered", "frames": 24, "movie": "m"} for number in range(12)]
    failed = {"shot": "ice", "state": "failed", "reason": "frame 4 " * 50, "spent": {"1": None}, "render_seconds": 0.0}
    found = report(NIGHT, [*done, failed, {"shot": "x", "state": "rejected", "reason": "no camera"}])

    line = short(found | {"render_seconds": 4210.0})
    assert line.startswith("12 delivered, 0 skipped, 1 rejected, 1 failed (ice: frame 4 frame 4")
    assert line.endswith("…); 4,210 render seconds, and 1 job of unknown cost")
    assert len(short(report(NIGHT, [failed | {"shot": f"s{number}"} for number in range(200)]))) < 1000
    assert "; 197 more)" in short(report(NIGHT, [failed | {"shot": f"s{number}"} for number in range(200)]))


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (
            {"state": "delivered", "version": "3fa2" * 4, "frames": 24, "rounds": 2, "spent": {"1": 180.0, "2": 3.0}},
            "delivered 3fa23fa2, 24 frames, 2 rounds, 183 s",
        ),
        ({"state": "delivered", "frames": 1, "missing": [1]}, "delivered, 1 frame, not complete"),
        ({"state": "rejected", "reason": "no camera"}, "rejected: no camera"),
        (
            {"state": "failed", "reason": "ice failed: frame 4", "spent": {"1": None}, "still_rendering": ["1"]},
            "failed: frame 4, 1 job of unknown cost, still rendering, and being paid: 1",
        ),
    ],
)
def test_a_shot_in_one_line(entry, line):
    assert short_of_shot({"shot": "ice"} | entry) == line
