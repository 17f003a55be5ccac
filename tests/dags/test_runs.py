"""The DAGs from end to end, against the emulator.

What was rendered, delivered, reported and skipped.
"""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest

pytestmark = pytest.mark.slow

LAYERED = {"outputFormat": "OPEN_EXR", "outputSettings": {"colorMode": "RGBA", "colorDepth": "16", "exrCodec": "ZIP"}}


def states(run, shot):
    """The states of the tasks of a shot's run, by their names, with the layer if they have one."""
    (tasks,) = [tasks for run_id, tasks in run["shots"].items() if run_id.startswith(f"{shot}__")]
    return {f"{key.partition('[')[0]}{f' {layer}' if layer else ''}": state for key, (state, layer) in tasks.items()}


def rows(run):
    """The states of the nightly's rows, by the shot that each names."""
    return {name: state for key, (state, name) in run["tasks"].items() if key.startswith("shot[")}


def outcome(run):
    return {shot: entry["state"] for shot, entry in run["summary"]["shots"].items()}


def orders(run, file_name):
    return [config for name, config in run["orders"] if name == file_name]


def test_a_dry_run_sends_nothing_and_writes_nothing(runs):
    assert (runs["dry run"]["uploads"], runs["dry run"]["changed"], runs["dry run"]["state"]) == (0, [], "success")


def test_a_dry_run_is_green_whatever_it_has_to_report(runs):
    names = ("dry run of a bad night", "dry run of a repair", "dry run of nothing", "dry run of no list")

    for name in names:
        assert (runs[name]["state"], runs[name]["uploads"], runs[name]["changed"]) == ("success", 0, []), name
    bad, repair, nothing, no_list = (runs[name]["report"] for name in names)
    assert set(bad["failed"]) == {"ice", "holes"}
    assert sorted(repair["would_render"]) == ["holes", "ice"]
    assert nothing["would_render"] == no_list["would_render"] == []
    assert "/no/list cannot be read" in no_list["refused"]


def test_renders_that_failed_are_counted_as_what_they_cost(runs):
    night, repair = (runs[name]["summary"]["shots"]["ice"] for name in ("night", "repair"))

    assert night["render_seconds"] > 0
    assert (len(night["spent"]), len(repair["spent"])) == (3, 4)
    assert repair["render_seconds"] == pytest.approx(sum(repair["spent"].values()), abs=0.01)
    assert repair["render_seconds"] > night["render_seconds"]
    total = sum(entry.get("render_seconds", 0.0) for entry in runs["night"]["summary"]["shots"].values())
    assert total == pytest.approx(runs["night"]["seconds"], abs=0.01)


def test_each_shot_of_a_night_ends_as_it_should_and_no_bad_one_stops_another(runs):
    assert outcome(runs["night"]) == {
        "juice": "delivered",
        "still": "skipped",
        "blind": "rejected",
        "ice": "failed",
        "holes": "failed",
        "label": "delivered",
        "typo": "rejected",
    }


def test_the_reasons_are_reported(runs):
    shots = runs["night"]["summary"]["shots"]

    assert shots["still"]["reason"] == "unchanged since its delivery of 2026-11-22"
    assert shots["blind"]["reason"] == "base: no usable camera"
    assert "RENDER_ERROR: frame 4 could not be rendered" in shots["ice"]["reason"]
    assert "Frames 2, 5 of base are missing after 3 rounds" in shots["holes"]["reason"]
    assert "line 10: unknown key 'heros'" in shots["typo"]["reason"]


def test_a_run_with_a_failed_shot_is_red_and_a_rejected_one_alone_leaves_it_green(runs):
    assert runs["night"]["state"] == "failed"
    assert runs["after"]["state"] == "success"
    assert outcome(runs["after"])["blind"] == "rejected"


def test_a_shot_that_has_failed_fails_its_row_and_no_other(runs):
    assert rows(runs["night"]) == {
        "juice": "success",
        "blind": "success",
        "ice": "failed",
        "holes": "failed",
        "label": "success",
    }


