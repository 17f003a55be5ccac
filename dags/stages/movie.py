"""Frames to an H.264 movie that plays everywhere, with PyAV."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from stages.composite import burn_in, composite_frame

CODEC = "libx264"
"""In the wheels of PyAV. Builds of FFmpeg without GPL parts lack it, and `make_movie` says so."""
SLOWEST, FASTEST = 0.0001, 1000
"""Frames per second of the slowest time lapse and of the fastest movie. The shot list has the same
upper limit."""
_AS_WRITTEN = 3e-4
"""How far a rate may be from the exact one, relative to it: 23.98 is 1.7e-4 from 24000/1001, and 24
is 1e-3 from it."""
_BT709, _LIMITED = 1, 1
"""FFmpeg's numbers: of the colour matrix, primaries and transfer of HD video, and of the range 16
to 235."""


def movie_rate(fps: float) -> Fraction:
    """Frames per second as a fraction: 23.976 means 24000/1001, and 29.97 means 30000/1001.

    Raises:
        ValueError: for a rate that a movie cannot have.
    """
    if not SLOWEST <= fps <= FASTEST:
        raise ValueError(
            f"A movie cannot run at this rate: set `fps` between {SLOWEST} and {FASTEST} frames per second."
        )
    of_television = Fraction(round(fps * 1.001) * 1000, 1001)
    if fps != round(fps) and abs(fps - of_television) < _AS_WRITTEN * fps:
        return of_television
    return Fraction(fps).limit_denominator(1000) or Fraction(fps).limit_denominator(1_000_000)


def make_movie(frames: Mapping[int, Path], target: Path, *, fps: float, shot: str = "", date: str = "") -> bool:
    """Write an MP4 with shot, frame and date burnt in.

    H.264 in 4:2:0, so both sides are even: an odd last row or column is left out. The index is at
    the front (faststart), so that it plays while it loads. The same frames give the same bytes.

    Args:
        frames: pictures by frame number.
        target: the file to write.
        fps: frames per second.
        shot: the name to burn in.
        date: the date to burn in.

    Returns:
        Whether the texts are burnt in: there may be no font.

    Raises:
        ValueError: when there are no frames, they differ in size or are too small, or this PyAV has
            no encoder for H.264.
    """
    if not frames:
        raise ValueError("There are no frames to make a movie of.")
    import av

    if CODEC not in av.codecs_available:
        raise ValueError(
            f"This PyAV has no {CODEC}: install the wheel, or set stages.movie.CODEC to an encoder that it has."
        )
    text = False
    with av.open(str(target), "w", options={"movflags": "+faststart"}) as movie:
        stream: Any = None
        for number, path in sorted(frames.items()):
            pixels, text = _pixels(path, shot, f"{number:04d}", date)
            if stream is None:
                stream = _add_stream(movie, pixels.shape, fps)
            elif pixels.shape[:2] != (stream.height, stream.width):
                raise ValueError(f"{path} has another size than the frames before it.")
            for packet in stream.encode(_video_frame(pixels)):
                movie.mux(packet)
        for packet in stream.encode():
            movie.mux(packet)
    return text


def _add_stream(movie: Any, shape: tuple[int, ...], fps: float) -> Any:
    stream = movie.add_stream(CODEC, rate=movie_rate(fps))
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.options = {"crf": "18", "preset": "medium"}
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
    return stream


def _video_frame(pixels: Any) -> Any:
    import av
    from av.video.reformatter import ColorRange, Colorspace

    # Without these, the matrix of standard definition is used, and an orange turns yellower.
    return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )


def _pixels(path: Path, shot: str, number: str, date: str) -> tuple[Any, bool]:
    """A frame as 8-bit RGB with even sides, and whether the texts are on it."""
    import OpenImageIO as oiio

    image, _ = composite_frame([path])
    if min(image.spec().width, image.spec().height) < 2:
        raise ValueError(f"{path} is too small for a movie: H.264 wants two pixels each way.")
    text = burn_in(image, shot, number, date)
    spec = image.spec()
    even = oiio.ROI(0, spec.width // 2 * 2, 0, spec.height // 2 * 2, 0, 1, 0, 3)
    return image.get_pixels(oiio.UINT8, even), text
