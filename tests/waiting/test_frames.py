"""Frames are accounted for: requested = delivered + missing, or nobody knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_provider.waiting.frames import count_frames, expand, frame_number, ordered_frames


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("7", [7]),
        ("1-4", [1, 2, 3, 4]),
        (" 1 - 4 ", [1, 2, 3, 4]),
        ("1-10:3", [1, 4, 7, 10]),
        ("1-10x3", [1, 4, 7, 10]),
        ("-2-1", [-2, -1, 0, 1]),
        ("-5--3", [-5, -4, -3]),
        ("3-3", [3]),
        ("0001-0003", [1, 2, 3]),
        ("10-1", None),
        ("1-10:0", None),
        ("1..10", None),
        ("1-", None),
        ("", None),
        ("all", None),
        ("1-9999999999", None),
        ("1-10:3:2", None),
    ],
)
def test_a_range_is_read_as_people_write_it_or_not_at_all(text, frames):
    found = expand(text)
    assert (None if found is None else list(found)) == frames


@pytest.mark.parametrize(
    ("config", "frames"),
    [
        ({"frameRanges": ["1-3", "7"]}, {1, 2, 3, 7}),
        ({"frameRanges": ["1-3,7", "2-4"]}, {1, 2, 3, 4, 7}),
        ({"frameRanges": ("1",)}, {1}),
        ({"frameRanges": [5]}, {5}),
        ({"frameRanges": ["1-3", "odd"]}, None),
        ({"frameRanges": []}, None),
        ({"frameRanges": "1-3"}, None),
        ({}, None),
        (None, None),
        ("1-3", None),
    ],
)
def test_an_order_says_which_frames_or_that_nobody_knows(config, frames):
    assert ordered_frames(config) == frames


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
    ],
)
def test_a_frame_s_number_is_the_last_in_its_name(name, number):
    assert frame_number(name) == number


@pytest.mark.parametrize(
    ("name", "view", "number"),
    [("0012_left.png", "left", 12), ("0012_cam2.png", "cam2", 12), ("0012_2.png", "2", 12), ("2_0022.png", "2", 22)],
)
def test_a_view_s_own_digits_are_no_frame_number(name, view, number):
    assert count_frames([], [(name, view)]).delivered == {number}


def test_what_is_missing_is_named_in_order():
    count = count_frames([{"frameRanges": ["1-5"]}], [("0004.png", None), ("0002.png", None), ("0099.png", None)])
    assert count.missing == (1, 3, 5)


def test_a_frame_is_delivered_once_however_many_views_it_has():
    count = count_frames([{"frameRanges": ["1-2"]}], [("0001_left.png", "left"), ("0001_right.png", "right")])
    assert (count.delivered, count.missing) == ({1}, (2,))


def test_the_first_order_that_names_its_frames_counts():
    orders = [None, {"frameRanges": None}, {"frameRanges": ["2"]}, {"frameRanges": ["1-9"]}]
    assert count_frames(orders, []).requested == {2}


def test_nobody_misses_what_nobody_knows_to_be_ordered():
    count = count_frames([{}, None], [("0001.png", None)])
    assert (count.requested, count.missing) == (None, ())


@given(st.sets(st.integers(0, 300), min_size=1), st.sets(st.integers(0, 300)))
def test_requested_is_delivered_and_missing(requested, delivered):
    count = count_frames([{"frameRanges": [str(n) for n in requested]}], [(f"{n:04d}.png", None) for n in delivered])
    assert set(count.missing) | (count.delivered & requested) == requested
    assert not set(count.missing) & count.delivered
