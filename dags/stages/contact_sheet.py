"""A contact sheet: a night's frames on one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import task

COLUMNS = 6
MOST = 24
"""Frames on a sheet: more are thinned out evenly, the first and the last stay."""
WIDTH = 240
"""Pixels of one frame."""
GAP = 8
IMAGES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr"})


@task
def contact_sheet(delivery: dict[str, Any]) -> str:
    """Write `contact_sheet.png` beside the frames of a download, and return its path."""
    folder = Path(delivery["destination"])
    frames = sorted(path for path in (folder / "frames").rglob("*") if path.suffix.lower() in IMAGES)
    return str(make_contact_sheet(frames, folder / "contact_sheet.png"))


def make_contact_sheet(frames: Sequence[Path], target: Path) -> Path:
    """Lay out `frames`, in their order and shape, on one PNG.

    Raises:
        ValueError: when there are no frames, or one cannot be read; the message names it.
    """
    if not frames:
        raise ValueError("There are no frames to put on a contact sheet.")
    import OpenImageIO as oiio

    thumbnails = [_thumbnail(frame) for frame in thin_out(frames, MOST)]
    columns = min(COLUMNS, len(thumbnails))
    rows = -(-len(thumbnails) // columns)
    height = max(thumbnail.spec().height for thumbnail in thumbnails)
    size = (columns * (WIDTH + GAP) + GAP, rows * (height + GAP) + GAP)
    sheet = oiio.ImageBuf(oiio.ImageSpec(*size, 3, oiio.UINT8))
    oiio.ImageBufAlgo.fill(sheet, (0.08, 0.08, 0.09))
    for index, thumbnail in enumerate(thumbnails):
        row, column = divmod(index, columns)
        oiio.ImageBufAlgo.paste(sheet, GAP + column * (WIDTH + GAP), GAP + row * (height + GAP), 0, 0, thumbnail)
    if not sheet.write(str(target)):
        raise ValueError(f"{target} could not be written: {sheet.geterror()}")
    return target


def thin_out(frames: Sequence[Path], most: int) -> list[Path]:
    """At most `most` of `frames`, evenly, the first and the last among them."""
    if len(frames) <= most:
        return list(frames)
    return [frames[round(index * (len(frames) - 1) / (most - 1))] for index in range(most)]


def _thumbnail(frame: Path) -> Any:
    import OpenImageIO as oiio

    image = oiio.ImageBuf(str(frame))
    if not image.read(convert=oiio.FLOAT):
        raise ValueError(f"{frame} cannot be read: {image.geterror()}")
    height = max(1, round(WIDTH * image.spec().height / image.spec().width))
    flat = oiio.ImageBufAlgo.channels(image, (0, 1, 2) if image.nchannels >= 3 else (0, 0, 0))
    return oiio.ImageBufAlgo.resize(flat, roi=oiio.ROI(0, WIDTH, 0, height, 0, 1, 0, 3))
