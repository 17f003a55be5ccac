"""What a server compressed, unpacked piece by piece: bytes are counted as they come out.

httpx would unpack each piece that arrives whole, and do so once for each coding that an answer
names: two kilobytes that were packed twice are gigabytes. Here one coding is asked for, one is
taken, and no step makes more than a piece.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

CODING = "gzip"
"""What the API is asked for. Lists of jobs and of signed URLs shrink to a tenth by it."""
PIECE = 1 << 20
"""Bytes that come out at once, at most."""


class Unpacker:
    """Unpacks one body.

    Args:
        headers: of the answer.

    Raises:
        httpx.DecodingError: for a coding that nobody asked for, or several.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        codings = [name.strip().lower() for name in headers.get("content-encoding", "").split(",")]
        codings = [name for name in codings if name not in {"", "identity"}]
        if codings not in ([], ["gzip"], ["x-gzip"]):
            raise _failure(f"the answer is compressed as {', '.join(codings)[:80]}, and one {CODING} at most is taken")
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
            if self._zip.eof:  # another one may follow: gzip files can be joined
                self._zip = zlib.decompressobj(wbits=31)
            self._begun = True
            try:
                piece = self._zip.decompress(chunk, PIECE)
            except zlib.error as error:
                raise _failure(f"the answer's {CODING} is damaged ({error})") from None
            chunk = self._zip.unused_data if self._zip.eof else self._zip.unconsumed_tail
            yield piece

    def end(self) -> None:
        """No more is coming.

        Raises:
            httpx.DecodingError: when the end is missing: the body was cut short on its way.
        """
        if self._zip is not None and self._begun and not self._zip.eof:
            raise _failure(f"the answer's {CODING} was cut short")


def _failure(message: str) -> Exception:
    import httpx

    return httpx.DecodingError(message)
