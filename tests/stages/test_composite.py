"""Layers over each other.

Against references computed here by hand, within half a step of 8 bits unless said otherwise.
"""

from __future__ import annotations

import os
from typing import get_args

import OpenImageIO as oiio
import pytest
from stages.composite import BLENDS, CompositeError, burn_in, composite, composite_frame, find_frames
from stages.shot_models import Blend

EIGHT_BITS = 0.5 / 255
SIXTEEN_BITS = 4 / 65535
"""The display transform works in single precision, through a table of the encoding curve."""


def encode(linear):
    """sRGB's curve, as IEC 61966-2-1 gives it."""
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def decode(encoded):
    return encoded / 12.92 if encoded <= 0.04045 else ((encoded + 0.055) / 1.055) ** 2.4


def colour(image, x=5, y=5):
    return image.getpixel(x, y)[:3]


def test_a_half_transparent_layer_over_another_mixes_in_linear_light(paint):
    base = paint("base.exr", (0.05, 0.5, 0.2), depth="half")
    over = paint("over.exr", (0.4, 0.1, 0.0, 0.5), depth="half")  # EXR: colour is multiplied with alpha already

    image, view = composite_frame([base, over])

    assert view == "Un-tone-mapped"
    wanted = [encode(o + 0.5 * b) for o, b in zip((0.4, 0.1, 0.0), (0.05, 0.5, 0.2), strict=True)]
    assert colour(image) == pytest.approx(wanted, abs=5e-4)  # half floats hold three digits


@pytest.mark.parametrize(
    ("blend", "wanted"),
    [
        ("over", lambda layer, alpha, below: layer + (1 - alpha) * below),
        ("add", lambda layer, alpha, below: layer + below),  # light hides nothing
        ("multiply", lambda layer, alpha, below: below * (alpha * (layer / alpha) + (1 - alpha))),  # a filter in part
    ],
)
@pytest.mark.parametrize("below", [(0.05, 0.5, 0.2), (0.05, 0.25, 0.2, 0.5)])
def test_each_blend_mixes_in_linear_light_with_colour_multiplied_by_alpha(paint, blend, wanted, below):
    base = paint("base.exr", below, depth="float")
    layer = paint("layer.exr", (0.2, 0.1, 0.0, 0.25), depth="float")

    image, _ = composite_frame([base, layer], ["over", blend])

    lights = [wanted(one, 0.25, other) for one, other in zip((0.2, 0.1, 0.0), below[:3], strict=True)]
    assert colour(image) == pytest.approx([encode(light) for light in lights], abs=SIXTEEN_BITS)


@pytest.mark.parametrize(("blend", "wanted"), [("add", 0.1 + 0.5), ("multiply", 0.1 * 0.5)])
def test_a_layer_that_is_added_or_multiplied_may_be_opaque_with_alpha_or_without(paint, blend, wanted):
    base = paint("base.exr", (0.1,) * 3, depth="float")

    for layer in ((0.5,) * 3, (0.5, 0.5, 0.5, 1.0)):
        image, _ = composite_frame([base, paint("layer.exr", layer, depth="float")], ["over", blend])
        assert colour(image) == pytest.approx([encode(wanted)] * 3, abs=SIXTEEN_BITS)


def test_nothing_changes_where_a_layer_is_not_and_a_shadow_on_nothing_is_nothing(paint):
    nothing = paint("nothing.exr", (0.0,) * 4, depth="float")
    base = paint("base.exr", (0.1, 0.2, 0.3), depth="float")
    alone, _ = composite_frame([base])

    for blend in BLENDS:
        image, _ = composite_frame([base, nothing], ["over", blend])
        assert colour(image) == pytest.approx(colour(alone), abs=1e-6), blend
    shadow = paint("shadow.exr", (0.5, 0.5, 0.5, 1.0), depth="float")
    assert colour(composite_frame([nothing, shadow], ["over", "multiply"])[0]) == (0, 0, 0)


