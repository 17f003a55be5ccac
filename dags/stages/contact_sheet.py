"""A contact sheet: a night's frames on one picture."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from airflow.sdk import task

COLUMNS = 6
MOST = 24
"""Most frames on a sheet. More are thinned out evenly; the first and the last stay."""
WIDTH = 240
"""Pixels of one frame."""
TALLEST = 4 * WIDTH
"""Pixels of one frame. Without a limit, a strip one pixel wide would make a sheet of gigabytes."""
GAP = 8


@task
def contact_sheet(delivery: dict[str, Any]) -> str:
    """Write `contact_sheet.png` beside the frames of a download, and return its path."""
    from renderjuice_provider.storage import folder, whole_file
    from stages.records import DownloadManifest, read_record
    from stages.storage import join, local_copy, storage

    name, destination = "contact_sheet.png", delivery["destination"]
    places = frames_of(read_record(delivery["manifest"], DownloadManifest) or {})
    with local_copy(destination) as here, TemporaryDirectory(prefix="renderjuice-") as made:
        sheet = make_contact_sheet([here / place for place in places], Path(made, name))
        with whole_file(folder(storage(destination)), name) as path:
            shutil.copyfile(sheet, path)
    return join(destination, name)


def frames_of(manifest: Mapping[str, Any]) -> list[str]:
    """The pictures among the frames of a download, by number and view.

    Other files in the same folder are of other jobs, and are left out.
    """
    from renderjuice_provider.frames import read_numbers
    from stages.pictures import PICTURES

    frames = {
        file["place"]: file.get("view") or ""
        for file in manifest.get("files", ())
        if file["kind"] == "frame" and file["size"] and PurePosixPath(file["place"]).suffix.lower() in PICTURES
    }
    numbers: dict[str, int] = {}
    for view in set(frames.values()):
        of_view = [place for place in frames if frames[place] == view]
        numbers |= read_numbers(of_view, manifest.get("requested_frames") or (), view=view)
    return sorted(frames, key=lambda place: (place not in numbers, numbers.get(place, 0), frames[place], place))


def make_contact_sheet(frames: Sequence[Path], target: Path) -> Path:
    """Lay out `frames` on one PNG, in their order and shape, ready for display.

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

    from stages.composite import composite_frame

    shown, _ = composite_frame([frame])
    spec = shown.spec()
    scale = min(WIDTH / spec.width, TALLEST / spec.height)
    width, height = max(1, round(scale * spec.width)), max(1, round(scale * spec.height))
    return oiio.ImageBufAlgo.resize(shown, roi=oiio.ROI(0, width, 0, height, 0, 1, 0, 3))
