"""Small writers of valid images, with nothing but the standard library.

Each takes rows of 8-bit RGBA pixels and writes them in the format, colour mode and depth that was
asked for. Values are written as they are: no colour management.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

Row = bytes
"""One line of an image, four bytes (red, green, blue, alpha) a pixel."""

_CHANNELS = {"BW": 1, "RGB": 3, "RGBA": 4}


@dataclass(frozen=True)
class ImageFormat:
    """How a format is written: its file extension, what it can hold, and its encoder."""

    extension: str
    color_modes: frozenset[str]
    color_depths: tuple[str, ...]
    """The first is the default."""
    encode: Callable[[Sequence[Row], str, str], bytes]

    @property
    def default_color_mode(self) -> str:
        """The richest mode that the format can hold."""
        return "RGBA" if "RGBA" in self.color_modes else "RGB"


def _png(rows: Sequence[Row], color_mode: str, depth: str) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    color_type = {"BW": 0, "RGB": 2, "RGBA": 6}[color_mode]
    header = struct.pack(">IIBBBBB", len(rows[0]) // 4, len(rows), int(depth), color_type, 0, 0, 0)
    packer = zlib.compressobj(1)
    data = b""
    for row, same in groupby(rows):
        samples = _samples(row, color_mode, wide=depth == "16")
        # Filter 0 is the line itself, filter 2 the difference to the line above.
        data += packer.compress(b"\0" + samples + (b"\2" + bytes(len(samples))) * (len(list(same)) - 1))
    data += packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _tiff(rows: Sequence[Row], color_mode: str, depth: str) -> bytes:
    channels, bits = _CHANNELS[color_mode], int(depth)
    width, height = len(rows[0]) // 4, len(rows)
    data = b"".join(_samples(row, color_mode, wide=bits == 16) * len(list(same)) for row, same in groupby(rows))
    short, long = 3, 4
    entries = [
        (256, long, 1, width),
        (257, long, 1, height),
        (258, short, 1, bits) if channels == 1 else (258, short, channels, -1),
        (259, short, 1, 1),
        (262, short, 1, 1 if channels == 1 else 2),
        (273, long, 1, -2),
        (277, short, 1, channels),
        (278, long, 1, height),
        (279, long, 1, len(data)),
    ]
    if channels == 4:
        entries.append((338, short, 1, 1))
    bits_at = 8 + 2 + 12 * len(entries) + 4
    data_at = bits_at + 2 * channels
    places = {-1: bits_at, -2: data_at}
    directory = b"".join(struct.pack("<HHII", *entry[:3], places.get(entry[3], entry[3])) for entry in entries)
    head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(entries)) + directory + struct.pack("<I", 0)
    return head + struct.pack(f"<{channels}H", *[bits] * channels) + data


def _exr(rows: Sequence[Row], color_mode: str, depth: str) -> bytes:
    width, height = len(rows[0]) // 4, len(rows)
    letter, pixel_type = ("e", 1) if depth == "16" else ("f", 2)
    # OpenEXR stores channels in the order of their names.
    channels = {"BW": [("Y", 1)], "RGB": [("B", 2), ("G", 1), ("R", 0)]}.get(
        color_mode, [("A", 3), ("B", 2), ("G", 1), ("R", 0)]
    )

    def attribute(name: str, kind: str, value: bytes) -> bytes:
        return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<I", len(value)) + value

    listing = b"".join(struct.pack("<2sIIII", name.encode(), pixel_type, 0, 1, 1) for name, _ in channels)
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    header = b"".join(
        (
            struct.pack("<II", 20000630, 2),
            attribute("channels", "chlist", listing + b"\0"),
            attribute("compression", "compression", b"\0"),
            attribute("dataWindow", "box2i", window),
            attribute("displayWindow", "box2i", window),
            attribute("lineOrder", "lineOrder", b"\0"),
            attribute("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
            attribute("screenWindowCenter", "v2f", struct.pack("<2f", 0.0, 0.0)),
            attribute("screenWindowWidth", "float", struct.pack("<f", 1.0)),
            b"\0",
        )
    )
    one = [struct.pack(f"<{letter}", value / 255) for value in range(256)]
    lines: list[bytes] = []
    for row, same in groupby(rows):
        line = b"".join(b"".join(one[value] for value in row[index::4]) for _, index in channels)
        lines += [line] * len(list(same))
    first = len(header) + 8 * height
    stride = 8 + len(lines[0])
    offsets = struct.pack(f"<{height}Q", *range(first, first + stride * height, stride))
    blocks = b"".join(struct.pack("<iI", y, len(line)) + line for y, line in enumerate(lines))
    return header + offsets + blocks


def _jpeg(rows: Sequence[Row], color_mode: str, _depth: str) -> bytes:
    """A baseline JPEG of flat 8 by 8 blocks: only the first pixel of each is coded."""
    width, height = len(rows[0]) // 4, len(rows)
    components = _CHANNELS[color_mode]

    def segment(mark: int, data: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, mark, len(data) + 2) + data

    # Quantisation by 8 makes the coded value of a flat block its level itself, from -128 to 127.
    frame = struct.pack(">BHHB", 8, height, width, components)
    frame += b"".join(bytes((index + 1, 0x11, 0)) for index in range(components))
    # Code tables: twelve sizes of a difference in four bits each; of everything else only "end of
    # block", as bit 0.
    sizes = bytes((0, 0, 0, 12)) + bytes(12) + bytes(range(12))
    end = bytes((1, *[0] * 15, 0))
    scan = bytes((components, *(byte for index in range(components) for byte in (index + 1, 0)), 0, 63, 0))
    bits = _jpeg_bits(rows, components)
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    return b"".join(
        (
            b"\xff\xd8",
            segment(0xDB, b"\0" + bytes([8] * 64)),
            segment(0xC0, frame),
            segment(0xC4, b"\0" + sizes),
            segment(0xC4, b"\x10" + end),
            segment(0xDA, scan),
            data,
            b"\xff\xd9",
        )
    )


def _jpeg_bits(rows: Sequence[Row], components: int) -> str:
    last = [0] * components
    bits: list[str] = []
    for row in rows[::8]:
        for x in range(0, len(row), 32):
            red, green, blue = row[x : x + 3]
            luma = 0.299 * red + 0.587 * green + 0.114 * blue
            levels = [round(luma) - 128, round((blue - luma) * 0.564), round((red - luma) * 0.713)]
            for index in range(components):
                level = min(127, max(-128, levels[index]))
                difference, last[index] = level - last[index], level
                size = abs(difference).bit_length()
                # A negative difference is coded as its ones' complement.
                value = difference if difference > 0 else difference + (1 << size) - 1
                bits.append(f"{size:04b}" + (f"{value:0{size}b}" if size else "") + "0")
    return "".join(bits)


def _samples(row: Row, color_mode: str, *, wide: bool) -> bytes:
    """The samples of one line; for BW the green channel, most of what the eye calls bright."""
    if color_mode == "RGB":
        samples = bytearray(len(row) // 4 * 3)
        samples[0::3], samples[1::3], samples[2::3] = row[0::4], row[1::4], row[2::4]
    elif color_mode == "BW":
        samples = bytearray(row[1::4])
    else:
        samples = bytearray(row)
    if not wide:
        return bytes(samples)
    # A byte repeated is the same level in 16 bits, in either byte order.
    doubled = bytearray(2 * len(samples))
    doubled[0::2] = doubled[1::2] = samples
    return bytes(doubled)


FORMATS: dict[str, ImageFormat] = {
    "PNG": ImageFormat("png", frozenset({"BW", "RGB", "RGBA"}), ("8", "16"), _png),
    "JPEG": ImageFormat("jpg", frozenset({"BW", "RGB"}), ("8",), _jpeg),
    "TIFF": ImageFormat("tif", frozenset({"BW", "RGB", "RGBA"}), ("8", "16"), _tiff),
    "OPEN_EXR": ImageFormat("exr", frozenset({"BW", "RGB", "RGBA"}), ("16", "32"), _exr),
}
"""What the fast renderer writes, by Blender's names."""
