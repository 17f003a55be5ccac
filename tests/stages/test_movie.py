from __future__ import annotations

from fractions import Fraction

import av
import pytest
from stages.movie import make_movie, movie_rate


def frames_in(folder):
    return {int(path.stem): path for path in folder.iterdir()}


def test_a_movie_decodes_frame_by_frame_with_the_right_count_size_and_rate(sequence, tmp_path):
    folder = sequence("in", range(1001, 1018), size=(64, 36))

    make_movie(frames_in(folder), tmp_path / "shot.mp4", fps=24)

    with av.open(str(tmp_path / "shot.mp4")) as movie:
        (stream,) = movie.streams
        decoded = list(movie.decode(stream))
        assert stream.codec_context.name == "h264"
        assert stream.average_rate == 24
        assert len(decoded) == 17
        assert [frame.pts * frame.time_base for frame in decoded] == [Fraction(n, 24) for n in range(17)]
        assert {(frame.width, frame.height, frame.format.name) for frame in decoded} == {(64, 36, "yuv420p")}


def test_colours_survive_within_four_levels_because_the_matrix_is_that_of_hd(sequence, tmp_path):
    folder = sequence("in", [1, 2], (1.0, 0.5, 0.0), size=(64, 64))

    make_movie(frames_in(folder), tmp_path / "shot.mp4", fps=24)

    with av.open(str(tmp_path / "shot.mp4")) as movie:
        frame = next(movie.decode(video=0))
        assert (frame.colorspace, frame.color_range) == (1, 1)
        assert frame.to_ndarray(format="rgb24")[10, 10].tolist() == pytest.approx([255, 128, 0], abs=4)


def test_odd_sides_lose_one_row_or_column_since_h264_wants_them_even(sequence, tmp_path):
    make_movie(frames_in(sequence("in", [1], size=(33, 19))), tmp_path / "shot.mp4", fps=25)

    with av.open(str(tmp_path / "shot.mp4")) as movie:
        assert (movie.streams.video[0].width, movie.streams.video[0].height) == (32, 18)


def test_the_index_is_at_the_front_so_that_it_plays_while_it_loads(sequence, tmp_path):
    make_movie(frames_in(sequence("in", [1, 2, 3])), tmp_path / "shot.mp4", fps=24)

    content = (tmp_path / "shot.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_the_same_frames_give_the_same_bytes(sequence, tmp_path):
    frames = frames_in(sequence("in", range(1, 6)))
    for name in ("a.mp4", "b.mp4"):
        make_movie(frames, tmp_path / name, fps=24, shot="juice", date="2026-11-23")

    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (24, "24"),
        (23.976, "24000/1001"),
        (23.98, "24000/1001"),
        (29.97, "30000/1001"),
        (59.94, "60000/1001"),
        (12.5, "25/2"),
        (11.988, "12000/1001"),
        (14.985, "15000/1001"),
        (47.952, "48000/1001"),
        (47.95, "48000/1001"),
        (119.88, "120000/1001"),
        (23.97, "24000/1001"),
        (23.99, "2399/100"),
        (5.99, "599/100"),
        (33.333333, "100/3"),
        (0.5, "1/2"),
        (0.0004, "1/2500"),
        *(
            (float(whole), str(whole))
            for whole in (1, 2, 3, 4, 5, 6, 8, 12, 15, 25, 30, 48, 50, 60, 90, 120, 240, 1000)
        ),
    ],
)
def test_the_rates_of_television_are_exact(fps, rate):
    assert movie_rate(fps) == Fraction(rate)


@pytest.mark.parametrize("fps", [0, -24.0, float("inf"), float("nan")])
def test_a_rate_at_which_no_movie_runs_is_refused(fps):
    with pytest.raises(ValueError, match="frames per second"):
        movie_rate(fps)


def test_frames_of_two_sizes_or_of_one_pixel_are_refused(sequence, tmp_path, paint):
    frames = frames_in(sequence("in", [1], size=(64, 36))) | {2: paint("in/0002.png", (0.1,) * 3, size=(32, 18))}
    with pytest.raises(ValueError, match="another size"):
        make_movie(frames, tmp_path / "shot.mp4", fps=24)
    with pytest.raises(ValueError, match="too small"):
        make_movie({1: paint("thin/0001.png", (0.1,) * 3, size=(1, 18))}, tmp_path / "thin.mp4", fps=24)


def test_scene_linear_frames_get_the_curve_of_the_display(sequence, tmp_path):
    folder = sequence("in", [1], (0.18,) * 3, suffix="exr", depth="half", size=(64, 64))

    make_movie(frames_in(folder), tmp_path / "shot.mp4", fps=24)

    with av.open(str(tmp_path / "shot.mp4")) as movie:
        frame = next(movie.decode(video=0))
        assert frame.to_ndarray(format="rgb24")[10, 10].tolist() == pytest.approx([118] * 3, abs=4)


def test_no_frames_make_no_movie(tmp_path):
    with pytest.raises(ValueError, match="no frames"):
        make_movie({}, tmp_path / "shot.mp4", fps=24)
