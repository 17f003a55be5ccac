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
    """The states of a shot's tasks, by their names without the group."""
    return {
        key.rpartition("[")[0].removeprefix("shot."): state
        for key, (state, name) in run["tasks"].items()
        if name == shot or key.endswith(f"[{index_of(run, shot)}]")
    }


def index_of(run, shot):
    return next(int(key.rpartition("[")[2][:-1]) for key, (_, name) in run["tasks"].items() if name == shot)


def outcome(run):
    return {shot: entry["state"] for shot, entry in run["summary"]["shots"].items()}


def orders(run, file_name):
    return [config for name, config in run["orders"] if name == file_name]


def test_a_dry_run_sends_nothing_and_writes_nothing(runs):
    assert (runs["dry run"]["uploads"], runs["dry run"]["changed"], runs["dry run"]["state"]) == (0, [], "success")


def test_a_dry_run_is_green_whatever_it_has_to_report(runs):
    names = ("dry run of a bad night", "dry run of nothing", "dry run of no list")

    for name in names:
        assert (runs[name]["state"], runs[name]["uploads"], runs[name]["changed"]) == ("success", 0, []), name
    bad, nothing, no_list = (runs[name]["report"] for name in names)
    assert set(bad["failed"]) == {"ice", "holes"}
    assert nothing["would_render"] == no_list["would_render"] == []
    assert "/no/list cannot be read" in no_list["refused"]


def test_renders_that_failed_are_counted_as_what_they_cost(runs):
    night, repair = (runs[name]["summary"]["shots"]["ice"] for name in ("night", "repair"))

    assert night["render_seconds"] > 0
    assert len(repair["spent"]) == 2
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
    assert "layer base: frames 2, 5 are missing" in shots["holes"]["reason"]
    assert "line 10: unknown key 'heros'" in shots["typo"]["reason"]


def test_a_run_with_a_failed_shot_is_red_and_a_rejected_one_alone_leaves_it_green(runs):
    assert runs["night"]["state"] == "failed"
    assert runs["after"]["state"] == "success"
    assert outcome(runs["after"])["blind"] == "rejected"


def test_only_the_chosen_branch_runs_and_a_rejected_shot_is_never_rendered(runs):
    night = runs["night"]

    hero, light, blind = (states(night, shot) for shot in ("juice", "label", "blind"))
    assert (hero["render_base.render_final"], hero["render_base.render_economical"], hero["reject"]) == (
        "success",
        "skipped",
        "skipped",
    )
    assert (light["render_base.render_final"], light["render_base.render_economical"]) == ("skipped", "success")
    assert blind["reject"] == "success"
    assert {state for task, state in blind.items() if "render" in task or task in {"composite", "deliver"}} == {
        "skipped"
    }
    assert orders(night, "blind.blend") == []
    assert night["renders"] == 5  # juice, ice, holes, and two layers of label


def test_a_shot_of_one_layer_leaves_the_other_alone(runs):
    over = {task: state for task, state in states(runs["night"], "juice").items() if "_over." in task}

    assert set(over.values()) == {"skipped"}


def test_every_task_that_ran_shows_the_name_of_its_shot(runs):
    for key, (state, name) in runs["night"]["tasks"].items():
        if key.startswith("shot.") and state in {"success", "failed"}:
            assert name in {"juice", "blind", "ice", "holes", "label"}, key


def test_shots_are_started_by_priority(runs):
    assert index_of(runs["night"], "juice") == 0


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

    assert (again["renders"], again["reported"]) == (0, [])
    assert {path.split("/")[0] for path in again["changed"]} == {"nights"}
    assert again["uploads"] == 1  # the rejected one is checked again: that is free, and it may have been repaired
    assert outcome(again) == outcome(runs["night"])


def test_a_repair_renders_only_the_missing_frames_of_only_the_failed_shots_and_delivers_them(runs):
    repair = runs["repair"]

    assert repair["renders"] == 2
    assert [config["frameRanges"] for config in orders(repair, "ice.blend")] == [["1-6"], ["4-6"]]
    assert [config["frameRanges"] for config in orders(repair, "holes.blend")] == [["1-6"], ["2", "5"]]
    assert repair["state"] == "success"
    assert sorted(body["shot"] for _, body in repair["reported"]) == ["holes", "ice"]
    assert outcome(repair) == outcome(runs["night"]) | {"ice": "delivered", "holes": "delivered"}
    for shot in ("ice", "holes"):
        with av.open(repair["summary"]["shots"][shot]["movie"]) as movie:
            assert len(list(movie.decode(video=0))) == 6


def test_what_was_repaired_counts_as_delivered_for_the_nightly(runs):
    assert (runs["after"]["renders"], runs["after"]["reported"]) == (0, [])


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
