"""A proxy that knows where names are: it takes CONNECT, and SOCKS 5."""

from __future__ import annotations

import base64
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple


class ProxyServer(NamedTuple):
    """A proxy that runs."""

    port: int
    asked: list[str]
    """Hosts and ports, as they were asked for."""
    passwords: list[str]
    """User and password of each connection, joined with a colon."""


@contextmanager
def proxying(tls: ssl.SSLContext | None = None) -> Iterator[ProxyServer]:
    """A proxy that takes every name for this machine."""
    asked: list[str] = []
    passwords: list[str] = []

    def serve(client: socket.socket) -> None:
        with suppress(OSError), tls.wrap_socket(client, server_side=True) if tls else client as near:
            file = near.makefile("rb", buffering=0)
            first = file.read(1)
            host, port = _by_socks(near, file, passwords) if first == b"\5" else _by_connect(near, file, passwords)
            asked.append(f"{host}:{port}")
            with socket.create_connection(("127.0.0.1", port)) as far:
                near.sendall(b"\5\0\0\1" + bytes(6) if first == b"\5" else b"HTTP/1.1 200 Connected\r\n\r\n")
                back = threading.Thread(target=_relay, args=(far, near))
                back.start()
                _relay(near, far)
                back.join()

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield ProxyServer(listener.getsockname()[1], asked, passwords)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _by_connect(_: socket.socket, file: socket.SocketIO, passwords: list[str]) -> tuple[str, int]:
    lines = [b"C" + _line(file)]
    while lines[-1]:
        lines.append(_line(file))
    passwords.extend(
        base64.b64decode(line.split()[-1]).decode() for line in lines if line.lower().startswith(b"proxy-authorization")
    )
    host, port = lines[0].split()[1].decode().rsplit(":", 1)
    return host, int(port)


def _line(file: socket.SocketIO) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += file.read(1) or b"\n"
    return line.rstrip()


def _by_socks(near: socket.socket, file: socket.SocketIO, passwords: list[str]) -> tuple[str, int]:
    def take(size: int) -> bytes:
        return b"".join(file.read(1) or b"" for _ in range(size))

    methods = take(take(1)[0])
    near.sendall(b"\5" + methods[-1:])
    if methods[-1:] == b"\2":
        take(1)
        passwords.append(":".join(take(take(1)[0]).decode() for _ in range(2)))
        near.sendall(b"\1\0")
    assert take(4) == b"\5\1\0\3", "a name is to be looked up here"
    host = take(take(1)[0]).decode()
    return host, struct.unpack("!H", take(2))[0]


def _relay(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