def test_only_the_chosen_branch_runs_and_a_rejected_shot_is_never_rendered(runs):
    night = runs["night"]

    juice, blind = (states(night, shot) for shot in ("juice", "blind"))
    assert {task for task, state in juice.items() if state != "success"} == {"reject", "probe", "share"}
    assert {juice[task] for task in ("reject", "probe", "share")} == {"skipped"}  # this night has no ceiling
    assert blind == {
        "take_order": "success",
        "upload base": "success",
        "create base": "success",
        "validate base": "success",
        "decide": "success",
        "reject": "success",
        "probe": "skipped",
        "share": "skipped",
        "render": "skipped",
        "composite": "skipped",
        "deliver": "skipped",
        "tell_tracker": "skipped",
    }
    assert orders(night, "blind.blend") == []
    assert night["renders"] == 1 + 2 + 3 + 3  # juice, the layers of label, and three rounds of ice and holes


def test_a_shot_has_tasks_for_its_own_layers_and_at_most_twelve_for_one(runs):
    juice, label = (states(runs["night"], shot) for shot in ("juice", "label"))

    assert len(juice) <= 12
    per_layer = ("upload", "create", "validate", "render")
    assert juice.keys() - label.keys() == set()
    assert label.keys() - juice.keys() == {f"{task} over" for task in per_layer}


def test_the_run_of_a_shot_is_named_by_shot_version_and_night(runs):
    version = runs["night"]["summary"]["shots"]["juice"]["version"]

    assert f"juice__{version[:8]}__2026-11-23" in runs["night"]["shots"]
    assert runs["night"]["summary"]["shots"]["juice"]["run_id"] == f"juice__{version[:8]}__2026-11-23"


def test_shots_are_started_by_priority(runs):
    assert runs["night"]["tasks"]["shot[0]"][1] == "juice"


def test_settings_follow_the_branch_and_layers_are_ordered_as_linear_exr(runs):
    (juice,), (base,), (over,) = (
        orders(runs["night"], f"{name}.blend") for name in ("juice", "label_base", "label_over")
    )

    assert (juice["useTiling"], juice["outputFormat"], juice["frameRanges"]) == (True, "PNG", ["1-6"])
    assert (
        base
        == over
        == LAYERED
        | {
            "denoisingEnabled": True,
            "sampleCount": 16,
            "colorManagementPreset": "default",
            "frameRanges": ["1-4"],
            "notes": "shot: label",
        }
    )


def test_a_delivery_is_a_movie_that_decodes_to_every_frame(runs):
    for shot, frames in (("juice", 6), ("label", 4)):
        entry = runs["night"]["summary"]["shots"][shot]
        with av.open(entry["movie"]) as movie:
            decoded = list(movie.decode(video=0))
        assert (len(decoded), decoded[0].width, decoded[0].height) == (frames, 64, 36)
        manifest = json.loads(Path(entry["manifest"]).read_text())
        assert {file["path"] for file in manifest["files"]} == {
            f"{shot}.mp4",
            "contact_sheet.png",
            *(f"frames/{shot}.{number:04d}.png" for number in range(1, frames + 1)),
        }


def test_each_delivery_is_reported_to_the_tracker_once_as_json(runs):
    reported = {body["shot"]: (path, body["frames"], body["show"]) for path, body in runs["night"]["reported"]}

    assert len(runs["night"]["reported"]) == 2
    version = runs["night"]["summary"]["shots"]["juice"]["version"]
    assert reported["juice"] == (f"/shots/juice/deliveries/{version}", 6, "citrus")
    assert reported["label"][1:] == (4, "citrus")


def test_a_second_run_the_same_night_renders_nothing_and_delivers_nothing(runs):
    again = runs["again"]

    assert [run_id.partition("__")[0] for run_id in again["shots"]] == ["blind"]
    assert (again["renders"], again["reported"]) == (0, [])
    assert {path.split("/")[0] for path in again["changed"]} == {"nights"}
    assert again["uploads"] == 1  # the rejected one is checked again: that is free, and it may have been repaired
    assert outcome(again) == outcome(runs["night"])


