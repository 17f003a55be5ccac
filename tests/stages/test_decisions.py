from __future__ import annotations

import pytest
from stages.decisions import decide, frame_ranges

from renderjuice_emulator.rendering import SceneReport
from renderjuice_provider.api.config import check_render_config

ORDER = {
    "shot": "juice",
    "files": {"base": "a.blend"},
    "frames": None,
    "fps": None,
    "hero": False,
    "quality": "auto",
    "render": {"colorManagementPreset": "default"},
}
LAYERED = ORDER | {"files": {"base": "a.blend", "over": "b.blend"}}


def found(layer="base", **report):
    return {layer: {"job_id": f"{layer}-job", "status": "validated", "analysis": SceneReport(**report).to_json()}}


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ({"cameras": ()}, "base: no usable camera"),
        ({"missing_files": ("wood.png", "leaf.abc")}, "base: missing files: wood.png, leaf.abc"),
        ({"frame_start": 10, "frame_end": 9}, "base: zero frames"),
        ({"views": ("left", "right")}, "base: renders 2 views"),
    ],
)
def test_a_scene_that_cannot_be_rendered_is_rejected_with_the_reason(report, reason):
    decision = decide(ORDER, found(**report))

    assert decision["branch"] == "reject"
    assert decision["reasons"][0].startswith(reason)
    assert "configs" not in decision


def test_all_reasons_are_reported_at_once():
    assert len(decide(ORDER, found(cameras=(), missing_files=("x",), frame_end=0))["reasons"]) == 3


@pytest.mark.parametrize(
    ("order", "report", "branch", "why"),
    [
        ({}, {}, "economical", "light"),
        ({"hero": True}, {}, "final", "a hero shot"),
        ({}, {"frame_end": 240, "resolution": (1920, 1080), "samples": 256}, "final", "heavy"),
        ({"quality": "economical", "hero": True}, {}, "economical", "asked for"),
        ({"quality": "final"}, {}, "final", "asked for"),
    ],
)
def test_settings_follow_the_shot_and_what_it_weighs(order, report, branch, why):
    decision = decide(ORDER | order, found(**report))

    assert decision["branch"] == branch
    assert decision["why"].startswith(why)


def test_economical_settings_cap_samples_by_engine_and_never_raise_them():
    def config(**report):
        return decide(ORDER, found(**report))["configs"]["base"]

    assert config(samples=4096, resolution=(64, 64))["sampleCount"] == 64
    assert config(samples=8)["sampleCount"] == 8
    eevee = config(samples=64, engine="BLENDER_EEVEE_NEXT")
    assert (eevee["sampleCount"], "denoisingEnabled" in eevee) == (32, False)
    assert "sampleCount" not in config(engine="BLENDER_WORKBENCH")


def test_the_shots_own_settings_have_the_last_word():
    order = ORDER | {"render": {"colorManagementPreset": "aces", "sampleCount": 7, "outputFormat": "TIFF"}}

    config = decide(order, found(samples=512))["configs"]["base"]

    assert (config["sampleCount"], config["outputFormat"], config["colorManagementPreset"]) == (7, "TIFF", "aces")


def test_the_notes_of_each_render_name_its_shot_beside_what_the_artist_wrote():
    order = LAYERED | {"render": ORDER["render"] | {"notes": "for Anna"}}

    for config in decide(order, found() | found("over", film_transparent=True))["configs"].values():
        assert config["notes"].splitlines() == ["for Anna", f"shot: {ORDER['shot']}"]


def test_layers_are_rendered_as_linear_exr_with_alpha_and_every_configuration_is_valid():
    decision = decide(LAYERED, found() | found("over", film_transparent=True))

    assert decision["jobs"] == {"base": "base-job", "over": "over-job"}
    for config in decision["configs"].values():
        assert config["outputFormat"] == "OPEN_EXR"
        assert config["outputSettings"]["colorMode"] == "RGBA"
        assert config["frameRanges"] == ["1-10"]
        check_render_config(config)


def test_layers_that_do_not_fit_are_rejected_before_either_is_paid():
    over = found("over", film_transparent=False, resolution=(100, 100), frame_end=3)

    assert decide(LAYERED, found() | over)["reasons"] == [
        "over: 100x100 pixels, base has 320x180",
        "over: frames 1-3, base has 1-10",
        "over: its film is not transparent, so it would hide base",
    ]


