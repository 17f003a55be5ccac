from __future__ import annotations

import json
import time

import pytest
from stages import shot_list
from stages.delivery import version_of
from stages.orders import make_order, order_by_hand, run_id_of
from stages.shot_list import load_shot_list
from stages.storage import sha256, storage

NIGHT = "2026-11-23"
LIST = """\
show: citrus
defaults: {fps: 25, render: {colorManagementPreset: aces}}
shots:
  - {name: cit_010_juice, file: a.blend, frames: 1-3, hero: true}
  - {name: cit_020_label, layers: {base: a.blend, over: b.blend}}
  - {name: cit_030_typo, file: a.blend, heros: true}
  - {name: cit_040_gone, file: gone.blend}
"""


@pytest.fixture
def params(tmp_path):
    for name in ("a.blend", "b.blend"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "shots.yaml").write_text(LIST)
    places = {"destination": str(tmp_path / "out"), "work": str(tmp_path / "work")}
    return places | {"shot_list": str(tmp_path / "shots.yaml"), "quality": "auto", "shot": None, "file": None}


def test_a_shot_by_hand_is_the_version_that_the_nightly_would_render(params):
    (juice, _), _ = load_shot_list(params["shot_list"])
    content = {"base": sha256(juice.files["base"])}

    assert order_by_hand(params | {"shot": " cit_010_juice "}, NIGHT) == make_order(juice, content, params, NIGHT)


def test_a_listed_shot_has_its_layers_settings_and_places(params, tmp_path):
    order = order_by_hand(params | {"shot": "cit_020_label"}, NIGHT)

    assert order["layers"] == ["base", "over"]
    assert order["content"] == {"base": sha256(tmp_path / "a.blend"), "over": sha256(tmp_path / "b.blend")}
    assert (order["show"], order["sequence"], order["fps"]) == ("citrus", "cit", 25.0)
    assert order["render"] == {"colorManagementPreset": "aces"}
    assert order["work"] == f"{tmp_path}/work/cit_020_label/{order['fingerprint'][:16]}"
    assert order["claims"] == f"{tmp_path}/work/cit_020_label/claims"
    assert order["entry"] == f"{tmp_path}/out/nights/{NIGHT}/shots/cit_020_label.json"
    assert json.loads(json.dumps(order)) == order


def test_just_a_file_is_a_shot_named_after_it(params, tmp_path):
    (tmp_path / "my shot (2).blend").write_bytes(b"x")

    order = order_by_hand(params | {"file": str(tmp_path / "my shot (2).blend"), "frames": "1-10, 15"}, NIGHT)

    assert (order["shot"], order["files"]) == ("my_shot_2_", {"base": str(tmp_path / "my shot (2).blend")})
    assert (order["frames"], order["render"]) == (["1-10", "15"], {"colorManagementPreset": "default"})


def test_other_frames_or_another_quality_are_another_version(params):
    order = order_by_hand(params | {"shot": "cit_010_juice"}, NIGHT)
    others = [{"frames": "2"}, {"quality": "final"}, {"quality": "economical"}]

    versions = {order_by_hand(params | {"shot": "cit_010_juice"} | other, NIGHT)["fingerprint"] for other in others}

    assert len(versions | {order["fingerprint"]}) == 4
    assert order_by_hand(params | {"shot": "cit_010_juice", "frames": "1-3"}, NIGHT) == order


