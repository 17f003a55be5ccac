"""Archives that are uploaded: unpacked with care, and searched for the scene."""

from __future__ import annotations

import bz2
import copy
import lzma
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from renderjuice_emulator.rendering import RenderFailedError

_MAX_UNPACKED = 64 << 30
_MAX_MEMBERS = 100_000
_MAX_PART, _MAX_PATH, _MAX_DEPTH = 255, 1024, 64
_MAX_DIRECTORY, _MAX_ENTRIES, _MAX_EXTRA = 32 << 20, 200_000, 4096
"""Of the list of members: bytes, members, and bytes that are added to one."""
_FREE, _MAX_RATIO = 64 << 20, 100
"""Bytes that any archive may unpack to, and how many times its own size is added. More is empty,
and would only fill the disk."""
_MAX_DICTIONARY = 64 << 20
_PIECE = 1 << 20
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}

_LITTER = re.compile(
    r"""__macosx | \._.* | \.ds_store | \.appledouble | \.lsoverride | \.apdisk | icon\r | \.fseventsd | \.spotlight-v100
    | \.temporaryitems | \.documentrevisions-v100 | \.volumeicon\.icns | \.com\.apple\.timemachine\.donotpresent
    | thumbs\.db | ehthumbs(_vista)?\.db | desktop\.ini | \$recycle\.bin | recycle[rd] | system\ volume\ information
    | lost\+found | \.directory | \.trash.* | \.nfs[0-9a-f]{8,} | \.fuse_hidden.* | \.~lock\..*\# | ~\$.*
    | @eadir | [\#@]recycle | \#snapshot | @recently-snapshot
    | .*\.blend(\d+|@)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
"""Names of files and folders that systems and programs leave behind, Blender's own backups among
them."""


def unpack(upload: Path, folder: Path) -> Path:
    """Unpack an archive into `folder`, and return the scene in it.

    Of several `.blend` the one nearest to the archive's root is taken, then the first by name.

    Raises:
        RenderFailedError: for a broken, encrypted or hostile archive, or one without a scene.
    """
    try:
        with upload.open("rb") as file, zipfile.ZipFile(_Listed(file)) as archive:
            _check_no_overlap(archive)
            members = _members(archive, min(_MAX_UNPACKED, _FREE + _MAX_RATIO * upload.stat().st_size))
            scene = _scene([path for path in members if path.suffix.lower() == ".blend"])
            for path, info in members.items():
                target = folder.joinpath(*path.parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file_here:
                    file_here.writelines(_content(archive, info))
    except RenderFailedError:
        raise
    except Exception as error:  # each Python, and each decompressor, raises what it likes
        raise RenderFailedError(f"the archive cannot be unpacked: {error}", "INVALID_ARCHIVE") from error
    return folder.joinpath(*scene.parts)


class _Listed:
    """The file of an archive, whose list of members is checked before `zipfile` reads it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable, self.close = file.seek, file.tell, file.seekable, file.close

    def read(self, size: int = -1) -> bytes:
        if size > _MAX_DIRECTORY:
            raise RenderFailedError("the archive's list of members is too long", "INVALID_ARCHIVE")
        content = self._file.read(size)
        place = entries = 0
        while content[place : place + 4] == b"PK\1\2" and len(content) >= place + 46:
            lengths = struct.unpack_from("<3H", content, place + 28)
            entries += 1
            if entries > _MAX_ENTRIES or lengths[1] > _MAX_EXTRA:
                raise RenderFailedError("the archive's list of members is too long", "INVALID_ARCHIVE")
            place += 46 + sum(lengths)
        return content


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """What a member holds, unpacked a piece at a time and no further than its archive says."""
    size = crc = 0
    for piece in _unpacked(archive, info):
        size, crc = size + len(piece), zlib.crc32(piece, crc)
        if size > info.file_size:
            break
        yield piece
    if size != info.file_size or crc != info.CRC:
        raise zipfile.BadZipFile(f"{info.filename!r} is not what the archive says")


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    # Read as if it were stored, for `zipfile` unpacks some methods without a bound.
    raw = copy.copy(info)
    raw.compress_type, raw.file_size = zipfile.ZIP_STORED, info.compress_size
    del raw.CRC
    with archive.open(raw) as file:
        if info.compress_type == zipfile.ZIP_STORED:
            yield from iter(lambda: file.read(_PIECE), b"")
            return
        if info.compress_type == zipfile.ZIP_DEFLATED:
            inflater, rest = zlib.decompressobj(-zlib.MAX_WBITS), b""
            while not inflater.eof and (rest := inflater.unconsumed_tail or file.read(_PIECE)):
                yield inflater.decompress(rest, _PIECE)
            return
        unpacker: Any = bz2.BZ2Decompressor() if info.compress_type == zipfile.ZIP_BZIP2 else _lzma(file.read(9))
        while not unpacker.eof:
            packed = file.read(_PIECE) if unpacker.needs_input else b""
            if not packed and unpacker.needs_input:
                return
            yield unpacker.decompress(packed, _PIECE)


def _lzma(head: bytes) -> lzma.LZMADecompressor:
    dictionary = int.from_bytes(head[5:], "little")
    if head[2:4] != b"\5\0" or dictionary > _MAX_DICTIONARY:
        raise zipfile.BadZipFile("an LZMA header is damaged, or asks for too much memory")
    properties = {"lc": head[4] % 9, "lp": head[4] // 9 % 5, "pb": head[4] // 45, "dict_size": max(dictionary, 4096)}
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, **properties}])


