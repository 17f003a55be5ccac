"""What layers, their order and their blends change of a shot's order, and what they do not."""

from __future__ import annotations

import json
from pathlib import Path

import OpenImageIO as oiio
import pytest
from stages import tasks
from stages.decisions import layers_of
from stages.orders import fingerprint, make_order
from stages.shot_list import check_shot_list


@pytest.fixture
def studio(tmp_path):
    for name in ("a.blend", "b.blend"):
        (tmp_path / name).touch()
    return tmp_path


def listed(studio, layers, more="hero: true, render: {colorManagementPreset: aces}"):
    """A shot as its list gives it."""
    head = "show: s\ndefaults: {fps: 24, render: {colorManagementPreset: default}}\n"
    (shot,), problems = check_shot_list(f"{head}shots: [{{name: x, {layers}, {more}}}]\n", str(studio))
    assert problems == []
    return shot


def mark_of(shot):
    return fingerprint(shot, {layer: f"sha of {layer}" for layer in shot.files}, "auto")


@pytest.mark.parametrize(
    ("layers", "more", "before"),
    [
        ("file: a.blend", "frames: 1-3", "5b84bad2bcc264b8a727463eaae544524816791594439e204b10d110af52f001"),
        *(
            (
                f"layers: {layers}",
                "hero: true, render: {colorManagementPreset: aces}",
                "c67b078672b16b7888a58a083caa499426900ad30a5b500772515e9c22209512",
            )
            for layers in ("{base: a.blend, over: b.blend}", "{over: b.blend, base: a.blend}")
        ),
    ],
)
def test_what_was_delivered_before_layers_had_names_and_blends_is_not_delivered_again(studio, layers, more, before):
    assert mark_of(listed(studio, layers, more)) == before


def test_names_order_and_blends_of_the_layers_are_in_the_fingerprint(studio):
    written = [
        "layers: {a: a.blend, b: b.blend}",
        "layers: {b: b.blend, a: a.blend}",
        "layers: {a: a.blend, c: b.blend}",
        "layers: {a: a.blend, b: {file: b.blend, blend: add}}",
        "layers: {a: a.blend, b: {file: b.blend, blend: multiply}}",
    ]
    assert len({mark_of(listed(studio, layers)) for layers in written}) == 5
    assert mark_of(listed(studio, "layers: {a: a.blend, b: {file: b.blend, blend: over}}")) == mark_of(
        listed(studio, written[0])
    )


def test_an_order_says_which_layer_lies_on_which_whatever_becomes_of_the_order_of_its_keys(studio):
    shot = listed(studio, "layers: {shadows: a.blend, fx: {file: b.blend, blend: add}, a: b.blend}")
    params = {"quality": "auto", "destination": str(studio / "out"), "work": str(studio / "work")}

    order = make_order(shot, dict.fromkeys(shot.files, "0"), params, "2026-11-23")

    stored = json.loads(json.dumps(order, sort_keys=True))  # as PostgreSQL's JSONB has an order of its own
    assert layers_of(stored) == ["shadows", "fx", "a"]
    assert (stored["blends"], stored["sequence"]) == ({"fx": "add"}, "x")


def test_the_composite_of_an_order_from_postgresql_lies_as_the_list_says(studio, paint):
    shot = listed(studio, "layers: {z: a.blend, shadow: {file: b.blend, blend: multiply}, a: b.blend}", "frames: 1")
    params = {"quality": "auto", "destination": str(studio / "out"), "work": str(studio / "work")}
    order = make_order(shot, dict.fromkeys(shot.files, "0"), params, "2026-11-23")
    work = Path(order["work"]).relative_to(studio)
    for layer, light in {"z": (0.8,) * 3, "shadow": (0.5,) * 3, "a": (0.1, 0.1, 0.1, 0.5)}.items():
        paint(f"{work}/{layer}/frames/0001.exr", light, depth="float")

    done = tasks.composite.function(json.loads(json.dumps(order, sort_keys=True)), {"frames": ["1"]})

    seen = oiio.ImageBuf(str(Path(done["folder"], "0001.png"))).getpixel(1, 1)
    assert seen[0] == pytest.approx(1.055 * (0.1 + 0.5 * (0.5 * 0.8)) ** (1 / 2.4) - 0.055, abs=1e-4)
