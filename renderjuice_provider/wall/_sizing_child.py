"""Makes small pictures of what came from outside, in a process of its own.

A damaged or hostile file may crash a decoder, fill the memory or take for ever: here it ends
nothing else. The process has no secrets in its environment, limits for its memory, its files and
the time for each picture, and stops when the one that has started it does. Python reads it as a
script, with nothing of the provider.

Each line of its input is JSON: `source`, a file whose ending says its format, and `targets`, by the
most pixels of a side. Each line of its output: `why` there is no picture, or nothing.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

import OpenImageIO as oiio  # noqa: TID253 - it is all that this process is for

MEMORY = 3 << 30
"""Bytes of addresses, of which decoders reserve more than they use."""
SECONDS = 15
"""Of the processor, for one picture."""
LARGEST_FILE = 16 << 20
MOST_PIXELS = 1 << 26
MOST_CHANNELS = 512
MOST_PARTS = 64
_LONGEST_TEXT = 200
_QUALITY = "jpeg:82"
_FORMATS = {"png", "jpeg", "webp", "openexr", "tiff", "bmp", "targa", "hdr", "dpx"}
_LINEAR = "Linear Rec.709 (sRGB)"
_DISPLAY = "sRGB Encoded Rec.709 (sRGB)"


class UnusableError(Exception):
    """Why there is no picture."""


def main() -> None:
    """Make pictures until the input ends."""
    limit(resource.RLIMIT_AS, MEMORY)
    limit(resource.RLIMIT_FSIZE, LARGEST_FILE)
    limit(resource.RLIMIT_CORE, 0)
    os.nice(10)
    oiio.attribute("threads", 1)
    for line in sys.stdin:
        order = json.loads(line)
        limit(resource.RLIMIT_CPU, int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2])) + SECONDS)
        try:
            make(order["source"], {int(size): target for size, target in order["targets"].items()})
            answer = {}
        except UnusableError as error:
            answer = {"why": str(error)[:_LONGEST_TEXT]}
        except (MemoryError, OSError, ValueError, RuntimeError) as error:
            answer = {"why": f"the picture cannot be read ({type(error).__name__})"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def limit(what: int, most: int) -> None:
    """Set a limit that this process may raise again, where the system lets it."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def make(source: str, targets: dict[int, str]) -> None:
    """Write the small pictures.

    Raises:
        UnusableError: when there can be none.
    """
    part, channels, is_linear = picture_in(source)
    image = oiio.ImageBuf(source, part, 0)
    if not image.read(part, 0, force=True, convert=oiio.FLOAT if is_linear else oiio.UINT8):
        raise UnusableError("the picture is damaged")
    image.specmod().channelformats = ()
    image = oiio.ImageBufAlgo.channels(image, channels, ("R", "G", "B"))
    if image.roi != image.roi_full:
        image = oiio.ImageBufAlgo.cut(oiio.ImageBufAlgo.crop(image, image.roi_full), image.roi_full)
    is_large = True
    for size in sorted(targets, reverse=True):
        image = fitted(image, size)
        if is_large and is_linear:  # after it has become small: each pixel takes its time
            image = oiio.ImageBufAlgo.colorconvert(image, _LINEAR, _DISPLAY)
        is_large = False
        image.specmod().attribute("Compression", _QUALITY)
        if image.has_error or not image.write(targets[size], oiio.UINT8, "jpeg"):
            raise UnusableError("the picture is damaged")


def picture_in(source: str) -> tuple[int, tuple[Any, ...], bool]:
    """Where in a file the picture is: the part, the channels, and whether it is linear light.

    Raises:
        UnusableError: when there is none, or it is too large.
    """
    file = oiio.ImageInput.open(source)
    if file is None:
        oiio.geterror()  # or it is printed at the end
        raise UnusableError("it is no picture")
    try:
        if file.format_name() not in _FORMATS:
            raise UnusableError("it is no picture")
        best: tuple[int, int, tuple[Any, ...]] | None = None
        for part in range(MOST_PARTS):
            if not file.seek_subimage(part, 0):
                break
            spec = file.spec()
            if max(spec.width * spec.height, spec.full_width * spec.full_height) > MOST_PIXELS:
                raise UnusableError("the picture is too large")
            if spec.depth > 1 or spec.nchannels > MOST_CHANNELS:
                raise UnusableError("the picture has too many channels")
            rank, channels = colours(spec.channelnames)
            if channels and (best is None or rank < best[0]):
                best = rank, part, channels
        if best is None:
            raise UnusableError("the file holds no picture")
        return best[1], best[2], Path(source).suffix in {".exr", ".hdr"}
    finally:
        file.close()


def colours(names: tuple[str, ...]) -> tuple[int, tuple[Any, ...]]:
    """The channels of the picture among those of a file, and how unlikely they are."""
    found: list[tuple[int, tuple[Any, ...]]] = []
    for place, name in enumerate(names):
        layer, _, letter = name.rpartition(".")
        green, blue = (f"{layer}.{other}" if layer else other for other in ("G", "B"))
        if letter == "R" and green in names and blue in names:
            last = layer.lower().rpartition(".")[2]
            rank = 0 if not layer else 1 if layer.lower() == "composite.combined" else 2 if last == "combined" else 3
            found.append((rank, (place, names.index(green), names.index(blue))))
    if found:
        return min(found)
    return (4, (0, 0, 0)) if names and names[0].rpartition(".")[2] in {"Y", "V", "L", "I"} else (5, ())


def fitted(image: Any, size: int) -> Any:
    """The image, at most `size` pixels wide and high."""
    spec = image.spec()
    scale = min(1.0, size / spec.width, size / spec.height)
    width, height = max(1, round(spec.width * scale)), max(1, round(spec.height * scale))
    if (width, height) == (spec.width, spec.height):
        return image
    return oiio.ImageBufAlgo.resize(image, filtername="triangle", roi=oiio.ROI(0, width, 0, height, 0, 1, 0, 3))


if __name__ == "__main__":
    main()
