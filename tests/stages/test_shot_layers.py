"""The layers and sequences of a shot list, and one shot of it."""

from __future__ import annotations

import json
import re

import pytest
from stages import shot_list
from stages.shot_list import ShotListError, load_shot_list
from stages.storage import storage

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
        ("layers: [sky, a/b]", "layers.1: 'a/b' cannot be a name"),
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
        ("[a.blend]", "layers: write it as a mapping, with `key: value`"),
        ("a.blend", "layers: write it as a mapping, with `key: value`"),
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


@pytest.mark.parametrize(("only", "near"), [("cit_010_lable", ": is it cit_010_label?"), ("", "")])
def test_a_shot_that_a_list_does_not_have_is_an_error_that_names_the_nearest(listed, tmp_path, only, near):
    listed(LAYERED.format("", "{a: a.blend}"))

    with pytest.raises(ShotListError) as error:
        load_shot_list(str(tmp_path / "shots.yaml"), only=only)
    assert str(error.value).endswith(f"\nline 4: it has no shot {only!r}{near}")


def test_a_list_that_is_wrong_as_a_whole_is_refused_for_one_shot_too(listed, tmp_path):
    (tmp_path / "shots.yaml").write_text(LAYERED.format("laiers: [a]", "{a: a.blend}"))

    with pytest.raises(ShotListError, match="cannot be used for cit_010_label:\nline 2: unknown key 'laiers'"):
        load_shot_list(str(tmp_path / "shots.yaml"), only="cit_010_label")
