"""A server that says what no HTTP library would: bytes, then the same bytes again and again."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def dripping(first: bytes, then: bytes, pause: float = 0.02) -> Iterator[str]:
    """The address of a server that answers with `first`, then with `then` for ever."""
    over = threading.Event()
    threads = []

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(first)
            while not over.wait(pause):
                connection.sendall(then)

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                thread = threading.Thread(target=answer, args=(listener.accept()[0],))
                thread.start()
                threads.append(thread)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept, args=(listener,))
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()


def steadily(pieces: list[bytes], pause: float) -> Iterator[bytes]:
    """A body that comes in its own time."""
    for piece in pieces:
        yield piece
        time.sleep(pause)