def test_five_layers_lie_in_their_order_each_with_its_own_blend(sequence, tmp_path):
    lights = {
        "sky": (0.4, 0.3, 0.2),
        "z_set": (0.1, 0.2, 0.3, 0.5),
        "shadow": (0.1, 0.1, 0.1, 0.4),
        "hero": (0.3, 0.1, 0.0, 0.6),
        "glow": (0.02, 0.05, 0.1, 0.0),
    }
    layers = {name: sequence(name, [1], light, suffix="exr", depth="float") for name, light in lights.items()}

    done = composite(layers, [1], tmp_path / "out", blends={"shadow": "multiply", "glow": "add"})

    wanted = []
    for sky, of_set, shadow, hero, glow in zip(*(light[:3] for light in lights.values()), strict=True):
        ground = of_set + 0.5 * sky
        shaded = ground * (0.6 + shadow)
        wanted.append(encode(hero + 0.4 * shaded + glow))
    assert colour(oiio.ImageBuf(str(tmp_path / "out" / "0001.png"))) == pytest.approx(wanted, abs=SIXTEEN_BITS)
    assert done == {"frames": 1, "width": 32, "height": 18, "view": "Un-tone-mapped"}


def test_every_blend_of_the_shot_list_can_be_composited_and_every_other_is_refused_there():
    assert set(BLENDS) == set(get_args(Blend))


def test_display_pictures_mix_in_linear_light_too_and_their_straight_alpha_is_respected(paint):
    base = paint("base.png", (0.0, 0.6, 1.0))
    over = paint("over.png", (1.0, 0.6, 0.0, 0.5))

    image, _ = composite_frame([base, over])

    alpha = round(0.5 * 255) / 255
    wanted = [encode(alpha * decode(o) + (1 - alpha) * decode(b)) for o, b in ((1, 0), (0.6, 0.6), (0, 1))]
    assert colour(image) == pytest.approx(wanted, abs=EIGHT_BITS)


def test_a_single_display_picture_leaves_as_it_came(paint, tmp_path):
    before = oiio.ImageBuf(str(paint("in/0001.png", (0.1, 0.5, 0.9, 1.0))))

    composite({"base": tmp_path / "in"}, [1], tmp_path / "out")

    after = oiio.ImageBuf(str(tmp_path / "out" / "0001.png"))
    assert colour(after) == colour(before)
    assert (after.nchannels, after.spec().format) == (3, oiio.UINT8)


def test_what_is_under_nothing_comes_out_as_it_went_in_at_every_level(tmp_path):
    ramp = oiio.ImageBuf(oiio.ImageSpec(256, 2, 3, "uint8"))
    oiio.ImageBufAlgo.fill(ramp, (0, 0, 0), (1, 1, 1), (0, 0, 0), (1, 1, 1))
    nothing = oiio.ImageBuf(oiio.ImageSpec(256, 2, 4, "uint8"))
    oiio.ImageBufAlgo.zero(nothing)
    paths = [tmp_path / "ramp.png", tmp_path / "nothing.png"]
    for image, path in zip((ramp, nothing), paths, strict=True):
        assert image.write(str(path))

    image, _ = composite_frame(paths)

    assert oiio.ImageBufAlgo.compare(image, oiio.ImageBuf(str(paths[0])), 0, 0).maxerror < EIGHT_BITS


def test_what_is_transparent_in_the_lowest_layer_is_seen_over_black(paint):
    image, _ = composite_frame([paint("one.png", (1.0, 1.0, 1.0, 0.5))])

    assert image.nchannels == 3
    assert colour(image) == pytest.approx([encode(128 / 255)] * 3, abs=EIGHT_BITS)


def test_an_aces_project_is_shown_with_the_rendering_of_aces(paint):
    bright = paint("bright.exr", (4.0, 4.0, 4.0), depth="half")

    plain, _ = composite_frame([bright])
    aces, view = composite_frame([bright], preset="aces")

    assert "ACES" in view
    assert min(colour(plain)) >= 1.0  # white, its detail lost
    assert 0.8 < colour(aces)[0] < 1.0


