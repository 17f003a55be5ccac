"""Which shots of a list can be rendered, and what is wrong with the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stages import shot_list
from stages.shot_list import ShotListError, check_shot_list, load_shot_list

DAGS = Path(__file__).parents[2] / "dags"


def test_every_mistake_is_reported_at_once_with_its_line():
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
    layers: {base: {file: gone_too.blend, blend: add}, fx/1: {flie: a.blend, blend: screen}, composite: }
  - {name: four, file: https://, hero: maybe}
  - name: five
    file: gone.blend
    render: {sampelCount: 16, sampleCount: many, frameRanges: ["1"]}
  - name: five
    frames: [1-3, x]
    layers:
      base: a.blend
      over: b.blend
      Over: c.blend
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
        (10, "thr33", "layers.base: the layer at the bottom has no blend, since nothing is below it"),
        (
            10,
            "thr33",
            "layers: 'fx/1' cannot be a name: write at most 100 letters, digits, `_`, `-` and `.`, a letter or digit first",
        ),
        (10, "thr33", "unknown key 'layers.fx/1.flie'"),
        (10, "thr33", "layers.fx/1.blend: input should be 'over', 'add' or 'multiply'"),
        (10, "thr33", "a layer cannot be called 'composite': that folder is for the composited frames"),
        (10, "thr33", "write a layer as its scene, or as {file: scene, blend: over, add or multiply}"),
        (11, "four", "hero: input should be a valid boolean"),
        (12, "five", "another shot has the same name"),
        (13, "five", "there is no file /no/such/gone.blend"),
        (14, "five", "unknown key 'render.sampelCount'"),
        (14, "five", "render.sampleCount: input should be a valid integer"),
        (15, "five", "another shot has the same name"),
        (16, "five", "frames 'x' are empty, or not a range: write 7, 1-24 or 1-24:2"),
        (20, "five", "layers 'over' and 'Over' would share a folder"),
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


def test_shots_that_differ_in_capitals_would_share_their_folders_on_many_shares(listed):
    shots, problems = listed(
        "show: s\ndefaults: {render: {colorManagementPreset: default}}\n"
        "shots:\n- {name: Juice, file: a.blend}\n- {name: juice, file: b.blend}\n- {name: still, file: a.blend}\n"
    )

    assert [shot.name for shot in shots] == ["still"]
    assert [(problem.line, problem.shot) for problem in problems] == [(4, "Juice"), (5, "juice")]
    assert {problem.message for problem in problems} == {"another shot has the same name, but for capitals"}


@pytest.mark.parametrize(
    ("file", "reported"),
    [
        (".", "is a folder"),
        ("gopher://x/a.blend", "gopher://x/a.blend cannot be accessed: "),
        ("s3://no_such_connection@x/a.blend", "s3://no_such_connection@x/a.blend cannot be accessed: "),
    ],
)
def test_a_scene_that_cannot_be_read_is_a_mistake_of_its_shot_alone(listed, file, reported):
    shots, problems = listed(
        "show: s\ndefaults: {render: {colorManagementPreset: default}}\n"
        f"shots:\n- {{name: good, file: a.blend}}\n- {{name: bad, file: '{file}'}}\n"
    )

    assert [shot.name for shot in shots] == ["good"]
    assert [(problem.line, problem.shot) for problem in problems] == [(5, "bad")]
    assert reported in problems[0].message


@pytest.mark.parametrize(
    ("text", "line", "reported"),
    [
        ("show: s\nshots: []\n", 2, "shots: list should have at least 1 item"),
        ("show: s\nshot:\n- {name: a}\n", 2, "unknown key 'shot'"),
        ("show: s\nshots:\n- {name: [}\n", 3, "not YAML"),
        ("", 1, "write it as a mapping"),
        ("show: s\ndefaults: {fpss: 3}\nshots: [{name: x, file: gone}]\n", 2, "unknown key 'defaults.fpss'"),
    ],
)
def test_a_list_that_is_wrong_as_a_whole_is_refused_with_the_line(listed, text, line, reported):
    with pytest.raises(ShotListError, match=rf"line {line}: .*{reported}"):
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


def test_a_list_without_a_colour_preset_says_what_to_write(listed):
    _, problems = listed("show: s\nshots:\n- name: a\n  file: a.blend\n")

    assert "colorManagementPreset is missing" in str(problems[0])


def test_json_is_read_as_well_tabs_included(listed):
    content = {"show": "s", "shots": [{"name": "a", "file": "a.blend", "render": {"colorManagementPreset": "default"}}]}

    shots, problems = listed(json.dumps(content, indent="\t"), "shots.json")

    assert ([shot.name for shot in shots], problems) == (["a"], [])


@pytest.mark.parametrize("place", ["{}/no.yaml", "gopher://x/no.yaml", "s3://no_such_connection@x/no.yaml"])
def test_a_list_that_is_not_there_is_reported(tmp_path, place):
    with pytest.raises(ShotListError, match=r"^The shot list .*no\.yaml cannot be read: "):
        load_shot_list(place.format(tmp_path))


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


def test_the_command_line_reports_problems_and_ends_with_one(tmp_path, capsys):
    path = tmp_path / "shots.yaml"
    path.write_text("show: s\nshots:\n- {name: a, file: gone.blend}\n")

    assert shot_list.main([str(path)]) == 1
    assert "line 3: shot 'a': there is no file" in capsys.readouterr().out
