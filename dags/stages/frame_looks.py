"""What a frame looks like, in a few kilobytes: enough to compare it with its neighbours.

A frame is read to its last byte. Then a fraction of its pixels is averaged into a grid of cells, as
the eye sees them: scene-linear light goes through a curve like a display's.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.pictures import PictureError, check_size, clear_errors, has_end, picture_channels, read_headers

GRID = 27, 48
"""Rows and columns of cells."""
_ROWS = 270
"""Rows of pixels that are looked at, about: each cell still has a hundred pixels, and a frame in
full HD costs a sixteenth of what all its pixels would."""
_DETAIL = 1.5
"""How much the grain of a cell counts beside its colour."""
_CURVE = 1 / 2.2
_Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Look:
    """One frame.

    Attributes:
        shape: width, height, and the names of the channels of each part of the file.
        cells: red, green, blue, alpha and grain of each cell, 0 to 1 where a display can show it.
        digest: of all pixels; the same for the very same picture.
        blank: what it is where each of its pixels is the same: `black`, `transparent`, `one
            colour`; else empty.
        empty: of each cell, whether all its colours are 0, to the last pixel that is looked at.
        odd_values: pixels with a value that is no number, or infinite.
        error: why the frame cannot be read; the rest is empty then.
    """

    shape: tuple[Any, ...] = ()
    cells: _Array | None = None
    empty: _Array | None = None
    digest: int = 0
    blank: str = ""
    odd_values: int = 0
    error: str = ""


def look_at(path: Path) -> Look:
    """Read a frame to its last byte, and take its look."""
    import OpenImageIO as oiio

    try:
        with clear_errors(path):
            specs = read_headers(path)
            check_size(path, specs)
            parts = _read(path, specs)
            part, letters = picture_channels(specs)
    except PictureError as error:
        return Look(error=str(error).replace(str(path), path.name))
    shape = tuple((spec.full_width, spec.full_height, tuple(spec.channelnames)) for spec in specs)
    odd = sum(_odd_values(pixels) for pixels in parts if pixels.dtype.kind == "f")
    digest = 0
    for pixels in parts:
        digest = zlib.crc32(pixels, digest)  # type: ignore[arg-type]
    pixels = parts[part]
    alpha = specs[part].alpha_channel
    oiio.geterror()  # clears what a try has left
    cells = _cells(pixels, letters, alpha)
    empty = np.logical_not(cells[..., :3].any(axis=2))
    return Look(shape, cells, empty, digest, _blank(pixels, letters, alpha), odd)


def _read(path: Path, specs: Sequence[Any]) -> list[_Array]:
    """The pixels of each part, in the file's own type."""
    import OpenImageIO as oiio

    file = oiio.ImageInput.open(str(path))
    if file is None:
        raise PictureError(f"{path} cannot be read: {oiio.geterror()}")
    found = []
    for part, spec in enumerate(specs):
        kinds = {str(kind) for kind in spec.channelformats} or {str(spec.format)}
        pixels = file.read_image(part, 0, 0, spec.nchannels, kinds.pop() if len(kinds) == 1 else "float")
        if pixels is None or file.has_error:
            raise PictureError(f"{path} cannot be read: {file.geterror()}")
        found.append(np.ascontiguousarray(pixels.reshape(spec.height, spec.width, spec.nchannels)))
    name = file.format_name()
    file.close()
    if not has_end(path, name):
        raise PictureError(f"{path} cannot be read: it is cut short")
    return found


def _odd_values(pixels: _Array) -> int:
    return int(pixels.shape[0] * pixels.shape[1] - np.isfinite(pixels).all(axis=2).sum())


def _blank(pixels: _Array, letters: Sequence[int], alpha: int) -> str:
    step = max(1, pixels.shape[0] // _ROWS)
    for shown in (pixels[::step, ::step], pixels):  # most pictures need no second look
        if alpha >= 0 and not shown[..., alpha].any():
            what = "transparent"
        elif (shown[..., list(letters)] == shown[:1, :1][..., list(letters)]).all():
            what = "one colour" if shown[0, 0, list(letters)].any() else "black"
        else:
            return ""
    return what


def _cells(pixels: _Array, letters: Sequence[int], alpha: int) -> _Array:
    height, width = pixels.shape[:2]
    step = max(1, height // _ROWS)
    chosen = [*letters, alpha] if alpha >= 0 else [*letters]
    # Two pixels side by side, so that grain is seen as it is.
    here = _shown(pixels[::step, : max(1, width - 1) : step][..., chosen])
    beside = _shown(pixels[::step, min(1, width - 1) :: step][..., chosen[:3]])[:, : here.shape[1]]
    grain = np.abs(here[..., :3] - beside).mean(axis=2, keepdims=True) * _DETAIL
    if alpha < 0:
        grain = np.concatenate([np.ones_like(grain), grain], axis=2)
    values = np.concatenate([here, grain], axis=2)
    for axis, most in enumerate(GRID):
        size = values.shape[axis]
        edges = np.arange(min(most, size)) * size // min(most, size)
        counts = np.diff(np.append(edges, size)).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        values = np.add.reduceat(values, edges, axis=axis) / counts
    return values.astype(np.float16)


def _shown(values: _Array) -> _Array:
    """As on a display, 0 to 1; light above that is compressed."""
    if values.dtype.kind != "f":
        return values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    light = np.nan_to_num(values.astype(np.float32), nan=0, posinf=1e9, neginf=0).clip(0, 1e9)
    return np.where(light <= 1, light**_CURVE, 1 + np.log1p(np.maximum(light - 1, 0)) * _CURVE)
