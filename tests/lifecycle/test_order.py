"""What makes two orders the same, and when a job carries out the one that was given."""

from __future__ import annotations

from typing import Any

import pytest

from renderjuice_provider.api.config import CHANGES_NO_PIXEL, CHANGES_PIXELS, RenderConfig, check_render_config
from renderjuice_provider.lifecycle.order import compare, picture, renders

LEAST = {"colorManagementPreset": "default"}
FIELDS = [field.alias for field in RenderConfig.model_fields.values()]
VALUES: dict[str, tuple[Any, Any]] = {
    "colorManagementPreset": ("default", "aces"),
    "frameRanges": (["1-3"], ["1-4"]),
    "notes": ("try 1", "try 2"),
    "renderEngine": ("CYCLES", "BLENDER_EEVEE"),
    "compositorDevice": ("CPU", "GPU"),
    "computeDeviceType": ("CUDA", "OPTIX"),
    "gpuCount": (1, 2),
    "sampleCount": (4, 512),
    "denoisingEnabled": (True, False),
    "denoiserType": ("OPTIX", "OPENIMAGEDENOISE"),
    "resolution": ([1920, 1080], [1280, 720]),
    "resolutionPercentage": (50, 100),
    "outputFormat": ("PNG", "OPEN_EXR"),
    "fps": (24, 23.976),
    "useTiling": (True, False),
    "tileSize": (256, 512),
    "outputSettings": ({"colorDepth": "8"}, {"colorDepth": "16"}),
    "minimumRam": (16, 32),
}


def order(**fields: Any) -> dict[str, Any]:
    return check_render_config(LEAST | fields).to_json()


def test_every_field_either_changes_pixels_or_does_not():
    assert set(FIELDS) == set(VALUES)
    assert set(FIELDS) - CHANGES_NO_PIXEL == CHANGES_PIXELS


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_makes_another_order_if_it_changes_pixels(field):
    one, other = ({**LEAST, field: value} for value in VALUES[field])
    assert (picture(order(**one)) != picture(order(**other))) is (field in CHANGES_PIXELS)
    assert bool(compare(order(**one), other).differences) is (field in CHANGES_PIXELS)


@pytest.mark.parametrize("field", [field for field in FIELDS if field != "colorManagementPreset"])
def test_a_field_that_is_null_is_left_out(field):
    assert picture(order(**{field: None})) == picture(order())


@pytest.mark.parametrize("name", ["name", "description", "tags", "priority"])
def test_what_people_and_queues_read_makes_no_other_order(name):
    assert picture(order(**{name: "a"})) == picture(order(**{name: "b"})) == picture(order())


def test_a_field_that_nobody_knows_may_change_pixels():
    assert picture(order(camera="A")) != picture(order(camera="B"))


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"frameRanges": "1-3"}, {"frameRanges": ["1-3"]}),
        ({"frameRanges": 7}, {"frameRanges": ["7"]}),
        ({"frameRanges": ["1-3", "4"]}, {"frameRanges": ["1-4"]}),
        ({"frameRanges": ["1", "2", "3", "4"]}, {"frameRanges": ["1-4"]}),
        ({"frameRanges": ["4", "1-3", "2"]}, {"frameRanges": ["1 - 4"]}),
        ({"frameRanges": ["1-3,4"]}, {"frameRanges": ["1-4"]}),
        ({"frameRanges": ["1-5:2"]}, {"frameRanges": ["1", "3", "5"]}),
        ({"sampleCount": 4, "fps": 24}, {"fps": 24.0, "sampleCount": 4.0}),
        ({"sampleCount": "4"}, {"sampleCount": 4}),
        ({"resolution": (1920, 1080)}, {"resolution": [1920.0, 1080]}),
        (
            {"outputSettings": {"quality": 90, "colorMode": "BW"}},
            {"outputSettings": {"colorMode": "BW", "quality": 90}},
        ),
        ({"outputSettings": {}}, {}),
        ({"outputSettings": {"quality": None}}, {}),
        ({"outputSettings": {"colorDepth": 16}}, {"output_settings": {"color_depth": "16"}}),
        ({"sample_count": 4}, {"sampleCount": 4}),
        ({"unknown": {"a": 1, "b": 2.0}}, {"unknown": {"b": 2, "a": 1.0}}),
    ],
)
def test_however_it_is_written_the_same_order_is_the_same(one, same):
    assert picture(order(**one)) == picture(order(**same))
    assert compare(order(**one), LEAST | same).differences == ()


def test_frames_in_a_syntax_that_nobody_here_reads_are_compared_as_they_stand():
    assert picture(order(frameRanges=["odd"])) == picture(order(frameRanges=[" odd "]))
    assert picture(order(frameRanges=["odd"])) != picture(order(frameRanges=["even"]))
    assert compare(order(frameRanges=["odd"]), LEAST | {"frameRanges": ["1-3"]}).unknown == ("frameRanges",)


def test_a_difference_names_the_field_and_both_values():
    found = compare(
        order(sampleCount=512, frameRanges=["1-120"], outputSettings={"colorDepth": "16"}),
        LEAST | {"sampleCount": 4, "frameRanges": ["1-3", "7"], "outputSettings": {"colorDepth": "8"}},
    )
    assert found.differences == (
        "frameRanges: ordered 1-120, the job has 1-3, 7",
        "sampleCount: ordered 512, the job has 4",
        "outputSettings.colorDepth: ordered 16, the job has 8",
    )


@pytest.mark.parametrize("opaque", [None, {}, [], "opaque", 7, {"sampleCount": None}, {"sampleCount": {"value": 4}}])
def test_what_the_api_does_not_report_is_not_a_difference(opaque):
    found = compare(order(sampleCount=4), opaque)
    assert found.differences == ()
    assert found.unknown == ("colorManagementPreset", "sampleCount")


@pytest.mark.parametrize(
    "echo",
    [
        {"fps": 24.0, "sampleCount": 4.0, "colorManagementPreset": "DEFAULT"},
        {"color_management_preset": "default", "sample_count": "4", "fps": "24"},
        '{"colorManagementPreset": "default", "sampleCount": 4, "fps": 24}',
        LEAST | {"sampleCount": 4, "fps": 24, "renderEngine": "CYCLES", "notes": None, "gpuCount": 1},
    ],
)
def test_an_api_that_echoes_an_order_in_its_own_way_has_the_same_order(echo):
    found = compare(order(sampleCount=4, fps=24), echo)
    assert (found.differences, found.unknown) == ((), ())


@pytest.mark.parametrize(
    ("ordered", "requested", "final", "is_same"),
    [
        ({"fps": 24}, {}, {"fps": 24.0, "sampleCount": 4}, True),
        ({"fps": 25}, {}, {"fps": 24}, False),
        ({"fps": 24}, {}, None, False),
        ({"fps": 24}, {"fps": 25}, {"fps": 24}, False),
        ({}, {"fps": 24}, {"fps": 24}, False),
    ],
)
def test_what_was_detected_in_the_scene_may_be_written_out(ordered, requested, final, is_same):
    assert renders(order(**ordered), LEAST | requested, final) is is_same


@pytest.mark.parametrize("opaque", [None, {}, "opaque"])
def test_nothing_is_the_same_as_an_order_that_is_not_reported(opaque):
    assert not renders(order(), opaque, LEAST)


def test_what_the_job_has_beside_the_order_is_reported():
    found = compare(order(), LEAST | {"frameRanges": ["1-3"], "minimumRam": 8, "fps": None})
    assert found.added == ("frameRanges: 1-3",)
