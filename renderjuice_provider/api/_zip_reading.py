"""Reading a zip from people in bounded memory and time.

`zipfile` reads a directory of any length at once, and unpacks bzip2 and LZMA without a limit, so
that two kilobytes become gigabytes. Here sizes are compared before anything is read, and bytes are
counted as they come out.
"""

from __future__ import annotations

import bz2
import copy
import lzma
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterator
from typing import IO, Any, Self

from renderjuice_provider.api.errors import RenderjuiceInputError

MAX_ENTRIES = 200_000
"""Files, folders and litter in a directory. Each takes half a kilobyte of memory here."""
MAX_DIRECTORY = 32 << 20
"""Bytes of a directory: 200,000 entries with names of 100 characters."""
MAX_EXTRA = 4096
"""Bytes that a packer adds to one entry. Times, owners and the name again are some hundreds.
`zipfile` takes a time that grows with the square of it."""
MAX_DICTIONARY = 64 << 20
"""Bytes of memory that one LZMA member may ask for: 7-Zip's highest preset has 64 MB."""
PIECE = 1 << 20
_HEADER = struct.Struct("<4s24x3H12x")
"""An entry of the directory: its signature, and the lengths of name, extra fields and comment."""


class BoundedFile:
    """A zip as `zipfile` reads it. A directory that is too large is refused before it is parsed."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name = name
        self._file = file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def seekable(self) -> bool:
        """Always, as `zipfile` needs it."""
        return True

    def read(self, size: int = -1) -> bytes:
        """As `io.RawIOBase.read`.

        Raises:
            RenderjuiceInputError: for a directory that is too large.
        """
        if size > MAX_DIRECTORY:
            raise self._too_much(f"a directory of {size >> 20} MiB", "MAX_DIRECTORY")
        content = self._file.read(size)
        if content.startswith(b"PK\1\2"):
            self._check_directory(content)
        return content

    def _check_directory(self, content: bytes) -> None:
        place = entries = 0
        while place + _HEADER.size <= len(content):
            mark, name, extra, comment = _HEADER.unpack_from(content, place)
            if mark != b"PK\1\2":
                return
            entries += 1
            if entries > MAX_ENTRIES:
                raise self._too_much(f"more than {MAX_ENTRIES} entries", "MAX_ENTRIES")
            if extra > MAX_EXTRA:
                raise self._too_much(f"an entry with {extra} bytes of extra fields", "MAX_EXTRA")
            place += _HEADER.size + name + extra + comment

    def _too_much(self, what: str, limit: str) -> RenderjuiceInputError:
        return RenderjuiceInputError(
            f"{self._name} has {what}. Pack only what the scene needs (the limit is {limit} in {__name__})."
        )


def unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Generator[bytes, None, None]:
    """The content of a member, in pieces of at most `PIECE` bytes.

    Raises:
        zipfile.BadZipFile: when it is longer or shorter than its zip says, or damaged.
        ValueError, OSError, zlib.error, lzma.LZMAError, EOFError: depending on the decompressor.
    """
    size = crc = 0
    for piece in _pieces(archive, member):
        size, crc = size + len(piece), zlib.crc32(piece, crc)
        if size > member.file_size:
            break
        yield piece
    if size != member.file_size:
        more = "more" if size > member.file_size else "less"
        raise zipfile.BadZipFile(f"it unpacks to {more} than the {member.file_size} bytes that the zip says")
    if crc != member.CRC:
        raise zipfile.BadZipFile("its checksum is wrong")


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    packed = copy.copy(member)  # as a stored file, so that `zipfile` returns the packed bytes
    packed.compress_type, packed.file_size = zipfile.ZIP_STORED, member.compress_size
    del packed.CRC
    with archive.open(packed) as file:
        if member.compress_type == zipfile.ZIP_STORED:
            while chunk := file.read(PIECE):
                yield chunk
        elif member.compress_type == zipfile.ZIP_DEFLATED:
            yield from _inflate(file)
        else:
            yield from _decompress(
                file, bz2.BZ2Decompressor() if member.compress_type == zipfile.ZIP_BZIP2 else _lzma(file)
            )


def _inflate(file: IO[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    while not unpacker.eof and (chunk := unpacker.unconsumed_tail or file.read(_PACKED)):
        yield unpacker.decompress(chunk, PIECE)


def _decompress(file: IO[bytes], unpacker: Any) -> Iterator[bytes]:
    while not unpacker.eof:
        chunk = file.read(_PACKED) if unpacker.needs_input else b""
        if unpacker.needs_input and not chunk:
            return
        yield unpacker.decompress(chunk, PIECE)


_PACKED = 1 << 16


def _lzma(file: IO[bytes]) -> lzma.LZMADecompressor:
    """From a zip's LZMA header: version (2 bytes), length (2), properties (1), dictionary (4)."""
    head = file.read(9)
    if len(head) < 9 or head[2:4] != b"\5\0":
        raise zipfile.BadZipFile("its LZMA header is damaged")
    rest, dictionary = head[4], int.from_bytes(head[5:], "little")
    if dictionary > MAX_DICTIONARY:
        raise ValueError(f"it asks for {dictionary >> 20} MiB of memory; the limit is MAX_DICTIONARY in {__name__}")
    filters = {"id": lzma.FILTER_LZMA1, "dict_size": max(dictionary, 4096)}
    filters |= {"lc": rest % 9, "lp": rest // 9 % 5, "pb": rest // 45}
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filters])


class UnpackedFile:
    """A member to read and to seek in: forwards, and a few bytes backwards."""

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        self._pieces = unpacked(archive, member)
        self._held = b""
        self._begins = self._place = 0

    def seek(self, place: int) -> None:
        """Go to this byte."""
        self._place = place

    def read(self, size: int) -> bytes:
        """As `io.RawIOBase.read`."""
        while self._begins + len(self._held) < self._place + size and (piece := next(self._pieces, b"")):
            dropped = max(0, min(len(self._held), self._place - self._begins - _BACKWARDS))
            self._held = self._held[dropped:] + piece
            self._begins += dropped
        start = self._place - self._begins
        content = self._held[start : start + size]
        self._place += len(content)
        return content

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pieces.close()


_BACKWARDS = 16
