"""A store and just enough of an API, in a process of its own, as far away as is wished.

The emulator would be the slower side of a transfer. This server gives a file from the page cache to
the socket without a copy (`sendfile`), and throws an upload away. Each response waits for the time
of one round trip, and the first of a connection for one more, as a real connection takes.

    python -m benchmarks.transfer_store ready.json --files 500 --bytes 1048576 --delay 0.02

The file that it is given says, once it listens, what is its address.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

JOB_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
_AT_ONCE = 256 << 10
"""Bytes of a file that are sent without `sendfile`, which has a price for each file."""
_BUFFER = 1 << 20


class Store:
    """What it serves.

    Args:
        files: how many outputs the job has.
        size: of each, in bytes.
        delay: seconds of one round trip.
        folder: where the one file lies whose bytes all outputs have.
    """

    def __init__(self, files: int, size: int, delay: float, folder: Path) -> None:
        self.size, self.delay = size, delay
        self.served = 0
        self.path = folder / "output"
        with self.path.open("wb") as output:
            piece = bytes(range(256)) * 4096
            for start in range(0, size, len(piece)):
                output.write(piece[: size - start])
        self.small = self.path.read_bytes() if size <= _AT_ONCE else b""
        self._names = [f"{number:04}.exr" for number in range(1, files + 1)]

    def respond(self, method: str, path: str, host: str) -> bytes | None:
        """The response to a call of the API, and to an upload; None for an output's bytes."""
        if method == "PUT":
            return _response(b"")
        if path == "/uploads":
            target = {"uploadUrl": f"http://{host}/uploaded", "slug": "scene-1", "expiresAt": "2099-01-01T00:00:00Z"}
            return _json(target)
        if path.endswith("/downloads"):
            frames = [{"url": f"http://{host}/file/{name}", "fileName": name} for name in self._names]
            return _json({"frameOutputs": frames, "compositeNodeOutputs": []})
        if path.startswith("/jobs/"):
            return _json({"id": JOB_ID, "status": "completed"})
        if path == "/served":
            return _json({"served": self.served})
        self.served += 1
        return None


class _Connection(asyncio.BufferedProtocol):
    """One connection: its requests come one after the other."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._buffer = bytearray(_BUFFER)
        self._head = b""
        self._left = 0
        self._request = ("", "", "")
        self._first = True
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._left:
            self._left -= nbytes
            if not self._left:
                self._reply()
            return
        self._head += self._buffer[:nbytes]
        head, end, body = self._head.partition(b"\r\n\r\n")
        if not end:
            return
        self._head = b""
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, path, _ = first.split(" ")
        self._request = (method, path, headers["host"])
        self._left = int(headers.get("content-length", 0)) - len(body)
        if "expect" in headers:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not self._left:
            self._reply()

    def _reply(self) -> None:
        delay = self._store.delay * (2 if self._first else 1)
        self._first = False
        if delay:
            asyncio.get_running_loop().call_later(delay, self._send)
        else:
            self._send()

    def _send(self) -> None:
        response = self._store.respond(*self._request)
        if response is not None:
            self._transport.write(response)
        elif self._store.small:
            self._transport.write(_response(self._store.small))
        else:
            self._sending = asyncio.ensure_future(self._send_file())

    async def _send_file(self) -> None:
        self._transport.write(_head(self._store.size))
        with self._store.path.open("rb") as output:
            await asyncio.get_running_loop().sendfile(self._transport, output)


def _head(size: int, kind: str = "image/x-exr") -> bytes:
    return f'HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\nETag: "1"\r\n\r\n'.encode()


def _response(body: bytes, kind: str = "image/x-exr") -> bytes:
    return _head(len(body), kind) + body


def _json(value: Any) -> bytes:
    return _response(json.dumps(value).encode(), "application/json")


async def _serve(ready: Path, store: Store) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(store), "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    written = ready.with_suffix(".new")
    written.write_text(json.dumps({"base_url": f"http://127.0.0.1:{port}"}))
    written.replace(ready)
    await server.serve_forever()


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(description="A store for measurements.")
    parser.add_argument("ready", type=Path, help="the file to write the address to")
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--bytes", type=int, default=1 << 20)
    parser.add_argument("--delay", type=float, default=0.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="renderjuice-") as folder:
        asyncio.run(_serve(given.ready, Store(given.files, given.bytes, given.delay, Path(folder))))


if __name__ == "__main__":
    main()
