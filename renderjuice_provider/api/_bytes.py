"""The bytes of files, between this disk and a store: one loop for both wires, and it blocks.

A file is received into a buffer that is used again and again, hashed and written, all in the thread
of its lane. For each byte, httpx takes four times the processor time of that.
"""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Mapping

import httpx  # noqa: TID253 - only the wires import this module

from renderjuice_provider.api._attempt import ENOUGH, PATIENCE, Body, Breakable
from renderjuice_provider.api._flow import FetchFile, NoResponse, PutFile, Received, Response
from renderjuice_provider.api._partial_file import PartialFileWriter
from renderjuice_provider.api._store_connections import Connections
from renderjuice_provider.api._store_responses import headers_of
from renderjuice_provider.api._unpacking import Unpacker
from renderjuice_provider.api._wire import TRANSPORT_ERRORS, WHOLE_FILE, no_response

CHUNK = 1 << 18
"""Bytes that are received, hashed and written at once. More is no faster, and every lane has its
own."""
PIECE_OF_FILE = 206
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Stores:
    """Sends files to stores, and fetches files from them. Several threads may share it.

    Args:
        timeout: of the client, in seconds.
        base_url: of the API.
    """

    def __init__(self, timeout: float, base_url: str) -> None:
        self._timeout = timeout
        self._connections = Connections(timeout, base_url)
        self._lanes = threading.local()

    def put(self, step: PutFile, current: Breakable) -> Response | NoResponse:
        """Perform `step`."""
        # Without a length, the transfer would be chunked, which presigned URLs refuse.
        headers = {"Content-Length": str(step.scene.size)}
        try:
            with self._connections.request("PUT", step.url, headers, current) as exchange:
                exchange.end_headers()
                chunks = step.scene.chunks()
                while True:
                    with current.stopped():
                        chunk = next(chunks, b"")
                    if not chunk or not exchange.send(chunk):
                        break
                    current.moved(len(chunk))
                current.moved(ENOUGH)  # a store may take minutes to acknowledge the last byte
                response = exchange.response()
                return self._read(response, current)
        except TRANSPORT_ERRORS as error:
            return no_response(error, step.url)

    def fetch(self, step: FetchFile, current: Breakable) -> Response | NoResponse:
        """Perform `step`."""
        try:
            with self._connections.request("GET", step.url, _range(step), current) as exchange:
                exchange.end_headers()
                response = exchange.response()
                headers = headers_of(response)
                place = _place(step, response.status, headers)
                if place is None and response.status in {WHOLE_FILE, PIECE_OF_FILE}:
                    return Response(response.status, headers)  # the wrong piece, however long it is
                if place is None:
                    return self._read(response, current)
                exchange.end_must_be_sent()
                return self._receive(step, place, response, headers, current)
        except TRANSPORT_ERRORS as error:
            return no_response(error, step.url)

    def close(self) -> None:
        """Close the connections that are open."""
        self._connections.close()

    def _receive(
        self,
        step: FetchFile,
        place: int,
        response: http.client.HTTPResponse,
        headers: Mapping[str, str],
        current: Breakable,
    ) -> Response:
        unpacker = Unpacker(headers)
        validator = _validator(headers)
        if validator and step.on_validator:
            step.on_validator(validator)
        if not place and step.on_progress:
            step.on_progress(Received(0, ""))  # what was there is overwritten
        buffer = self._buffer()
        stays = bool(validator and step.on_validator)
        with PartialFileWriter(step.partial_file, place, stays=stays, on_progress=step.on_progress) as writer:
            while size := response.readinto(buffer):
                current.check()
                for piece in unpacker.pieces(buffer[:size]):
                    with current.stopped():
                        writer.write(piece)
                    current.moved(len(piece))
            current.check()
            unpacker.end()
            if response.length:
                raise httpx.RemoteProtocolError(f"the file ended {response.length} bytes before its end")
            if place and writer.size != (size := _whole_size(headers)):
                raise httpx.RemoteProtocolError(f"the file has {writer.size} bytes, and not {size} as its store says")
        return Response(response.status, headers, received=writer.received)

    def _read(self, response: http.client.HTTPResponse, current: Breakable) -> Response:
        current.allow(PATIENCE * self._timeout)
        headers = headers_of(response)
        body = Body(current, headers)
        buffer = self._buffer()
        while size := response.readinto(buffer):
            body.add(buffer[:size])
        if response.length:
            raise httpx.RemoteProtocolError(f"the response ended {response.length} bytes before its end")
        return Response(response.status, headers, body.whole())

    def _buffer(self) -> memoryview:
        """The buffer of this thread."""
        buffer: memoryview | None = getattr(self._lanes, "buffer", None)
        if buffer is None or len(buffer) != CHUNK:
            buffer = self._lanes.buffer = memoryview(bytearray(CHUNK))
        return buffer


def _range(step: FetchFile) -> dict[str, str]:
    if not (step.resume_from and step.validator):
        return {}
    return {"Range": f"bytes={step.resume_from}-", "If-Range": step.validator}


def _place(step: FetchFile, status: int, headers: Mapping[str, str]) -> int | None:
    """Where in the file the body of a response belongs; None when it is not what was asked for."""
    found = _RANGE.fullmatch(headers.get("content-range", ""))
    if status == WHOLE_FILE:
        return None if found else 0
    if status != PIECE_OF_FILE or not found or not _range(step) or "content-encoding" in headers:
        return None
    first, last, size = map(int, found.groups())
    right_piece = first == step.resume_from and last == size - 1
    return first if right_piece and _is_same_copy(step.validator, headers) else None


def _is_same_copy(validator: str, headers: Mapping[str, str]) -> bool:
    """Whether a piece is of the copy that `validator` names: some stores ignore `If-Range`.

    With a piece comes the ETag in any case; Last-Modified may be left out.
    """
    if validator.startswith('"'):
        return headers.get("etag") == validator
    return headers.get("last-modified", validator) == validator


def _whole_size(headers: Mapping[str, str]) -> int:
    """Bytes of the file that a piece belongs to."""
    return int(headers["content-range"].rpartition("/")[2])


def _validator(headers: Mapping[str, str]) -> str:
    """What names this very copy of a file; "" when a rest of it could not be asked for.

    A weak ETag names all copies that are much the same. What is packed has other places.
    """
    if headers.get("accept-ranges", "").lower() == "none" or "content-encoding" in headers:
        return ""
    etag = headers.get("etag", "")
    return etag if etag.startswith('"') else headers.get("last-modified", "")
