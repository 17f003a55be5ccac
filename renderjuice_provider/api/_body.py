"""The body of an answer, as far as anyone should read it: one that never ends would fill the memory.

Renderjuice's answers are JSON of some kilobytes; the list of a long shot's signed URLs has some megabytes.
"""

from __future__ import annotations

from io import BytesIO

LONGEST = 64 << 20
"""Bytes of an answer: 100,000 jobs, and room."""
LONGEST_LIST = 128 << 20
"""Bytes of a list of signed URLs: 100,000 frames with two URLs of 600 characters each."""


class Body:
    """Collects a body, and gives it up as lost when it is too long.

    Args:
        longest: bytes; `LONGEST` by default.
    """

    def __init__(self, longest: int | None = None) -> None:
        self._read = BytesIO()
        self._longest = LONGEST if longest is None else longest

    def add(self, piece: bytes) -> None:
        """One more piece.

        Raises:
            httpx.ReadError: as if the connection had failed.
        """
        if self._read.tell() + len(piece) > self._longest:
            import httpx

            raise httpx.ReadError(f"the answer is longer than {self._longest >> 20} MiB")
        self._read.write(piece)

    def __bytes__(self) -> bytes:
        return self._read.getvalue()  # without a copy