def safe_name(name: str) -> str:
    """A client's name of a `.blend` as a file name here; empty where it cannot be one."""
    last = re.split(r"[/\\]", name)[-1]
    try:
        fits = "\0" not in last and len(last.encode()) <= _MAX_PART
    except UnicodeEncodeError:  # half a surrogate, which JSON can say and no file system take
        return ""
    return last if fits and last.lower().endswith(".blend") else ""


def _check_no_overlap(archive: zipfile.ZipFile) -> None:
    ends = 0
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        if info.header_offset < ends:
            raise RenderFailedError("members of the archive overlap", "INVALID_ARCHIVE")
        ends = info.header_offset + 30 + info.compress_size  # 30: what a local header has at least


def _members(archive: zipfile.ZipFile, most: int) -> dict[PurePosixPath, zipfile.ZipInfo]:
    members: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = _name(info)
        if name.endswith("/") or any(_LITTER.fullmatch(part) for part in name.split("/")):
            continue
        _check_safe(name, info)
        path = PurePosixPath(name)
        if path in members:
            raise RenderFailedError(f"the archive holds {name!r} twice", "INVALID_ARCHIVE")
        members[path] = info
    folders: set[PurePosixPath] = set()
    for path in members:
        while (path := path.parent) not in folders and path.name:
            folders.add(path)
    if not folders.isdisjoint(members):
        raise RenderFailedError("the archive holds a file where it also holds a folder", "INVALID_ARCHIVE")
    if len(members) > _MAX_MEMBERS or sum(info.file_size for info in members.values()) > most:
        raise RenderFailedError("the archive is too large when unpacked", "INVALID_ARCHIVE")
    return members


def _name(info: zipfile.ZipInfo) -> str:
    """As the packer wrote it.

    Many write UTF-8 without the flag for it, which `zipfile` reads as code page 437.
    """
    raw = info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")
    rest = info.extra  # short: see _MAX_EXTRA
    while len(rest) >= 4:
        kind, size = int.from_bytes(rest[:2], "little"), int.from_bytes(rest[2:4], "little")
        field, rest = rest[4 : 4 + size], rest[4 + size :]
        # Info-ZIP's Unicode path: version, checksum of the name that it stands for, the name.
        if kind == 0x7075 and field[:1] == b"\1" and int.from_bytes(field[1:5], "little") == zlib.crc32(raw):
            return field[5:].decode()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return info.orig_filename


def _check_safe(name: str, info: zipfile.ZipInfo) -> None:
    path = PurePosixPath(name)
    unsafe = path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", name) or "\\" in name or "\0" in name
    if unsafe or not path.name:
        raise RenderFailedError(f"the archive holds an unsafe name {name!r}", "INVALID_ARCHIVE")
    if (
        len(name.encode()) > _MAX_PATH
        or any(len(part.encode()) > _MAX_PART for part in path.parts)
        or name.count("/") > _MAX_DEPTH
    ):
        raise RenderFailedError(f"the archive holds a name that is too long, {name[:80]!r}...", "INVALID_ARCHIVE")
    if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG}:
        raise RenderFailedError(f"the archive holds {name!r}, a symbolic link or a device", "INVALID_ARCHIVE")
    if info.compress_type not in _METHODS or info.flag_bits & 1:
        raise RenderFailedError(f"the archive is encrypted, or compresses {name!r} like few do", "INVALID_ARCHIVE")


def several_scenes(folder: Path) -> list[str]:
    """What may be the scene of the archive unpacked into `folder`; empty without a doubt."""
    blends = [PurePosixPath(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix.lower() == ".blend"]
    top = _scene(blends)
    rivals = [path for path in blends if len(path.parts) == len(top.parts) or top.parent not in path.parents]
    return sorted(map(str, rivals)) if len(rivals) > 1 else []


def _scene(blends: list[PurePosixPath]) -> PurePosixPath:
    if not blends:
        raise RenderFailedError("the archive holds no .blend", "NO_SCENE_FILE")
    return min(blends, key=lambda path: (len(path.parts), path))
