"""How many pixels a picture says it has: a small file may unpack to an enormous one."""

from __future__ import annotations

import struct

_FRAME_OF_JPEG = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


def pixels_of(content: bytes) -> int:
    """Pixels of a PNG, JPEG or WebP; 0 where it does not say.

    Args:
        content: of the whole file.
    """
    width: int
    height: int
    try:
        if content.startswith(b"\x89PNG"):
            width, height = struct.unpack_from(">II", content, 16)
        elif content.startswith(b"\xff\xd8"):
            width, height = _of_jpeg(content)
        else:
            width, height = _of_webp(content)
    except (struct.error, IndexError):
        return 0
    return width * height


def _of_jpeg(content: bytes) -> tuple[int, int]:
    place = 2
    while True:
        while content[place] != 0xFF or content[place + 1] == 0xFF:
            place += 1
        kind = content[place + 1]
        if kind in _FRAME_OF_JPEG:
            height, width = struct.unpack_from(">HH", content, place + 5)
            return width, height
        place += 2 if kind in _WITHOUT_LENGTH else 2 + struct.unpack_from(">H", content, place + 2)[0]


def _of_webp(content: bytes) -> tuple[int, int]:
    kind = content[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        (width,), (height,) = (struct.unpack("<I", content[at : at + 3] + b"\0") for at in (24, 27))
        return width + 1, height + 1
    return 0, 0
