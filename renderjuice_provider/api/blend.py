"""What can be told of a `.blend` by its first and last bytes, without Blender."""

from __future__ import annotations

import re
import zlib

HEAD, TAIL = 512, 64
"""Bytes that are looked at."""
_PLAIN, _GZIP, _ZSTD = b"BLENDER", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_FIRST_BLOCK = re.compile(rb"BLENDER([-_][vV]\d{3}|\d\d-\d\dv\d{4})REND")
_LAST_BLOCK = b"ENDB"


def is_blend(start: bytes) -> bool:
    """Whether a file that begins like this may be one of Blender's: plain, gzip (before 3.0) or zstd."""
    if start.startswith(_GZIP):
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, len(_PLAIN))
        except zlib.error:
            return False
    # Inside a zstd frame only a decompressor could look; Blender has written its compressed files like that since 3.0.
    return start.startswith((_PLAIN, _ZSTD))


def has_an_end(start: bytes) -> bool:
    """Whether a file that begins like this is one that Blender closes with a block of its own: one that is not compressed."""
    return _FIRST_BLOCK.match(start) is not None


def ends(tail: bytes) -> bool:
    """Whether that block is there."""
    return _LAST_BLOCK in tail[-TAIL:]
