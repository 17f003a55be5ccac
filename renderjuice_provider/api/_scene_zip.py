"""A zip to upload: whether a farm can unpack it, and which of its files is the scene.

Renderjuice does not document what it does with a zip. This refuses what a careful farm refuses, and
what can be understood in more than one way. The emulator has the same rules, and a test gives both
the same zips.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import PurePosixPath
from typing import IO

from renderjuice_provider.api._blend import HEAD, TAIL, ends, has_an_end, is_blend
from renderjuice_provider.api._litter import is_litter
from renderjuice_provider.api._zip_reading import BoundedFile, UnpackedFile, unpacked
from renderjuice_provider.api.errors import RenderjuiceInputError

MAX_FILES = 100_000
MAX_UNPACKED = 64 * 1024**3
"""Bytes."""
FREE, MAX_RATIO = 64 << 20, 100
"""Bytes that any zip may unpack to, and how many times its own size is added. Textures and caches
shrink to a tenth; what shrinks to a thousandth is empty, and reading it only takes time."""
MAX_FOLDERS = 64
"""Folders above one file."""
MAX_NAME, MAX_PATH = 255, 1024
"""Bytes of one name and of a whole path: what file systems allow, with room for the folder that a
farm unpacks into."""
_READABLE = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_METHODS = {1: "Shrink", 6: "Implode", 9: "Deflate64", 93: "Zstandard", 95: "XZ", 96: "JPEG", 97: "WavPack", 98: "PPMd"}
_UNICODE_PATH = 0x7075


def check_zip(name: str, file: IO[bytes], size: int) -> list[str]:
    """Check every file that is not litter, and read it to its end.

    Args:
        name: what the errors call the zip.
        file: the zip, open for reading.
        size: its bytes.

    Returns:
        What may be the scene: one file, unless no `.blend` stands above all others.

    Raises:
        RenderjuiceInputError: says what is wrong with it, and what to do.
    """
    with zipfile.ZipFile(BoundedFile(name, file)) as archive:
        return _check(name, archive, size)


def _check(name: str, archive: zipfile.ZipFile, size: int) -> list[str]:
    _check_no_overlap(name, archive)
    members = _members(name, archive)
    _check_size(name, list(members.values()), size)
    scenes = _scenes(name, [path for path in members if path.suffix.lower() == ".blend"])
    for path, member in members.items():
        _check_readable(name, path, member)
    for path, member in members.items():
        _read(name, archive, path, member)
    return [str(path) for path in scenes]


def member_name(member: zipfile.ZipInfo) -> str:
    """The name as its packer wrote it.

    `zipfile` reads a name without the UTF-8 flag as code page 437. macOS and many other packers
    write UTF-8 without the flag, and some write the name again in an extra field (Info-ZIP's
    Unicode path).
    """
    flagged = bool(member.flag_bits & 0x800)
    raw = member.orig_filename.encode("utf-8" if flagged else "cp437")
    for kind, content in _extra_fields(member.extra):
        if kind == _UNICODE_PATH and content[:5] == struct.pack("<BL", 1, zlib.crc32(raw)):
            return content[5:].decode()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return member.orig_filename


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, place)
        yield kind, extra[place + 4 : place + 4 + size]
        place += 4 + size


def _check_no_overlap(name: str, archive: zipfile.ZipFile) -> None:
    """Only zip bombs have bytes that belong to two members, and not every Python refuses them."""
    end = 0
    for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
        if member.header_offset < end:
            raise RenderjuiceInputError(f"{name} is damaged: members of it overlap. Pack it again.")
        end = member.header_offset + zipfile.sizeFileHeader + member.compress_size  # type: ignore[attr-defined]


def _members(name: str, archive: zipfile.ZipFile) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """The files that are not litter, by paths that stay inside the folder they are unpacked to."""
    members: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        inside = member_name(member)
        if inside.endswith("/") or is_litter(inside):
            continue
        if trouble := _trouble(inside, member):
            raise RenderjuiceInputError(f"{name}: {inside!r} inside it {trouble}.")
        path = PurePosixPath(inside)
        if path in members:
            raise RenderjuiceInputError(f"{name} holds {inside!r} twice. Pack it again from a folder.")
        members[path] = member
    if both := next((folder for folder in _folders(members) if folder in members), None):
        raise RenderjuiceInputError(f"{name} holds '{both}' as a file and as a folder. Pack it again from a folder.")
    return members


def _folders(paths: Iterable[PurePosixPath]) -> set[PurePosixPath]:
    folders: set[PurePosixPath] = set()
    for path in paths:
        folder = path.parent
        while folder not in folders and folder.name:
            folders.add(folder)
            folder = folder.parent
    return folders


def _check_size(name: str, members: Collection[zipfile.ZipInfo], size: int) -> None:
    """Check what the zip says of itself. Whether that is too little is seen while unpacking."""
    unpacked = sum(member.file_size for member in members)
    if len(members) > MAX_FILES or unpacked > MAX_UNPACKED:
        raise RenderjuiceInputError(
            f"{name} holds {len(members)} files of {unpacked / 1024**3:.1f} GiB; "
            f"at most {MAX_FILES} files of {MAX_UNPACKED // 1024**3} GiB are unpacked. Pack only what the scene needs."
        )
    if unpacked > FREE + MAX_RATIO * size:
        raise RenderjuiceInputError(
            f"{name} says that its {size:,} bytes unpack to {unpacked:,}, which no scene does. Pack only what the scene needs "
            f"(the limit is MAX_RATIO in {__name__})."
        )


def _trouble(inside: str, member: zipfile.ZipInfo) -> str | None:
    """Why a member cannot be unpacked where it belongs, and what to do."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    checks = {
        "has no name that a file can have. Rename it, and pack it again": "\0" in inside
        or not PurePosixPath(inside).name,
        "has backslashes in its name, where a zip has forward slashes. Pack it with another program, such as 7-Zip": (
            "\\" in inside
        ),
        "is an absolute path. Pack the project's folder, with paths relative to it": (
            inside.startswith("/") or re.match("[A-Za-z]:", inside) is not None
        ),
        "leads out of the zip. Make paths relative to a folder that holds all, and pack that": ".."
        in inside.split("/"),
        "is a link or a device, not a file. Pack the file itself": kind not in {0, stat.S_IFREG},
        f"is too long a path: at most {MAX_NAME} bytes a name and {MAX_PATH} in all. Use fewer or shorter folders": (
            len(inside.encode()) > MAX_PATH
            or any(len(part.encode()) > MAX_NAME for part in inside.split("/"))
            or inside.count("/") > MAX_FOLDERS
        ),
    }
    return next((trouble for trouble, found in checks.items() if found), None)


