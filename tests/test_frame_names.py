"""Which frame a file is, read from its name."""

from __future__ import annotations

import time

import pytest

from renderjuice_provider._frame_names import padded, read_numbers
from renderjuice_provider.frames import count_frames, frame_number


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("0001.png", 1),
        ("shot_v2.0014.exr", 14),
        ("shot_v2_0014.jpeg", 14),
        ("beauty0120.exr", 120),
        ("0007", 7),
        ("image.png", None),
        ("render.mp4", None),
        ("1" * 40 + ".png", None),
        ("", None),
        ("-0002.png", -2),
        ("_-0002.png", -2),
        ("shot-0002.png", 2),
        ("0001_beauty_v2.png", 1),
        ("shot_v03_0001_final.png", 1),
        ("sh010_0001_2k.png", 1),
        ("0001_L.png", 1),
        ("0001.left.exr", 1),
        ("shot.12345", 12345),
        ("9" * 5000 + ".png", None),
    ],
)
def test_the_frame_of_a_file_alone_is_the_number_that_looks_most_like_one(name, number):
    assert frame_number(name) == number


@pytest.mark.parametrize(
    ("name", "view", "number"),
    [("0012_left.png", "left", 12), ("0012_cam2.png", "cam2", 12), ("0012_2.png", "2", 12), ("2_0022.png", "2", 22)],
)
def test_a_view_s_own_digits_are_not_a_frame_number(name, view, number):
    assert count_frames([], [(name, view)]).delivered == {number}


ORDER = {"frameRanges": ["1-12"]}


@pytest.mark.parametrize(
    "template",
    [
        "{}.png",
        "{}_beauty_v2.png",
        "shot_v03_{}_final.png",
        "sh010_{}_2k.png",
        "sh010-{}.png",
        "sh0010_0020_{}_take3.png",
        "2026-11-26_{}.exr",
        "{}_1080p_24fps.png",
        "Image{}_10bit.tif",
        "12_{}_12.png",
    ],
)
@pytest.mark.parametrize("digits", [1, 3, 4, 6])
def test_the_number_that_explains_all_names_is_the_frame_whatever_else_the_artist_writes(template, digits):
    names = [template.format(f"{number:0{digits}d}") for number in range(1, 13)]

    assert list(read_numbers(names, range(1, 13)).values()) == list(range(1, 13))
    assert count_frames([ORDER], [(name, None) for name in names]).complete is True
    assert count_frames([ORDER], [(name, None) for name in names if name != names[4]]).missing == (5,)


def test_frames_past_9999_and_below_zero_are_read_as_blender_writes_them():
    for first, last in ((9998, 10001), (-2, 2), (-12, -9)):
        for template in ("{}.png", "shot_{}.png", "shot-{}.png"):
            files = [(template.format(padded(number)), None) for number in range(first, last + 1)]
            order = {"frameRanges": [f"{first}-{last}"]}
            assert count_frames([order], files).missing == ()
            assert count_frames([order], files[:-1]).missing == (last,)


def test_a_hyphen_is_a_sign_where_only_that_makes_one_sequence_of_all_names():
    files = [("shot-0002.png", None), ("shot-0001.png", None), ("shot0000.png", None), ("shot0001.png", None)]

    assert count_frames([{"frameRanges": ["-2-1"]}], files).complete is True


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shot_{:06d}.exr", "1_2_3_4_5_6_7_8_9_10_11_12_{:06d}.exr"])
def test_a_long_render_is_counted_in_a_time_that_grows_with_its_frames(name):
    many = 20_000
    frames = [(name.format(number), None) for number in range(1, many)]
    passes = [(f"composites/{number}/{name.format(number)}", None, "Depth") for number in range(1, many)]
    began = time.process_time()
    count = count_frames([{"frameRanges": [f"1-{many}"]}], frames, composites=passes)
    assert time.process_time() - began < 30  # quadratic would be many minutes
    assert many in count.missing
