"""Twelve ways in which a farm spoils a frame, each in the frame's own file format."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import OpenImageIO as oiio

Pixels = np.ndarray[Any, np.dtype[Any]]
_SEEN = 0.02
"""Mean difference, of values between 0 and 1, from which a defect can be seen at all."""


def _blank(pixels: Pixels, chance: Random) -> Pixels:
    del chance
    return np.zeros_like(pixels)


def _one_colour(pixels: Pixels, chance: Random) -> Pixels:
    return np.full_like(pixels, _scale(pixels) * chance.uniform(0.3, 0.7))


def _half(pixels: Pixels, chance: Random) -> Pixels:
    found = pixels.copy()
    found[int(len(found) * chance.uniform(0.3, 0.7)) :] = 0
    return found


def _tile(pixels: Pixels, chance: Random) -> Pixels:
    found = pixels.copy()
    high, wide = len(found) // 4, found.shape[1] // 4
    top, left = chance.randrange(3 * high), chance.randrange(3 * wide)
    found[top : top + high, left : left + wide] = 0
    return found


def _noise(pixels: Pixels, chance: Random) -> Pixels:
    random = np.random.default_rng(chance.randrange(1 << 30))
    noise = random.normal(0, 0.25, pixels.shape) * _scale(pixels)
    return _clipped(pixels + noise, pixels)


def _swapped(pixels: Pixels, chance: Random) -> Pixels:
    del chance
    found = pixels.copy()
    if pixels.shape[2] > 2:  # else a mask, or depth
        found[..., 0], found[..., 2] = pixels[..., 2], pixels[..., 0]
    return found


def _exposed(pixels: Pixels, chance: Random) -> Pixels:
    return _clipped(pixels * chance.choice((0.45, 2.2)), pixels)


def _shifted(pixels: Pixels, chance: Random) -> Pixels:
    return np.roll(pixels, int(pixels.shape[1] * chance.uniform(0.2, 0.5)), axis=1)


def _not_a_number(pixels: Pixels, chance: Random) -> Pixels:
    found = pixels.copy()
    top, left = chance.randrange(len(found) - 4), chance.randrange(found.shape[1] - 4)
    found[top : top + 3, left : left + 3] = np.nan if pixels.dtype.kind == "f" else 0
    return found


_PAINTED: dict[str, Callable[[Pixels, Random], Pixels]] = {
    "black": _blank,
    "one colour": _one_colour,
    "half of it": _half,
    "a tile missing": _tile,
    "noise": _noise,
    "red and blue swapped": _swapped,
    "another exposure": _exposed,
    "shifted": _shifted,
    "not a number": _not_a_number,
}
KINDS = ("cut short", "smaller", "repeated", *_PAINTED)


def spoil(kind: str, frames: Sequence[Path], place: int, to: Path, chance: Random) -> Path | None:
    """Write a spoiled copy of a frame.

    Args:
        kind: of `KINDS`.
        frames: of the shot.
        place: of the frame among them.
        to: a folder.
        chance: where and how much.

    Returns:
        The copy; None where this defect would not be one, such as black in the dark.
    """
    frame = frames[place]
    made = to / frame.name
    if kind == "cut short":
        content = frame.read_bytes()
        made.write_bytes(content[: int(len(content) * chance.uniform(0.3, 0.98))])
        return made
    if kind == "repeated":
        return _repeated(frames, place, made)
    parts = _read(frame)
    if kind == "smaller":
        _write(made, [(spec, pixels[::2, ::2]) for spec, pixels in parts], frame)
        return made
    if kind == "not a number" and parts[0][1].dtype.kind != "f":
        return None
    found = [(spec, _PAINTED[kind](pixels, chance)) for spec, pixels in parts]
    before, after = (np.nan_to_num(_display(each[0][1])) for each in (parts, found))
    if kind != "not a number" and np.abs(before - after).mean() < _SEEN:
        return None
    _write(made, found, frame)
    return made


def _repeated(frames: Sequence[Path], place: int, made: Path) -> Path | None:
    if not 4 <= place < len(frames) - 4:
        return None
    around = [b"".join(pixels.tobytes() for _, pixels in _read(frame)) for frame in frames[place - 4 : place + 5]]
    if len(set(around)) < len(around):
        return None  # the shot does not move here
    shutil.copyfile(frames[place - 1], made)
    return made


def _scale(pixels: Pixels) -> float:
    return 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)


def _clipped(values: Pixels, like: Pixels) -> Pixels:
    most = np.inf if like.dtype.kind == "f" else np.iinfo(like.dtype).max
    return values.clip(0, most).astype(like.dtype)


def _display(pixels: Pixels) -> Pixels:
    values = pixels[..., :3].astype(np.float32) / _scale(pixels)
    return values.clip(0, 1) ** (1 / 2.2) if pixels.dtype.kind == "f" else values


def _read(frame: Path) -> list[tuple[Any, Pixels]]:
    file: Any = oiio.ImageInput.open(str(frame))
    found, part = [], 0
    while file.seek_subimage(part, 0):
        spec = file.spec()
        pixels = file.read_image(part, 0, 0, spec.nchannels, str(spec.format))
        found.append((spec, pixels.reshape(spec.height, spec.width, spec.nchannels)))
        part += 1
    oiio.geterror()
    return found


def _write(made: Path, parts: Sequence[tuple[Any, Pixels]], like: Path) -> None:
    specs = []
    for spec, pixels in parts:
        copy = oiio.ImageSpec(spec)
        copy.height, copy.width = pixels.shape[:2]
        copy.full_height, copy.full_width = copy.height, copy.width
        specs.append(copy)
    file: Any = oiio.ImageOutput.create(str(like))
    file.open(str(made), specs[0] if len(specs) == 1 else specs)
    for part, (spec, (_, pixels)) in enumerate(zip(specs, parts, strict=True)):
        if part:
            file.open(str(made), spec, "AppendSubimage")
        if not file.write_image(np.ascontiguousarray(pixels)):
            raise OSError(file.geterror())
    file.close()
