"""The body of an answer, as far as anyone should read it.

A time-out counts the seconds between two bytes, so an answer that drips would last for ever, and one that never ends would fill the
memory. Renderjuice's answers are JSON of some kilobytes; the list of a long shot's signed URLs has some megabytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST = 256 << 20
"""Bytes: the signed URLs of 100,000 frames, and room."""
PATIENCE = 4.0
"""Times the time-out: seconds that a whole body may take."""


class Body:
    """Collects a body, and gives it up as lost when it is too long or takes too long.

    Args:
        timeout: seconds between two bytes that the connection allows.
        clock: in seconds.
    """

    def __init__(self, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = bytearray()
        self._seconds = PATIENCE * timeout
        self._clock = clock
        self._end = clock() + self._seconds

    def add(self, chunk: bytes) -> None:
        """One more piece.

        Raises:
            httpx.ReadError, httpx.ReadTimeout: as if the connection had failed.
        """
        import httpx

        if len(self._read) + len(chunk) > LONGEST:
            raise httpx.ReadError(f"the answer is longer than {LONGEST >> 20} MiB")
        if self._clock() > self._end:
            raise httpx.ReadTimeout(f"the answer did not end within {self._seconds:.0f} s")
        self._read += chunk

    def __bytes__(self) -> bytes:
        return bytes(self._read)