FIVE = ORDER | {
    "files": dict.fromkeys(("fx", "glow", "hero", "shadow", "sky"), "a.blend"),
    "layers": ["sky", "shadow", "hero", "fx", "glow"],
    "blends": {"shadow": "multiply", "glow": "add"},
}


def test_of_five_layers_each_is_held_against_the_lowest_and_all_reasons_are_reported():
    reports = {"sky": {}, "shadow": {"frame_end": 3}, "hero": {}, "fx": {"resolution": (100, 100)}, "glow": {}}
    clear = {"film_transparent": True}
    checks = {layer: check for name, more in reports.items() for layer, check in found(name, **clear | more).items()}

    assert decide(FIVE, checks)["reasons"] == [
        "shadow: frames 1-3, sky has 1-10",
        "fx: 100x100 pixels, sky has 320x180",
    ]


def test_an_opaque_layer_is_rejected_only_where_it_would_hide_what_is_below():
    opaque = {layer: check for name in FIVE["files"] for layer, check in found(name).items()}

    assert decide(FIVE, opaque)["reasons"] == [
        f"{layer}: its film is not transparent, so it would hide sky" for layer in ("hero", "fx")
    ]
    clear = {name: found(name, film_transparent=True)[name] for name in ("hero", "fx")}
    decision = decide(FIVE, opaque | clear)
    assert (decision["branch"], [*decision["configs"]]) == ("economical", FIVE["layers"])


def test_frames_and_rate_come_from_the_list_then_from_the_scene():
    assert decide(ORDER, found(frame_start=5, frame_end=8, fps=25.0))["frames"] == ["5-8"]
    assert decide(ORDER, found(fps=25.0))["fps"] == 25.0
    listed = decide(ORDER | {"frames": ["2-4"], "fps": 12.0}, found(fps=25.0))
    assert (listed["frames"], listed["fps"]) == (["2-4"], 12.0)


def test_an_analysis_of_an_unknown_shape_is_not_held_against_a_shot_that_says_its_frames():
    nothing = {"base": {"job_id": "1", "status": "validated", "analysis": None}}

    assert decide(ORDER | {"frames": ["1-4"]}, nothing)["branch"] == "economical"
    assert decide(ORDER, nothing)["reasons"] == [
        "base: zero frames: write `frames` into the shot list, or a range into the scene"
    ]


def test_frames_are_asked_for_without_steps_since_only_plain_ranges_are_safe():
    assert frame_ranges([1, 3, 5, 6, 7]) == ["1", "3", "5-7"]
    assert decide(ORDER, found(frame_step=3))["configs"]["base"]["frameRanges"] == ["1", "4", "7", "10"]


def test_what_the_render_settings_say_is_what_movie_size_and_weight_follow():
    def decided(files, render, **report):
        order = ORDER | {"files": files, "render": {"colorManagementPreset": "default"} | render}
        return decide(order, found(**report) | found("over", film_transparent=True, resolution=(100, 100)))

    alone, both = ORDER["files"], LAYERED["files"]
    decision = decided(alone, {"fps": 30})
    assert (decision["fps"], decision["configs"]["base"]["fps"]) == (30, 30)
    assert decided(both, {})["branch"] == "reject"
    assert decided(both, {"resolution": [640, 360], "resolutionPercentage": 50})["branch"] == "economical"
    assert decided(alone, {"resolution": [8192, 8192], "sampleCount": 512})["branch"] == "final"
    assert decided(alone, {"resolutionPercentage": 1}, resolution=(8192, 8192), samples=512)["branch"] == "economical"
    assert "denoisingEnabled" not in decided(alone, {"renderEngine": "BLENDER_EEVEE"})["configs"]["base"]


def test_two_rates_for_one_shot_are_a_contradiction_before_either_is_paid():
    order = ORDER | {"fps": 25.0, "render": {"colorManagementPreset": "default", "fps": 30}}

    assert decide(order, found())["reasons"] == ["fps: 25 for the movie, but `render` says 30: write one of them"]
    assert decide(order | {"fps": 30.0}, found())["branch"] == "economical"


def test_a_percentage_of_a_size_is_rounded_as_blender_rounds_it():
    base = found(resolution=(100, 50), resolution_percentage=29)
    over = found("over", film_transparent=True, resolution=(29, 14))

    assert decide(LAYERED, base | over)["branch"] == "economical"
