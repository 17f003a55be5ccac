"""Compressed responses, unpacked piece by piece: bytes are counted as they come out.

httpx unpacks each piece that arrives as a whole, once for each coding that a response names, so
that two kilobytes that were packed twice become gigabytes. Here one coding is asked for, one is
accepted, and no step makes more than a piece.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

CODING = "gzip"
"""The coding that the API is asked for. Lists of jobs and signed URLs shrink to a tenth."""
PIECE = 1 << 20
"""Most bytes that come out at once."""


class Unpacker:
    """Unpacks one body.

    Args:
        headers: of the response.

    Raises:
        httpx.DecodingError: for a coding that was not asked for, or for several.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        codings = [name.strip().lower() for name in headers.get("content-encoding", "").split(",")]
        codings = [name for name in codings if name not in {"", "identity"}]
        if codings not in ([], ["gzip"], ["x-gzip"]):
            raise _failure(f"the body is compressed as {', '.join(codings)[:80]}, and one {CODING} at most is taken")
        self._zip = zlib.decompressobj(wbits=31) if codings else None
        self._begun = False

    def pieces(self, chunk: bytes | memoryview) -> Iterator[bytes | memoryview]:
        """The content of `chunk`, in pieces of at most `PIECE` bytes.

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
                raise _failure(f"the response's {CODING} is damaged ({error})") from None
            chunk = self._zip.unused_data if self._zip.eof else self._zip.unconsumed_tail
            yield piece

    def end(self) -> None:
        """Check that nothing is missing, after the last chunk.

        Raises:
            httpx.DecodingError: when the body was cut short.
        """
        if self._zip is not None and self._begun and not self._zip.eof:
            raise _failure(f"the response's {CODING} was cut short")


def _failure(message: str) -> Exception:
    import httpx

    return httpx.DecodingError(message)
