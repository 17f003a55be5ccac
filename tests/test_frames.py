"""Frames are accounted for: requested = delivered + missing, or nobody knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_provider.frames import count_frames, expand, ordered_frames


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


def test_a_still_needs_no_number():
    assert count_frames([{"frameRanges": ["7"]}], [("beauty.png", None)]).complete is True
    assert count_frames([{"frameRanges": ["7-8"]}], [("beauty.png", None)]).missing == (7, 8)


STEREO = {"views": ["left", "right"]}


def eyes(left, right, *, names="{0:04d}_{1}.png", labels=("left", "right"), suffixes=("L", "R")):
    return [
        (names.format(number, suffix), label)
        for numbers, label, suffix in zip((left, right), labels, suffixes, strict=True)
        for number in numbers
    ]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"labels": ("L", "R")},
        {"labels": ("_L", "_R")},
        {"labels": (None, None)},
        {"labels": (None, None), "names": "{0:04d}.{1}.exr", "suffixes": ("left", "right")},
        {"labels": ("left", "right"), "names": "{0:04d}.png"},
        {"labels": (None, "right"), "names": "{0:04d}.png"},
        {"labels": (None, None), "names": "{0:04d}.png"},
    ],
)
@pytest.mark.parametrize("analysis", [STEREO, {}, None])
def test_a_lost_eye_is_missed_however_files_say_which_eye_they_are(more, analysis):
    order = {"frameRanges": ["1-3"]}

    assert count_frames([order], eyes([1, 2, 3], [1, 2, 3], **more), analysis=analysis).complete is True
    count = count_frames([order], eyes([1, 2, 3], [1], **more), analysis=analysis)
    assert (count.complete, count.missing, count.delivered) == (False, (2, 3), {1})


def test_it_is_said_which_eye_is_missing_even_when_nothing_of_it_came():
    count = count_frames([{"frameRanges": ["1-2"]}], eyes([1, 2], []), analysis=STEREO)

    assert [gap.to_json() for gap in count.gaps] == [{"view": "right", "frames": [1, 2]}]
    assert str(count) == "frames 1, 2 of view right are missing"


def test_views_that_are_called_by_digits_are_not_taken_for_frames():
    files = [(f"{number:04d}_{view}.png", view) for view in ("1", "2") for number in (1, 2)]

    assert count_frames([{"frameRanges": ["1-2"]}], files, analysis={"views": ["1", "2"]}).complete is True
    assert count_frames([{"frameRanges": ["1-2"]}], files[:-1], analysis={"views": ["1", "2"]}).missing == (2,)


def test_both_eyes_in_one_file_are_not_half_of_two():
    assert count_frames([{"frameRanges": ["1"]}], [("0001.exr", None)], analysis=STEREO).complete is True


def test_views_of_other_names_than_the_analysis_gives_are_counted():
    analysis, order = {"views": ["cam_a", "cam_b"]}, {"frameRanges": ["1"]}

    assert count_frames([order], [("1_x.png", "x"), ("1_y.png", "y")], analysis=analysis).complete is True
    assert count_frames([order], [("1_x.png", "x")], analysis=analysis).complete is False


def test_without_an_order_the_scene_s_own_range_is_the_measure():
    analysis = {"frameStart": 1, "frameEnd": 7, "frameStep": 3}

    count = count_frames([{}, None], [("0001.png", None), ("0007.png", None)], analysis=analysis)
    assert (count.requested, count.missing, count.complete) == ({1, 4, 7}, (4,), False)


@pytest.mark.parametrize("analysis", [None, {}, "odd", {"frameStart": 1}, {"frameStart": "1", "frameEnd": 3}])
def test_an_order_that_nobody_knows_is_never_complete(analysis):
    count = count_frames([{}], [("0001.png", None)], analysis=analysis)
    assert (count.requested, count.complete) == (None, None)


def test_an_order_that_cannot_be_read_is_not_replaced_by_the_scene_s_range():
    analysis = {"frameStart": 1, "frameEnd": 2}
    files = [("0001.png", None), ("0002.png", None)]

    assert count_frames([{"frameRanges": ["1..99"]}], files, analysis=analysis).complete is None
    assert count_frames([{"frameRanges": ["1..99"]}, {"frameRanges": ["1-99"]}], files).complete is False


def test_one_eye_is_held_against_the_other_even_when_nobody_knows_the_order():
    count = count_frames([], eyes([1, 2], [1]))
    assert (count.complete, count.missing) == (False, (2,))


def test_how_many_frames_a_movie_holds_is_not_known():
    assert count_frames([{"frameRanges": ["1-12"]}], [("0001-0012.mp4", None)]).complete is None


def passes(*lost, nodes=("Beauty", "Depth"), frames=(1, 2, 3), names="composites/{0}/{1:04d}.exr", labelled=True):
    return [
        (names.format(node, frame), None, node if labelled else None)
        for node in nodes
        for frame in frames
        if (node, frame) not in lost
    ]


FRAMES = [("0001.png", None), ("0002.png", None), ("0003.png", None)]
NODES = {"compositorOutputs": ["Beauty", "Depth"], "frameStart": 1, "frameEnd": 3}


def test_a_node_that_lacks_frames_or_wrote_nothing_is_reported():
    assert count_frames([], FRAMES, analysis=NODES, composites=passes()).complete is True

    count = count_frames([], FRAMES, analysis=NODES, composites=passes(("Depth", 2), ("Depth", 3)))
    assert (count.complete, str(count)) == (False, "frames 2, 3 of node Depth are missing")
    count = count_frames([], FRAMES, analysis=NODES, composites=passes(nodes=("Beauty",)))
    assert (count.complete, str(count)) == (False, "frames 1, 2, 3 of node Depth are missing")
    assert count_frames([], FRAMES, analysis=NODES).missing == (1, 2, 3)


def test_each_output_of_a_node_is_held_against_all_frames():
    names = [f"composites/Passes/pass{slot}_{frame:04d}.exr" for slot in range(1, 6) for frame in (1, 2, 3)]
    analysis = {"compositorOutputs": ["Passes"], "frameStart": 1, "frameEnd": 3}

    def of(paths):
        return count_frames([], FRAMES, analysis=analysis, composites=[(path, None, "Passes") for path in paths])

    assert of(names).complete is True
    assert of([name for name in names if not name.endswith("pass2_0003.exr")]).missing == (3,)
    assert of([name for name in names if not name.endswith("_0002.exr")]).missing == (2,)


def test_passes_of_which_nobody_says_the_node_are_counted():
    analysis = NODES | {"compositorOutputs": ["Beauty", "Depth"]}

    assert count_frames([], FRAMES, analysis=analysis, composites=passes(labelled=False)).complete is True
    lost = passes(("Depth", 2), labelled=False)
    assert count_frames([], FRAMES, analysis=analysis, composites=lost).missing == (2,)
    alone = passes(labelled=False, nodes=("Beauty",))
    assert count_frames([], FRAMES, analysis=analysis, composites=alone).complete is False


def test_passes_that_no_analysis_announced_are_held_against_the_frames():
    count = count_frames([{"frameRanges": ["1-3"]}], FRAMES, composites=passes(("Depth", 1)))
    assert count.missing == (1,)


def test_views_of_one_folder_and_name_are_not_mixed_up_by_where_their_copies_went():
    left = [(f"composites/ao/{frame:04d}.exr", "left", "AO") for frame in (1, 3)]
    right = [(f"composites/ao/{place}.exr", "right", "AO") for place in ("copy-2/0001", "0002", "copy-2/0003")]

    count = count_frames([{"frameRanges": ["1-3"]}], FRAMES, composites=[*left, *right])
    assert [gap.to_json() for gap in count.gaps] == [{"view": "left", "node": "AO", "frames": [2]}]


@pytest.mark.parametrize("ranges", [["1-999999999"], ["1-999999", "2-999999"], ["9" * 5000], ["1-2:" + "9" * 5000]])
def test_an_order_that_nobody_can_count_is_not_counted(ranges):
    assert ordered_frames({"frameRanges": ranges}) is None
