"""Values arrive as people and Airflow deliver them: what is clear is understood."""

from __future__ import annotations

import json

import pytest

from renderjuice_provider.api.config import OutputSettings, RenderConfig, check_render_config

LEAST = {"colorManagementPreset": "default"}


@pytest.mark.parametrize(
    ("field", "delivered", "meant"),
    [
        ("frameRanges", 7, ["7"]),
        ("frameRanges", 7.0, ["7"]),
        ("frameRanges", -5, ["-5"]),
        ("frameRanges", [7, "9-12", 15], ["7", "9-12", "15"]),
        ("frameRanges", [(1, 3)], ["1", "3"]),  # native rendering makes a tuple of "1,3"
        ("frameRanges", (1, 3), ["1", "3"]),
        ("frameRanges", "1-3", ["1-3"]),
        ("frameRanges", " 1-3, 7 ", ["1-3", "7"]),
        ("frameRanges", '["1-3", 7]', ["1-3", "7"]),
        ("frameRanges", "['1-3', '7']", ["1-3", "7"]),
        ("frameRanges", ["1-3,7"], ["1-3,7"]),
        ("notes", 5, "5"),
        ("notes", True, "True"),
        ("notes", [1, 2], "[1, 2]"),
        ("notes", "a {{ brace }} in a note from an XCom", "a {{ brace }} in a note from an XCom"),
        ("sampleCount", "128", 128),
        ("sampleCount", 128.0, 128),
        ("fps", "23.976", 23.976),
        ("fps", 24, 24),
        ("minimumRam", "16", 16),
        ("denoisingEnabled", "false", False),
        ("useTiling", "True", True),
        ("resolution", (1920, 1080), [1920, 1080]),
        ("resolution", ["1920", 1080.0], [1920, 1080]),
        ("resolution", "[1920, 1080]", [1920, 1080]),
        ("resolution", "1920x1080", [1920, 1080]),
        ("outputSettings", {"colorDepth": 16, "quality": "90"}, {"colorDepth": "16", "quality": 90}),
        ("outputSettings", '{"colorDepth": "16"}', {"colorDepth": "16"}),
        ("unknown", "7", "7"),
    ],
)
def test_a_value_is_understood_where_its_meaning_is_clear(field, delivered, meant):
    content = check_render_config(LEAST | {field: delivered}).to_json()
    assert content == LEAST | {field: meant}
    assert check_render_config(content).to_json() == content


@pytest.mark.parametrize("write", [json.dumps, str, lambda config: f"\n {json.dumps(config, indent=2)}\n"])
def test_a_whole_configuration_may_be_a_text(write):
    config = LEAST | {"frameRanges": ["1-3"], "denoisingEnabled": True, "outputSettings": {"colorDepth": "16"}}
    assert check_render_config(write(config)).to_json() == config


def test_a_model_may_hold_templates_in_its_texts_and_is_never_sent_with_them():
    config = RenderConfig(color_management_preset="default", frame_ranges=["1-{{ params.last }}"])
    with pytest.raises(ValueError, match="frameRanges holds a Jinja template that nobody has rendered"):
        check_render_config(config)


def test_a_model_has_no_place_for_a_template_where_a_number_belongs_and_says_what_has():
    with pytest.raises(ValueError, match="write render_config as a dict, not as a RenderConfig"):
        RenderConfig(color_management_preset="default", sample_count="{{ params.samples }}")
    with pytest.raises(ValueError, match="write render_config as a dict"):
        OutputSettings(quality="{{ params.quality }}")