def _scenes(name: str, blends: list[PurePosixPath]) -> list[PurePosixPath]:
    """What may be the scene: the one `.blend` that stands above all others, which it links.

    Where none does, all that may be it.
    """
    if not blends:
        raise RenderjuiceInputError(f"{name} holds no .blend. Put the scene at the top of the zip, beside its assets.")
    top = min(blends, key=lambda path: len(path.parts))
    return sorted(path for path in blends if len(path.parts) == len(top.parts) or top.parent not in path.parents)


def _check_readable(name: str, path: PurePosixPath, member: zipfile.ZipInfo) -> None:
    if member.flag_bits & 0x1:
        raise RenderjuiceInputError(f"{name} is encrypted. Pack it again without a password.")
    if member.compress_type not in _READABLE:
        method = _METHODS.get(member.compress_type, f"method {member.compress_type}")
        raise RenderjuiceInputError(
            f"{name}: {path} inside it is compressed with {method}, which few programs read. Pack it again with Deflate, for "
            "example with 7-Zip (Windows Explorer takes Deflate64 for files of 2 GB and more)."
        )


def _read(name: str, archive: zipfile.ZipFile, path: PurePosixPath, member: zipfile.ZipInfo) -> None:
    try:
        start = tail = b""
        for piece in unpacked(archive, member):
            start = start if len(start) >= HEAD else (start + piece)[:HEAD]
            tail = (tail + piece)[-TAIL:]
    except (NotImplementedError, RuntimeError) as error:
        raise RenderjuiceInputError(
            f"{name}: {path} inside it cannot be read here ({error}). Pack it again with Deflate, without a password."
        ) from None
    except Exception as error:  # noqa: BLE001 - differs by Python and decompressor
        raise RenderjuiceInputError(
            f"{name} is damaged: {path} inside it cannot be read ({error}). Pack it again."
        ) from None
    if path.suffix.lower() == ".blend":
        if not is_blend(start):
            raise RenderjuiceInputError(f"{name}: {path} inside it is not a Blender file. Save it from Blender again.")
        if has_an_end(start) and not ends(start, tail, lambda: UnpackedFile(archive, member)):
            raise RenderjuiceInputError(f"{name}: {path} inside it was cut short. Save it from Blender again.")
