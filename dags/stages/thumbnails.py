"""Small pictures that live inside a page: a contact sheet as the text of a JPEG."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from stages.storage import storage

ROOM = 6 << 20
"""Characters of all pictures of a page. Each gets an equal share."""
WIDTHS = (640, 480, 320, 240, 160, 96)
"""Pixels. Of a dozen pictures all are as wide as the first; of 200 some 480, of 1000 some 160."""
_QUALITY = "jpeg:75"
_FILTER = "triangle"
"""Good enough for a thumbnail, and a tenth of the time of OpenImageIO's own choice."""
_LARGEST_FILE = 64 << 20
_MOST_PIXELS = 64_000_000
"""A file of a few bytes may unpack to gigabytes."""


class Picture(NamedTuple):
    """A picture as a data URL, or the reason why there is none."""

    url: str = ""
    width: int = 0
    height: int = 0
    problem: str = ""


def pictures(places: Mapping[str, str], *, room: int = ROOM) -> dict[str, Picture]:
    """Each place's picture, small enough that all of them take at most `room` characters.

    Args:
        places: names, and where their pictures are: a path, or any ObjectStoragePath URL.
        room: characters.
    """
    share = room // max(1, len(places))
    with ThreadPoolExecutor(max_workers=4) as pool:  # waits for the store, and OpenImageIO releases Python's lock
        made = pool.map(lambda place: _picture(place, share), places.values())
        return dict(zip(places, made, strict=True))


def _picture(place: str, share: int) -> Picture:
    with TemporaryDirectory(prefix="renderjuice-") as folder:
        try:
            source = storage(place)
            if source.stat().st_size > _LARGEST_FILE:
                return Picture(problem="its contact sheet is too large to be one of ours")
            sheet = Path(folder, f"sheet{PurePosixPath(place).suffix}")
            sheet.write_bytes(source.read_bytes())
            return _shrunk(sheet, share)
        except FileNotFoundError:
            return Picture(problem="its contact sheet is not there")
        except Exception as error:  # noqa: BLE001 - each store has errors of its own, and none is worth a report
            return Picture(problem=f"its contact sheet could not be read ({type(error).__name__})")


def _shrunk(sheet: Path, share: int) -> Picture:
    import OpenImageIO as oiio

    found = oiio.ImageInput.open(str(sheet))
    if found is None:
        oiio.geterror()  # or OpenImageIO prints it when the program ends
        return Picture(problem="its contact sheet is damaged")
    spec = found.spec()
    found.close()
    if spec.width * spec.height > _MOST_PIXELS:
        return Picture(problem="its contact sheet is too large to be one of ours")
    whole = oiio.ImageBuf(str(sheet))
    if not whole.read(force=True, convert=oiio.UINT8):
        return Picture(problem="its contact sheet is damaged")
    small = oiio.ImageBufAlgo.channels(whole, (0, 1, 2) if spec.nchannels >= 3 else (0, 0, 0))
    for width in [min(spec.width, width) for width in WIDTHS]:
        size = width, max(1, min(2 * width, round(width * spec.height / spec.width)))
        small = oiio.ImageBufAlgo.resize(small, filtername=_FILTER, roi=oiio.ROI(0, size[0], 0, size[1], 0, 1, 0, 3))
        url = f"data:image/jpeg;base64,{b64encode(_jpeg(small, sheet.with_name('small.jpg'))).decode()}"
        if len(url) <= share:
            return Picture(url, *size)
    return Picture(problem="its contact sheet is left out, or this page would be too large")


def _jpeg(picture: Any, target: Path) -> bytes:
    picture.specmod().attribute("Compression", _QUALITY)
    if not picture.write(str(target), "uint8", "jpeg"):
        raise ValueError(picture.geterror())
    return target.read_bytes()
