"""The frames in one zip: one request, where each frame alone would take one.

Renderjuice offers a zip of all frames (`transforms.framesZip` on the page on download URLs), and
says nothing of what is in it. So it must hold exactly the frames of the list, by their names, and
those that arrived alone in their sizes. Whatever a zip lacks, frames are fetched one by one.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Any

from renderjuice_provider.api._fetching import Fetching, Target, on_disk
from renderjuice_provider.api._flow import Flow, Gather, RunInThread
from renderjuice_provider.api._folders import whole_file
from renderjuice_provider.api._litter import is_litter
from renderjuice_provider.api._partial_file import PartialFileWriter
from renderjuice_provider.api._paths import PlannedFile, output_name
from renderjuice_provider.api._zip_reading import BoundedFile, unpacked
from renderjuice_provider.api.errors import RenderjuiceInputError, RenderjuiceTransferError
from renderjuice_provider.api.report import DownloadedFile

FEWEST = 500
"""Frames to fetch. Of 50 KiB each, 5,000 that are 20 ms away took 0.73 of the time in a zip, 1,000
that are 80 ms away 0.83, and 200 the same."""
LARGEST = 256 << 10
"""Mean bytes of a frame. Larger ones keep the wire busy one by one, and a zip brings them over one
connection, and through the disk twice."""
PROBES = 8
"""Frames that are fetched alone at first, to know how large they are."""
_PLACE = PurePosixPath("frames.zip")
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, LZMAError, RenderjuiceInputError, ValueError, EOFError),
    *(RuntimeError, LookupError, struct.error),
)
"""What reading a zip raises: RuntimeError for one that is encrypted, LookupError for a name of
nothing."""


def zip_url(transforms: Any) -> str:
    """The URL of the zip of all frames; "" where none is offered, or several."""
    if not isinstance(transforms, Mapping):
        return ""
    item = transforms.get("framesZipOutputs")
    if isinstance(item, (list, tuple)):
        item = item[0] if len(item) == 1 else None
    url = item.get("url") if isinstance(item, Mapping) else None
    url = url or transforms.get("framesZip")
    return url if isinstance(url, str) else ""


def is_worth_it(frames_left: int, frames: int, arrived: Mapping[int, DownloadedFile]) -> bool:
    """Whether the zip brings the frames that are left faster than a request for each."""
    sizes = [file.size for file in arrived.values() if file.kind == "frame"]
    is_most = frames_left >= FEWEST and 2 * frames_left >= frames
    return is_most and len(sizes) >= PROBES and sum(sizes) <= LARGEST * len(sizes)


def fetch_zip(
    fetching: Fetching,
    target: Target,
    url: str,
    frames: Sequence[PlannedFile],
    left: Sequence[int],
    arrived: Mapping[int, DownloadedFile],
) -> Flow[dict[int, DownloadedFile] | None]:
    """Put those frames of a zip that are `left` into their places.

    Returns:
        Those that it brought, by number: none where it cannot be used, whatever is the reason.
        None where its URL has expired.
    """
    partial_file = yield from RunInThread(partial(on_disk, target.partial_files.take, _PLACE))
    try:
        received = yield from fetching.receive(_PLACE, url, partial_file)
        if received is None:
            target.partial_files.wait(_PLACE, partial_file)
            return None
        found = yield from _unpack_all(target, partial_file.path, frames, left, arrived)
    except RenderjuiceTransferError:
        found = {}
    except BaseException:
        partial_file.end(keep=True)
        raise
    partial_file.end(keep=False)
    return found


def _unpack_all(
    target: Target,
    path: Path,
    frames: Sequence[PlannedFile],
    left: Sequence[int],
    arrived: Mapping[int, DownloadedFile],
) -> Flow[dict[int, DownloadedFile]]:
    try:
        opened = path.open("rb")
    except OSError:
        return {}
    with opened as file:
        found = yield from RunInThread(partial(_members, file, frames, arrived))
        if found is None:
            return {}
        archive, members = found
        unpacked_files = yield from Gather(
            (_unpack(target, archive, members[number], frames[number]) for number in left), files=True
        )
    return {number: file for number, file in zip(left, unpacked_files, strict=True) if file is not None}


def _members(
    file: IO[bytes], frames: Sequence[PlannedFile], arrived: Mapping[int, DownloadedFile]
) -> tuple[zipfile.ZipFile, dict[int, zipfile.ZipInfo]] | None:
    """The member of each frame; None where the zip does not hold exactly the frames of the list."""
    try:
        archive = zipfile.ZipFile(BoundedFile("The zip of the frames", file))
        files = [info for info in archive.infolist() if not info.is_dir() and not is_litter(info.filename)]
    except (*_DAMAGED, OSError):
        return None
    by_name = {_name(info.filename): info for info in files}
    names = [_name(output_name(planned.source)) for planned in frames]
    if not len(files) == len(by_name) == len(names) or by_name.keys() != set(names):
        return None
    members = {number: by_name[name] for number, name in enumerate(names)}
    known = [(members[number], file) for number, file in arrived.items() if number in members]
    if any(member.file_size != file.size for member, file in known):
        return None
    # Of another render, frames may have the same names and sizes.
    if any(_sha256(archive, member) != file.sha256 for member, file in known[:PROBES]):
        return None
    return archive, members


def _sha256(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    """Of its content; "" when it is damaged."""
    digest = hashlib.sha256()
    try:
        for piece in unpacked(archive, member):
            digest.update(piece)
    except (*_DAMAGED, OSError):
        return ""
    return digest.hexdigest()


def _name(path: str) -> str:
    return re.split(r"[/\\]", path)[-1]


def _unpack(
    target: Target, archive: zipfile.ZipFile, member: zipfile.ZipInfo, planned: PlannedFile
) -> Flow[DownloadedFile | None]:
    """One frame in its place; None where it is damaged, or the disk is full."""

    def work() -> DownloadedFile | None:
        try:
            with whole_file(target.folder, planned.place) as path, PartialFileWriter(path) as writer:
                for piece in unpacked(archive, member):
                    writer.write(piece)
        except (*_DAMAGED, OSError, RenderjuiceTransferError):
            return None
        return target.note(planned, writer.received)

    return (yield from RunInThread(work))
