"""Unpacks compressed responses piece by piece, so that bytes are counted as they come out.

httpx would unpack each chunk at once, and once more for each coding that a response names: two
kilobytes that were packed twice become gigabytes. Here only one coding is asked for and accepted,
and no step makes more than one piece.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

CODING = "gzip"
"""The coding that the API is asked for. It shrinks lists of jobs and of signed URLs to a tenth."""
PIECE = 1 << 20
"""The largest number of bytes that come out at once."""


class Unpacker:
    """Unpacks one body.

    Args:
        headers: of the response.

    Raises:
        httpx.DecodingError: for a coding that was not asked for, or several.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        codings = [name.strip().lower() for name in headers.get("content-encoding", "").split(",")]
        codings = [name for name in codings if name not in {"", "identity"}]
        if codings not in ([], ["gzip"], ["x-gzip"]):
            raise _failure(
                f"the response is compressed as {', '.join(codings)[:80]}, and only one {CODING} is accepted"
            )
        self._zip = zlib.decompressobj(wbits=31) if codings else None
        self._begun = False

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What `chunk` holds, in pieces of `PIECE` bytes at most.

        Raises:
            httpx.DecodingError: when it is damaged.
        """
        if self._zip is None:
            yield chunk
            return
        while chunk:
            if self._zip.eof:  # another gzip may follow: they can be joined
                self._zip = zlib.decompressobj(wbits=31)
            self._begun = True
            try:
                piece = self._zip.decompress(chunk, PIECE)
            except zlib.error as error:
                raise _failure(f"the response's {CODING} is damaged ({error})") from None
            chunk = self._zip.unused_data if self._zip.eof else self._zip.unconsumed_tail
            yield piece

    def end(self) -> None:
        """Check that it is complete, after the last chunk.

        Raises:
            httpx.DecodingError: when the end is missing: the body was cut short on its way.
        """
        if self._zip is not None and self._begun and not self._zip.eof:
            raise _failure(f"the response's {CODING} was cut short")


def _failure(message: str) -> Exception:
    import httpx

    return httpx.DecodingError(message)