def test_a_repair_renders_only_the_missing_frames_of_only_the_failed_shots_and_delivers_them(runs):
    repair = runs["repair"]

    assert repair["renders"] == 2
    assert [config["frameRanges"] for config in orders(repair, "ice.blend")] == [["1-6"], *[["4-6"]] * 3]
    assert [config["frameRanges"] for config in orders(repair, "holes.blend")] == [["1-6"], *[["2", "5"]] * 3]
    assert {run_id.count("__") for run_id in repair["shots"]} == {3}  # a mark distinguishes them from the first
    assert repair["state"] == "success"
    assert sorted(body["shot"] for _, body in repair["reported"]) == ["holes", "ice"]
    assert outcome(repair) == outcome(runs["night"]) | {"ice": "delivered", "holes": "delivered"}
    for shot in ("ice", "holes"):
        with av.open(repair["summary"]["shots"][shot]["movie"]) as movie:
            assert len(list(movie.decode(video=0))) == 6


def test_what_was_repaired_counts_as_delivered_for_the_nightly(runs):
    assert (runs["after"]["renders"], runs["after"]["reported"]) == (0, [])


def test_a_shot_that_is_unchanged_is_skipped_also_by_hand(runs):
    by_hand = runs["unchanged by hand"]

    assert (by_hand["state"], by_hand["renders"], by_hand["uploads"], by_hand["reported"]) == ("success", 0, 0, [])
    assert by_hand["changed"] == []


def test_the_same_shot_with_final_settings_is_another_version(runs):
    final = runs["final by hand"]

    assert (final["state"], final["renders"]) == ("success", 2)
    ((_, body),) = final["reported"]
    assert (body["shot"], body["settings"]) == ("label", "final")
    assert body["version"] != runs["night"]["summary"]["shots"]["label"]["version"]


def test_just_a_file_is_delivered_as_a_shot_named_after_it(runs):
    file = runs["just a file"]

    ((path, body),) = file["reported"]
    assert (file["state"], body["shot"], body["frames"]) == ("success", "loose_end", 2)
    assert path == f"/shots/loose_end/deliveries/{body['version']}"
    assert orders(file, "loose end.blend")[0]["frameRanges"] == ["2-3"]


def test_a_shot_that_the_list_does_not_have_is_refused_before_anything_is_sent(runs):
    refused = runs["not in the list"]

    assert (refused["state"], refused["uploads"], refused["changed"]) == ("failed", 0, [])
    assert "juce" in runs["log"]
    assert "Nothing was sent, and nothing was spent." in runs["log"]


def test_a_scene_that_is_removed_before_its_turn_fails_its_shot_alone_and_the_report_says_why(runs):
    night = runs["a scene leaves"]

    assert rows(night) == {"juice": "success", "leaves": "failed"}
    assert night["report"]["delivered"].keys() == {"juice"}
    (reason,) = night["report"]["failed"].values()
    assert "leaves cannot be rendered: line 4: there is no file" in reason
    assert "Nothing was sent, and nothing was spent." in reason


def test_bulk_renders_every_scene_once_names_its_tasks_by_file_and_reports_which_failed(runs):
    bulk = runs["bulk"]

    names = {name: state for key, (state, name) in bulk["tasks"].items() if key.startswith("render[")}
    assert names == {"one.blend": "success", "two.blend": "failed", "three.blend": "success"}
    assert bulk["renders"] == 3
    frames = {path for path in bulk["changed"] if "frames" in path}
    assert frames == {
        f"bulk/{name}.blend/frames/{number:04d}.png" for name in ("one", "more/three") for number in (1, 2)
    }
    assert bulk["state"] == "failed"
    reported = bulk["report"]
    assert (reported["failed"], reported["rendered"], "jobs_of_unknown_cost" in reported) == (["two.blend"], 2, False)
    assert reported["render_seconds"] == pytest.approx(bulk["seconds"], abs=0.01)


def test_whatever_was_completed_is_downloaded_below_its_shot_and_only_once(runs):
    run, again = runs["all that is completed"], runs["all that is completed, again"]
    places = {Path(path).parts[1:3] for path in run["changed"] if path.endswith("manifest.json")}

    assert sorted(job_id for _, job_id in places) == sorted(run["completed_jobs"])
    assert {folder for folder, _ in places} >= {"juice", "label", "one"}
    assert (again["state"], again["changed"], again["renders"]) == ("success", [], 0)
