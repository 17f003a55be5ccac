"""What goes wrong with renders by chance, and yet the same each time.

Of the frames that a job renders, a share is dropped: rendered, billed, and never seen. A share is
damaged: its file is served as it is on the disk, and what reads it to its last byte notices. A
share is spoilt: its file can be read, and its picture is black, half black, or noise. And a share
of jobs fails midway: its frames so far are there and billed.

Chance is a seed here. What becomes of a frame depends on the seed, on the scene (its name and its
bytes), on how often that scene was rendered before, and on the frame; never on time, or on which
job came first. So a night can be repeated, and a second job for the same frame has new luck.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

EXAMPLE = "drop=5% damage=1% fail=3% seed=7"
_WORD = re.compile(r"(drop|damage|spoil|fail)=(\d{1,3}(?:\.\d{1,6})?)%|(seed)=(\d{1,18})", re.ASCII)
_PNG = b"\x89PNG\r\n\x1a\n"
_GARBAGE = 16
"""Bytes in the middle of a file."""


@dataclass(frozen=True)
class RenderMishaps:
    """What goes wrong with one render."""

    dropped: frozenset[int] = frozenset()
    """Frames that are rendered, and not among the outputs."""
    damaged: frozenset[int] = frozenset()
    """Frames whose files are damaged."""
    never_rendered: frozenset[int] = frozenset()
    """Frames to which a job that fails does not come."""
    spoilt: frozenset[int] = frozenset()
    """Frames whose pictures are wrong."""


@dataclass(frozen=True)
class Mishaps:
    """How much goes wrong: shares from 0 to 1.

    `drop`, `damage` and `spoil` are shares of the frames, `fail` of the jobs.
    """

    drop: float = 0.0
    damage: float = 0.0
    fail: float = 0.0
    seed: int = 0
    spoil: float = 0.0

    @staticmethod
    def parse(text: str) -> Mishaps:
        """Read such as `drop=5% damage=1% fail=3% seed=7`; what is not given is 0.

        Raises:
            ValueError: the text is something else, or has more than all frames go wrong.
        """
        values: dict[str, float] = {}
        for word in text.split():
            match = _WORD.fullmatch(word)
            name = match and (match[1] or match[3])
            if not match or not name or name in values:
                raise ValueError(f"{text[:80]!r} are not mishaps: they are written like {EXAMPLE!r}")
            values[name] = float(match[2]) / 100 if match[1] else int(match[4])
        mishaps = Mishaps(**values)  # type: ignore[arg-type]  # a seed is an int
        if mishaps.drop + mishaps.damage + mishaps.spoil > 1 or mishaps.fail > 1:
            raise ValueError(f"{text[:80]!r}: there are not more than 100% of anything")
        return mishaps

    def of_render(self, scene: str, earlier: int, frames: Sequence[int], lost_at: int | None = None) -> RenderMishaps:
        """What goes wrong with a render.

        Args:
            scene: what identifies the scene.
            earlier: how many renders of this scene were started before.
            frames: all frames of the order, ascending.
            lost_at: the frame at which it fails for certain, whatever the seed says.
        """
        rolls = {frame: Random(f"{self.seed} {scene} {earlier} {frame}").random() for frame in frames}  # noqa: S311
        job = Random(f"{self.seed} {scene} {earlier}")  # noqa: S311 - nothing is secret here
        rendered = len(frames)
        if job.random() < self.fail:
            rendered = job.randrange(min(1, rendered - 1), rendered)
        if lost_at is not None and lost_at in frames:
            rendered = frames.index(lost_at)

        def between(low: float, share: float) -> frozenset[int]:
            return frozenset(frame for frame, roll in rolls.items() if low <= roll < low + share)

        return RenderMishaps(
            between(0.0, self.drop),
            between(self.drop, self.damage),
            frozenset(frames[rendered:]),
            between(self.drop + self.damage, self.spoil),
        )


def damage(path: Path) -> None:
    """Damage an image: garbage in the middle, or, for every second one, an early end.

    Only a PNG has checksums by which garbage is noticed. Files of other formats end early.
    """
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    if path.suffix == ".png" and sum(content) % 2:
        for place in range(middle, min(middle + _GARBAGE, len(content))):
            content[place] ^= 0xFF
    else:
        del content[middle:]
    path.write_bytes(content)


def spoil(path: Path) -> None:
    """Make the picture of a PNG black, half black, or noise; it stays a whole file of its size.

    Files of other formats stay as they are.
    """
    content = path.read_bytes()
    if not content.startswith(_PNG):
        return
    chunks = list(_chunks(content))
    width, height, depth, colors = struct.unpack(">IIBB", chunks[0][1][:10])
    line = (width * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colors] + 7) // 8
    kind = zlib.crc32(content) % 3
    if kind == 2:
        rows = Random(content).randbytes(line * height)  # noqa: S311
        lines = b"".join(b"\0" + rows[line * y : line * (y + 1)] for y in range(height))
    else:
        # A line may be written as the difference to the one above it, and to none below it.
        kept = (height // 2 if kind else 0) * (line + 1)
        lines = zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT"))[:kept]
        lines += bytes(height * (line + 1) - kept)
    others = [chunk for chunk in chunks if chunk[0] not in {b"IDAT", b"IEND"}]
    written = [*others, (b"IDAT", zlib.compress(lines, 1)), (b"IEND", b"")]
    path.write_bytes(_PNG + b"".join(map(_chunk, written)))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_PNG)
    while place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        place += length + 12


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    name, data = chunk
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
