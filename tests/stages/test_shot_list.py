from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from stages import shot_list
from stages.shot_list import ShotListError, check_shot_list, load_shot_list

DAGS = Path(__file__).parents[2] / "dags"

LIST = """\
show: s
defaults: {{render: {{colorManagementPreset: default}}}}
shots:
- name: a
  file: a.blend
  {}
"""


@pytest.fixture
def listed(tmp_path):
    """Writes a list beside two scenes, and loads it."""
    for name in ("a.blend", "b.blend"):
        (tmp_path / name).touch()

    def load(text, name="shots.yaml"):
        (tmp_path / name).write_text(text)
        return load_shot_list(str(tmp_path / name))

    return load


def test_every_mistake_is_told_at_once_with_its_line():
    text = """\
show: citrus
shots:
  - name: one
    file: gone.blend
    frames: 24-1
  - name: two
    fiel: a.blend
  - name: three
    name: thr33
    layers: {base: gone_too.blend}
  - {name: four, file: https://, hero: maybe}
  - name: five
    file: gone.blend
    render: {sampelCount: 16, sampleCount: many, frameRanges: ["1"]}
  - name: five
    frames: [1-3, x]
    layers:
      base: a.blend
      over: b.blend
      under: c.blend
    fps: 0
"""
    shots, problems = check_shot_list(text, "/no/such")

    assert shots == []
    assert {(problem.line, problem.shot, problem.message) for problem in problems} >= {
        (4, "one", "there is no file /no/such/gone.blend"),
        (5, "one", "frames '24-1' run backwards: write 1-24"),
        (7, "two", "unknown key 'fiel'"),
        (9, "thr33", "'name' is written twice"),
        (10, "thr33", "there is no file /no/such/gone_too.blend"),
        (10, "thr33", "'layers.over' is missing"),
        (11, "four", "hero: input should be a valid boolean"),
        (12, "five", "another shot has the same name"),
        (13, "five", "there is no file /no/such/gone.blend"),
        (14, "five", "unknown key 'render.sampelCount'"),
        (14, "five", "render.sampleCount: input should be a valid integer"),
        (15, "five", "another shot has the same name"),
        (16, "five", "frames 'x' are empty, or no range: write 7, 1-24 or 1-24:2"),
        (20, "five", "unknown key 'layers.under'"),
        (21, "five", "fps: input should be greater than 0"),
    }
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)


def test_a_shot_with_a_mistake_does_not_keep_the_others_from_being_rendered(listed):
    shots, problems = listed(
        "show: s\ndefaults: {render: {colorManagementPreset: default}}\n"
        "shots:\n- {name: good, file: a.blend}\n- {name: bad, file: gone.blend}\n"
    )

    assert [shot.name for shot in shots] == ["good"]
    assert [(problem.line, problem.shot) for problem in problems] == [(5, "bad")]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("show: s\nshots: []\n", 2, "shots: list should have at least 1 item"),
        ("show: s\nshot:\n- {name: a}\n", 2, "unknown key 'shot'"),
        ("show: s\nshots:\n- {name: [}\n", 3, "not YAML"),
        ("", 1, "valid dictionary"),
        ("show: s\ndefaults: {fpss: 3}\nshots: [{name: x, file: gone}]\n", 2, "unknown key 'defaults.fpss'"),
    ],
)
def test_a_list_that_is_wrong_as_a_whole_is_refused_with_the_line(listed, text, line, told):
    with pytest.raises(ShotListError, match=rf"line {line}: .*{told}"):
        listed(text)


def test_shots_come_by_priority_with_the_defaults_under_their_own_settings(listed, tmp_path):
    shots, problems = listed(
        """\
show: s
defaults:
  fps: 25
  render: {colorManagementPreset: aces, outputSettings: {colorDepth: "16", colorMode: RGB}}
shots:
  - {name: low, file: a.blend, priority: 1}
  - {name: high, layers: {base: a.blend, over: b.blend}, fps: 12.5, frames: [1-3, 7], priority: 90,
     render: {outputSettings: {colorMode: RGBA}}}
"""
    )

    assert problems == []
    high, low = shots
    assert (high.name, low.name) == ("high", "low")
    assert high.files == {"base": f"{tmp_path}/a.blend", "over": f"{tmp_path}/b.blend"}
    assert (high.fps, low.fps) == (12.5, 25)
    assert (high.frames, low.frames) == (["1-3", "7"], None)
    assert high.render["outputSettings"] == {"colorDepth": "16", "colorMode": "RGBA"}
    assert low.render["colorManagementPreset"] == "aces"


@pytest.mark.parametrize(
    ("written", "frames"),
    [
        ("7", ["7"]),
        ("1-24", ["1-24"]),
        ('"1-10, 15"', ["1-10", "15"]),
        ("[1-10, 15]", ["1-10", "15"]),
        ("1-24:2", ["1-24:2"]),
    ],
)
def test_frames_are_written_in_several_ways(listed, written, frames):
    text = "show: s\nshots:\n- name: a\n  file: a.blend\n  render: {colorManagementPreset: default}\n"

    shots, _ = listed(f"{text}  frames: {written}\n")

    assert shots[0].frames == frames


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
def test_what_is_no_number_or_switch_is_a_mistake_with_its_line(listed, written):
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


def test_a_list_without_a_colour_preset_says_what_to_write(listed):
    _, problems = listed("show: s\nshots:\n- name: a\n  file: a.blend\n")

    assert "colorManagementPreset is missing" in str(problems[0])


def test_json_is_read_as_well_tabs_included(listed):
    content = {"show": "s", "shots": [{"name": "a", "file": "a.blend", "render": {"colorManagementPreset": "default"}}]}

    shots, problems = listed(json.dumps(content, indent="\t"), "shots.json")

    assert ([shot.name for shot in shots], problems) == (["a"], [])


def test_a_list_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ShotListError, match=r"no\.yaml cannot be read"):
        load_shot_list(str(tmp_path / "no.yaml"))


def test_the_schema_in_the_repository_is_that_of_the_models():
    kept = json.loads((DAGS / "shots.schema.json").read_text())

    assert kept == shot_list.schema(), "cd dags && python -m stages.shot_list --schema > shots.schema.json"


def test_the_example_is_right_but_for_the_scenes_that_are_not_built(tmp_path):
    example = (DAGS / "shots.yaml").read_text()
    (tmp_path / "scenes").mkdir()
    for word in example.split():
        if word.startswith("scenes/") and word.endswith(".blend"):
            (tmp_path / word).touch()

    shots, problems = check_shot_list(example, str(tmp_path))

    assert problems == []
    assert len(shots) == 4


def test_the_command_line_tells_problems_and_ends_with_one(tmp_path, capsys):
    path = tmp_path / "shots.yaml"
    path.write_text("show: s\nshots:\n- {name: a, file: gone.blend}\n")

    assert shot_list.main([str(path)]) == 1
    assert "line 3: shot 'a': there is no file" in capsys.readouterr().out


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
        ("'" + "9" * 5000 + "'", "no range"),
        ("1-" + "9" * 5000, "no range"),
    ],
)
def test_frames_that_nobody_can_count_are_refused(listed, frames, why):
    _, (problem,) = listed(LIST.format(f"frames: {frames}"))
    assert why in problem.message