@pytest.mark.parametrize(
    ("filled_in", "refusal"),
    [
        ({}, "Which shot.*both are empty"),
        ({"shot": " ", "file": ""}, "Which shot.*both are empty"),
        ({"shot": "cit_010_juice", "file": "/x.blend"}, r"Which shot.*both are filled in \(cit_010_juice, /x.blend\)"),
        ({"shot": "cit_010_juce"}, "cit_010_juce"),
        ({"shot": "cit_030_typo"}, "cit_030_typo cannot be rendered: line 6: unknown key 'heros'"),
        ({"shot": "cit_040_gone"}, "cit_040_gone cannot be rendered: line 7: there is no file"),
        ({"file": "/no/such.blend"}, "^There is no file /no/such.blend"),
        ({"file": "s3://no_such_connection@x/a.blend"}, "^s3://no_such_connection@x/a.blend cannot be accessed: "),
        ({"file": "/dev"}, "^/dev is a folder"),
        ({"shot": "cit_010_juice", "quality": "great"}, "There is no quality 'great'"),
        ({"shot": "cit_010_juice", "render": {"sampels": 8}}, "render.sampels: Extra inputs"),
        ({"shot": "cit_010_juice", "render": {"frameRanges": ["1"]}}, "render: say which frames with"),
        ({"shot": "cit_010_juice", "frames": "24-1"}, "frames '24-1' run backwards: write 1-24"),
        ({"shot": "cit_010_juice", "shot_list": "/no/list"}, "The shot list /no/list cannot be read"),
    ],
)
def test_what_was_filled_in_and_cannot_be_right_is_refused_with_what_to_do(params, filled_in, refusal):
    with pytest.raises(ValueError, match=refusal):
        order_by_hand(params | filled_in, NIGHT)


@pytest.mark.parametrize("shot", ["juice", "a..b", "a...", "x" * 100])
def test_the_run_of_every_shot_has_an_id_that_airflow_takes(shot):
    from airflow.models.dagrun import DagRun

    run_id = run_id_of({"shot": shot, "fingerprint": "0a1b2c3d" * 8, "night": NIGHT}, "12345678")

    assert DagRun(dag_id="renderjuice_shot", run_id=run_id, run_type="manual").run_id == run_id
    assert len(run_id) <= 250


def test_a_date_is_refused_too(params):
    with pytest.raises(ValueError, match="'20261123' is not a date: write it as 2026-11-23"):
        order_by_hand(params | {"shot": "cit_010_juice"}, "20261123")


def test_a_file_after_which_no_shot_can_be_named_is_refused(params, tmp_path):
    (tmp_path / "__.blend").touch()

    with pytest.raises(ValueError, match="No shot can be named after"):
        order_by_hand(params | {"file": str(tmp_path / "__.blend")}, NIGHT)


def test_the_order_of_one_shot_looks_at_its_own_files_only_and_is_cheap_in_a_long_list(params, tmp_path, monkeypatch):
    shots = [f"  - {{name: cit_{number:03}, file: a{number}.blend}}\n" for number in range(200)]
    (tmp_path / "shots.yaml").write_text(LIST.partition("  - ")[0] + "".join(shots))
    (tmp_path / "a7.blend").touch()
    seen, look = [], storage
    monkeypatch.setattr(shot_list, "storage", lambda path: seen.append(path) or look(path))

    started = time.process_time()
    order_by_hand(params | {"shot": "cit_007"}, NIGHT)

    assert seen == [params["shot_list"], f"{tmp_path}/a7.blend"]
    assert time.process_time() - started < 2


def test_render_settings_by_hand_lie_over_those_of_the_list_and_are_another_version(params):
    listed = order_by_hand(params | {"shot": "cit_010_juice"}, NIGHT)
    order = order_by_hand(params | {"shot": "cit_010_juice", "render": {"sampleCount": 256}}, NIGHT)

    assert order["render"] == listed["render"] | {"sampleCount": 256}
    assert order["fingerprint"] != listed["fingerprint"]
    assert order_by_hand(params | {"shot": "cit_010_juice", "render": {}, "again": False}, NIGHT, "run") == listed


def test_a_render_again_is_the_same_version_in_folders_of_its_own(params):
    listed = order_by_hand(params | {"shot": "cit_010_juice"}, NIGHT, "first")
    once, again, other = (
        order_by_hand(params | {"shot": "cit_010_juice", "again": True}, NIGHT, run) for run in ("a", "a", "b")
    )

    assert once == again
    assert len({order["work"] for order in (listed, once, other)}) == 3
    assert len({version_of(order) for order in (listed, once, other)}) == 3
    assert {order["fingerprint"] for order in (once, other)} == {listed["fingerprint"]}
    assert {order["claims"] for order in (once, other)} == {listed["claims"]}