def test_scene_linear_frames_are_kept_with_sixteen_bits(sequence, tmp_path):
    folder = sequence("in", [1], (0.18, 0.18, 0.18), suffix="exr", depth="float")

    composite({"base": folder}, [1], tmp_path / "out")

    image = oiio.ImageBuf(str(tmp_path / "out" / "0001.png"))
    assert image.spec().format == oiio.UINT16
    assert colour(image) == pytest.approx([encode(0.18)] * 3, abs=SIXTEEN_BITS)


def test_missing_and_damaged_frames_are_reported_by_number_and_layer_and_the_others_are_made(sequence, tmp_path):
    base = sequence("base", [1, 2, 4, 5, 6], (0.1, 0.1, 0.1), suffix="exr", depth="half")
    over = sequence("over", [1, 2, 3, 4, 5], (0.1, 0.1, 0.1, 0.5), suffix="exr", depth="half")
    broken = over / "0005.exr"
    os.truncate(broken, broken.stat().st_size // 2)

    with pytest.raises(CompositeError) as failure:
        composite({"base": base, "over": over}, range(1, 7), tmp_path / "out")

    assert failure.value.missing == {"base": (3,), "over": (6,)}
    assert failure.value.damaged == {"over": (5,)}
    assert str(failure.value).startswith(
        "layer base: frames 3 are missing; layer over: frames 6 are missing; layer over: frames 5 are damaged. Whole frames "
        "are paid and kept: clear `render` of this shot, which renders only these"
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0001.png", "0002.png", "0004.png"]


@pytest.mark.parametrize("cut", [0, 8, 60, -20])
def test_half_a_png_is_damaged_wherever_it_ends(paint, tmp_path, cut):
    path = paint("in/0001.png", (0.3, 0.2, 0.9), size=(200, 200))
    os.truncate(path, cut if cut >= 0 else path.stat().st_size + cut)

    found = find_frames(tmp_path / "in", [1, 2])

    assert (found.files, found.damaged, found.missing) == ({}, (1,), (2,))


def test_an_opaque_layer_on_top_is_refused_because_it_would_hide_everything(paint):
    with pytest.raises(CompositeError, match="has no alpha"):
        composite_frame([paint("base.exr", (0.1,) * 3, depth="half"), paint("over.exr", (0.2,) * 3, depth="half")])


def test_layers_of_two_sizes_are_refused(paint):
    layers = [paint("base.png", (0.1,) * 3), paint("over.png", (0.2,) * 4, size=(16, 9))]
    with pytest.raises(CompositeError, match="16x9 pixels, the layer below 32x18"):
        composite_frame(layers)


def test_scene_linear_and_finished_pictures_do_not_mix(sequence, tmp_path):
    layers = {
        "base": sequence("base", [1], (0.1,) * 3),
        "over": sequence("over", [1], (0.1,) * 4, suffix="exr", depth="half"),
    }
    with pytest.raises(CompositeError, match="base as finished, over as scene-linear"):
        composite(layers, [1], tmp_path / "out")


def test_black_and_white_frames_become_colour(paint):
    image, _ = composite_frame([paint("grey.png", (0.5,))])

    assert colour(image) == pytest.approx([128 / 255] * 3, abs=EIGHT_BITS)


def test_shot_frame_and_date_are_burnt_in_along_the_lower_edge():
    image = oiio.ImageBuf(oiio.ImageSpec(320, 180, 3, oiio.FLOAT))

    assert burn_in(image, "cit_010", "0001", "2026-11-23")

    upper = oiio.ImageBufAlgo.computePixelStats(image, roi=oiio.ROI(0, 320, 0, 160))
    assert max(upper.max) == 0
    for left, right in ((0, 107), (107, 214), (214, 320)):
        text = oiio.ImageBufAlgo.computePixelStats(image, roi=oiio.ROI(left, right, 160, 180))
        assert max(text.max) > 0.8
