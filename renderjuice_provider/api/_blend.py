"""What can be known of a `.blend` without Blender: whether it is one, and whether it is whole."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

HEAD, TAIL = 512, 64
"""Bytes of its beginning and of its end that are read."""
_PLAIN, _GZIP, _ZSTD = b"BLENDER", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_FIRST_BLOCK = re.compile(rb"BLENDER([-_][vV]\d{3}|\d\d-\d\dv\d{4})REND")
_LAST_BLOCK = b"ENDB"
_SEEK_TABLE = b"\xb1\xea\x92\x8f"
"""Blender ends compressed files with this."""
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
_RLE = 1
_MOST_BLOCKS = 500_000
"""Blocks that are read, at up to 128 KiB each: 60 GiB of scene. Files of many small blocks are not
read to their end, which takes time."""


def is_blend(start: bytes) -> bool:
    """Whether a file with this start may be Blender's: plain, gzip (before 3.0) or zstd."""
    if start.startswith(_GZIP):
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, len(_PLAIN))
        except zlib.error:
            return False
    # Blender has compressed with zstd since 3.0. What is inside, only a decompressor could see.
    return start.startswith((_PLAIN, _ZSTD))


def has_an_end(start: bytes) -> bool:
    """Whether it is known how a file with this start ends."""
    # A zstd frame without its size was streamed by another program than Blender, and may end in any
    # way.
    return _FIRST_BLOCK.match(start) is not None or (start.startswith(_ZSTD) and start[4:5] > b"\x1f")


def ends(start: bytes, tail: bytes, reopen: Callable[[], AbstractContextManager[Any]]) -> bool:
    """Whether a file that `has_an_end` is there to its end, and was not cut short by a copy.

    Args:
        start: its first `HEAD` bytes, or more.
        tail: its last `TAIL` bytes, or more.
        reopen: opens it again. Only needed for what another program compressed, which has no mark
            at its end.
    """
    if not start.startswith(_ZSTD):
        return _LAST_BLOCK in tail[-TAIL:]
    if tail.endswith(_SEEK_TABLE):
        return True
    with reopen() as file:
        return _zstd_ends(file)


def _zstd_ends(file: Any) -> bool:
    """Whether every frame has its last block, going from header to header (RFC 8878, section 3)."""
    place = blocks = 0
    while blocks < _MOST_BLOCKS and (magic := _read(file, place, 8)):
        blocks += 1
        if _SKIPPABLE.match(magic):
            place += 8 + int.from_bytes(magic[4:8], "little")
        elif not magic.startswith(_ZSTD) or len(magic) < 5:
            return False
        else:
            descriptor = magic[4]
            one_segment, checksum = descriptor >> 5 & 1, descriptor >> 2 & 1
            place += 5 + (0, 1, 2, 4)[descriptor & 3] + (one_segment, 2, 4, 8)[descriptor >> 6] + (1 - one_segment)
            last = False
            while not last:
                blocks += 1
                if blocks > _MOST_BLOCKS:
                    return True
                if len(header := _read(file, place, 3)) < 3:
                    return False
                block = int.from_bytes(header, "little")
                last = bool(block & 1)
                place += 3 + (1 if block >> 1 & 3 == _RLE else block >> 3)
            place += 4 * checksum
        if not _read(file, place - 1, 1):
            return False
    return True


def _read(file: Any, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)  # type: ignore[no-any-return]
