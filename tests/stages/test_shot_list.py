"""Which shots of a list can be rendered, and what is wrong with the others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from stages import shot_list
from stages.shot_list import ShotListError, check_shot_list, load_shot_list
from stages.storage import storage

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
        (10, "thr33", "layers: 'fx/1' cannot be a name: write letters, digits, `_`, `-` and `.`"),
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


@pytest.mark.parametrize(
    ("text", "line", "reported"),
    [
        ("show: s\nshots: []\n", 2, "shots: list should have at least 1 item"),
        ("show: s\nshot:\n- {name: a}\n", 2, "unknown key 'shot'"),
        ("show: s\nshots:\n- {name: [}\n", 3, "not YAML"),
        ("", 1, "valid dictionary"),
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


LAYERED = """\
show: s
{}
defaults: {{render: {{colorManagementPreset: default}}}}
shots:
- name: cit_010_label
  layers: {}
"""


def layers_of(listed, written, show=""):
    (shot,), problems = listed(LAYERED.format(show, written))
    assert problems == []
    return [*shot.files], shot.blends


def test_layers_lie_as_they_are_written_from_the_bottom_up_each_with_its_blend(listed, tmp_path):
    written = "{sky: a.blend, z: {file: b.blend}, a: {file: a.blend, blend: multiply}, b: {file: b.blend, blend: over}}"

    assert layers_of(listed, written) == (["sky", "z", "a", "b"], {"a": "multiply"})
    (shot,), _ = listed(LAYERED.format("", written))
    assert shot.files["z"] == f"{tmp_path}/b.blend"


def test_one_layer_is_enough_and_a_file_is_one_whatever_layers_the_show_has(listed):
    assert layers_of(listed, "{fx: a.blend}") == (["fx"], {})
    text = LAYERED.format("layers: [sky, fx]", "{fx: a.blend}\n- {name: plain, file: a.blend}")
    assert [[*shot.files] for shot in listed(text)[0]] == [["fx"], ["base"]]


def test_base_is_below_over_in_either_order_as_in_lists_that_knew_only_these_two(listed):
    assert layers_of(listed, "{over: a.blend, base: b.blend}")[0] == ["base", "over"]


def test_the_shows_layers_say_in_which_order_those_of_every_shot_lie(listed):
    show = "layers: [sky, base, over, glow]"

    written = "{glow: {file: a.blend, blend: add}, over: a.blend, sky: a.blend}"
    assert layers_of(listed, written, show) == (["sky", "over", "glow"], {"glow": "add"})


def test_a_layer_that_the_show_does_not_have_is_a_mistake_that_names_those_it_has(listed):
    shots, problems = listed(LAYERED.format("layers: [sky, base]", "\n    base: a.blend\n    bace: a.blend"))

    assert shots == []
    assert list(map(str, problems)) == [
        "line 8: shot 'cit_010_label': unknown layer 'bace': the list's own `layers` are sky, base"
    ]


@pytest.mark.parametrize(
    ("show", "reported"),
    [
        ("layers: []", "layers: list should have at least 1 item"),
        ("layers: {sky: a.blend}", "layers: input should be a valid list"),
        ("layers: [sky, sky]", "layers 'sky' and 'sky' would share a folder"),
        ("layers: [sky, a/b]", "layers.1: string should match pattern"),
        ("layers: [Composite]", "a layer cannot be called 'Composite'"),
    ],
)
def test_show_layers_that_are_none_are_refused_with_their_line(listed, show, reported):
    with pytest.raises(ShotListError, match=rf"line 2: {re.escape(reported)}"):
        listed(LAYERED.format(show, "{sky: a.blend}"))


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("word", ["no", "0010", "1.10", "1e3", "0x10", "2026-11-23"])
def test_layers_and_sequences_keep_the_names_that_are_written(listed, word, form):
    content = {
        "show": "s",
        "layers": ["sky", word],
        "shots": [
            {
                "name": "a",
                "sequence": word,
                "layers": {word: {"file": "a.blend", "blend": "add"}, "sky": "a.blend"},
                "render": {"colorManagementPreset": "default"},
            }
        ],
    }
    text = json.dumps(content)

    (shot,), problems = listed(text if form == "json" else text.replace('"', ""))  # JSON without quotes is YAML

    assert (problems, [*shot.files], shot.blends, shot.sequence) == ([], ["sky", word], {word: "add"}, word)


@pytest.mark.parametrize(
    ("layers", "reported"),
    [
        ("{}", "layers: dictionary should have at least 1 item"),
        ("[a.blend]", "layers: input should be a valid dictionary"),
        ("a.blend", "layers: input should be a valid dictionary"),
        ("{sky: [a.blend]}", "write a layer as its scene"),
        ("{sky: }", "write a layer as its scene"),
        ("{sky: {blend: add}}", "'layers.sky.file' is missing"),
        ("{sky: a.blend, sky: b.blend}", "'sky' is written twice"),
        ("{~: a.blend}", "layers: 'None' cannot be a name"),
        ("{..: a.blend}", "layers: '..' cannot be a name"),
        (f"{{{', '.join(f'l{n}: a.blend' for n in range(101))}}}", "dictionary should have at most 100 items"),
        ("{base: {file: a.blend, blend: over}, over: b.blend}", "layers.base: the layer at the bottom has no blend"),
    ],
)
def test_layers_that_cannot_be_meant_are_mistakes_with_their_line(listed, layers, reported):
    shots, problems = listed(LAYERED.format("", layers))

    assert shots == []
    assert any(problem.line == 6 and reported in problem.message for problem in problems), problems


def test_a_shot_is_of_the_sequence_that_it_names_or_that_its_name_begins_with(listed):
    text = LAYERED.format(
        "", "{a: a.blend}\n- {name: plain, file: a.blend}\n- {name: b_1, sequence: c_2, file: a.blend}"
    )

    assert [shot.sequence for shot in listed(text)[0]] == ["cit", "plain", "c_2"]


def test_one_shot_of_a_list_is_loaded_without_checking_the_files_of_the_others(listed, tmp_path, monkeypatch):
    text = LAYERED.format("", "{a: a.blend}\n- {name: other, file: gone.blend}\n- {name: bad, fiel: gone.blend}")
    (tmp_path / "shots.yaml").write_text(text)
    opened = []
    monkeypatch.setattr(shot_list, "storage", lambda path: opened.append(path) or storage(path))

    shots, problems = load_shot_list(str(tmp_path / "shots.yaml"), only="cit_010_label")

    assert ([shot.name for shot in shots], problems) == (["cit_010_label"], [])
    assert opened == [f"{tmp_path}/shots.yaml", f"{tmp_path}/a.blend"]
    shots, problems = load_shot_list(str(tmp_path / "shots.yaml"), only="bad")
    assert (shots, {problem.shot for problem in problems}) == ([], {"bad"})


@pytest.mark.parametrize(
    ("only", "reported"),
    [
        ("cit_010_lable", "line 4: it has no shot 'cit_010_lable': is it cit_010_label?"),
        ("", "line 4: it has no shot ''$"),
    ],
)
def test_a_shot_that_a_list_does_not_have_is_an_error_that_names_the_nearest(listed, tmp_path, only, reported):
    listed(LAYERED.format("", "{a: a.blend}"))

    with pytest.raises(ShotListError, match=re.escape(reported).replace(r"\$", "$")):
        load_shot_list(str(tmp_path / "shots.yaml"), only=only)


def test_a_list_that_is_wrong_as_a_whole_is_refused_for_one_shot_too(listed, tmp_path):
    (tmp_path / "shots.yaml").write_text(LAYERED.format("laiers: [a]", "{a: a.blend}"))

    with pytest.raises(ShotListError, match="line 2: unknown key 'laiers'"):
        load_shot_list(str(tmp_path / "shots.yaml"), only="cit_010_label")


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


def test_a_list_that_is_not_there_is_reported(tmp_path):
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


def test_the_command_line_reports_problems_and_ends_with_one(tmp_path, capsys):
    path = tmp_path / "shots.yaml"
    path.write_text("show: s\nshots:\n- {name: a, file: gone.blend}\n")

    assert shot_list.main([str(path)]) == 1
    assert "line 3: shot 'a': there is no file" in capsys.readouterr().out
