"""How the text of a shot list is read, and how much of it."""

from __future__ import annotations

import json
import time

import pytest
from stages.shot_list import ShotListError, check_shot_list

LIST = """\
show: s
defaults: {{render: {{colorManagementPreset: default}}}}
shots:
- name: a
  file: a.blend
  {}
"""


@pytest.mark.parametrize(
    ("written", "frames"),
    [
        ("0010", ["10"]),
        ("0100", ["100"]),
        ("010-012", ["10-12"]),
        ("[0001, 0008, 0010]", ["1", "8", "10"]),
        ("-0005", ["-5"]),
        ("~", None),
        ("", None),
    ],
)
def test_frames_are_read_as_people_write_them_and_not_as_octal_numbers(listed, written, frames):
    shots, problems = listed(LIST.format(f"frames: {written}"))

    assert (shots[0].frames, problems) == (frames, [])


@pytest.mark.parametrize("written", ["1:24", "0x10", "0o17", "1_000", "1e3", ".5", "1.0", "2026-11-23", "yes", "+7"])
def test_what_may_or_may_not_be_a_frame_is_a_mistake_with_its_line(listed, written):
    shots, (problem,) = listed(LIST.format(f"frames: {written}"))

    assert shots == []
    assert (problem.line, problem.shot) == (6, "a")
    assert f"'{written}'" in problem.message


@pytest.mark.parametrize("word", ["no", "on", "true", "0010", "1e3", "1.10", "0x10", "1_000", "12", "2026-11-23"])
def test_names_are_text_whatever_they_look_like(listed, word):
    text = LIST.replace("show: s", f"show: {word}").replace("name: a", f"name: {word}")

    (shot,), problems = listed(text.format(f"render: {{outputSettings: {{colorDepth: 16}}, notes: {word}}}"))

    assert (shot.name, shot.show, shot.render["notes"], problems) == (word, word, word, [])
    assert shot.render["outputSettings"] == {"colorDepth": "16"}


@pytest.mark.parametrize("word", ["~", "null", ""])
def test_a_name_that_is_nothing_in_yaml_is_a_mistake_with_its_line(listed, word):
    _, problems = listed(LIST.replace("name: a", f"name: {word}").format("fps: 24"))

    assert [(problem.line, problem.message) for problem in problems] == [(4, "name: input should be a valid string")]


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ("priority: 080", "priority", 80),
        ("fps: 23.976", "fps", 23.976),
        ("hero: true", "hero", True),
        ("hero: no", "hero", False),
        ("render: {sampleCount: 0100}", "render", {"sampleCount": 100}),
        ("render: {resolution: [1920, 1080]}", "render", {"resolution": [1920, 1080]}),
        ("render: {denoisingEnabled: false}", "render", {"denoisingEnabled": False}),
    ],
)
def test_numbers_and_switches_are_read_where_they_belong(listed, written, field, value):
    (shot,), problems = listed(LIST.format(written))

    found = getattr(shot, field)
    found = (
        {name: each for name, each in found.items() if name != "colorManagementPreset"} if field == "render" else found
    )
    assert (found, type(found), problems) == (value, type(value), [])


@pytest.mark.parametrize(
    "written", ["priority: 1:20", "fps: 1:24", "hero: maybe", "render: {minimumRam: inf}", "fps: nan"]
)
def test_what_is_not_a_number_or_switch_is_a_mistake_with_its_line(listed, written):
    _, (problem,) = listed(LIST.format(written))

    assert (problem.line, problem.shot) == (6, "a")


def test_in_json_numbers_are_numbers_and_text_is_text(listed):
    shot = {"name": "a", "file": "a.blend", "frames": [1, "0008"], "priority": 80}
    content = {
        "show": "citrus \N{LEMON}",
        "defaults": {"render": {"colorManagementPreset": "default"}},
        "shots": [shot],
    }

    (read,), problems = listed(json.dumps(content))
    assert (read.show, read.frames, read.priority, problems) == ("citrus \N{LEMON}", ["1", "8"], 80, [])

    for wrong in ({"name": 10}, {"priority": "80"}, {"hero": 1}, {"frames": True}):
        _, problems = listed(json.dumps(content | {"shots": [shot | wrong]}, indent=1))
        assert [problem.line > 8 for problem in problems] == [True], wrong


def test_yaml_anchors_and_merge_keys_still_work(listed):
    (shot,), problems = listed(LIST.format("<<: {priority: 7, frames: &range 0001-0003}"))

    assert (shot.priority, shot.frames, problems) == (7, ["1-3"], [])


# Limits come before the work

ALIASES = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
MERGES = "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 10))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a0: &a0 [x, x]\n" + ALIASES, "more than 100000 values"),
        ("a0: &a0 {k: v}\n" + MERGES, "more than 100000 values"),
        ("&a [*a]", "inside what it stands for"),
        ("&a {b: [*a]}", "inside what it stands for"),
        ("[" * 50_000, "more than 16 deep"),
        ('{"a": ' * 50_000, "more than 16 deep"),
        ("? " * 50_000, "more than 16 deep"),
        ("x" * 2_000_000, "longer than 1024 KiB"),
    ],
    ids=["aliases", "merges", "a list in itself", "an object in itself", "lists", "objects", "keys", "text"],
)
def test_a_list_that_stands_for_more_than_it_is_is_refused_before_anything_is_made_of_it(listed, text, why):
    began = time.monotonic()
    (problem,) = check_shot_list(text, "")[1]
    assert why in problem.message
    with pytest.raises(ShotListError, match=why):
        listed(text)
    assert time.monotonic() - began < 5


def test_aliases_as_people_write_them_are_welcome(listed):
    text = LIST.format("render: &n {sampleCount: 8}") + "- {name: b, file: b.blend, render: {<<: *n}}\n"
    shots, problems = listed(text)
    assert problems == []
    assert [shot.render["sampleCount"] for shot in shots] == [8, 8]


@pytest.mark.parametrize(
    ("frames", "why"),
    [
        ("1-999999999", "more than 100000: make it several"),
        ("[1-60000, 1-60000]", "more than 100000 frames: make it several"),
        ("'" + "9" * 5000 + "'", "not a range"),
        ("1-" + "9" * 5000, "not a range"),
    ],
)
def test_frames_that_nobody_can_count_are_refused(listed, frames, why):
    _, (problem,) = listed(LIST.format(f"frames: {frames}"))
    assert why in problem.message
