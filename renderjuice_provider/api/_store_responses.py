"""Responses of stores, as `http.client` reads them, but strict and within their time."""

from __future__ import annotations

import http.client
import io
import re
import socket
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from typing import Any

from renderjuice_provider.api._attempt import Breakable

_LOST_HEADERS = (MissingHeaderBodySeparatorDefect, FirstHeaderLineIsContinuationDefect)
"""What the standard library notes when it takes a line for the end of the headers."""
_LENGTH = re.compile(r"[0-9]{1,18}").fullmatch
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?\r?\n").fullmatch
_LONGEST_CHUNK_LINE = 1 << 16


def headers_of(response: http.client.HTTPResponse) -> dict[str, str]:
    """The headers, their names in lower case; what was sent twice is joined."""
    headers: dict[str, str] = {}
    for name, value in response.headers.raw_items():  # items() looks for bytes in each that are no text
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


class StoreResponse(http.client.HTTPResponse):
    """As `http.client`'s, read from a socket that its attempt bounds, and strict about its end.

    `http.client` reads over what it cannot make out of lengths, chunks and headers. A file that was
    cut off would then pass for whole.
    """

    def __init__(self, sock: socket.socket, *, current: Breakable, **options: Any) -> None:
        super().__init__(_Bounded(sock, current), **options)  # type: ignore[arg-type]

    def begin(self) -> None:
        """Read the head. Hints (1xx) may come before it."""
        super().begin()
        while 100 <= self.status < 200:
            self.headers = None  # type: ignore[assignment] # begin() then reads the next one
            super().begin()
        lengths = {length.strip() for each in self.headers.get_all("content-length", ()) for length in each.split(",")}
        if any(isinstance(defect, _LOST_HEADERS) for defect in self.headers.defects):
            raise http.client.HTTPException("the response has a malformed header")
        is_lost = bool(lengths) and self.length is None and not self.chunked
        if is_lost or len(lengths) > 1 or not all(map(_LENGTH, lengths)):
            raise http.client.HTTPException("the response has a malformed length")
        if "transfer-encoding" in self.headers and not self.chunked:
            raise http.client.HTTPException("the response comes in an encoding that is not known")

    def _read_next_chunk_size(self) -> int:
        line = self.fp.readline(_LONGEST_CHUNK_LINE)
        if not (found := _CHUNK_SIZE(line)):
            raise http.client.HTTPException("the response has a chunk without a length")
        return int(found[1], 16)


class _Bounded(io.RawIOBase):
    """What a socket receives, as long as its attempt has time left."""

    def __init__(self, sock: socket.socket, current: Breakable) -> None:
        super().__init__()
        self._socket = sock
        self._current = current
        # As long as this is open, a socket that is closed stays open, too: http.client closes a
        # connection that ends with a response before its body is read.
        self._raw = sock.makefile("rb", buffering=0)

    def makefile(self, _: str) -> io.BufferedReader:
        """What `http.client` asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._current.bound(self._socket)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
