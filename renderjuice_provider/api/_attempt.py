"""One attempt at a request, and its limits: how long it may take, and how many bytes it may bring.

The time-out of a socket counts the seconds between two bytes. Header lines, hints (103), extensions
of chunks, trailers and compressed blocks that hold nothing can come for ever, one byte at a time.
So an attempt has an end. Where a file of any size is sent or fetched, only the bytes of the file
itself move that end. A body is read up to a limit, for one without an end would fill the memory.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from io import BytesIO
from threading import Lock

import httpx  # noqa: TID253 - only the wires import this module

from renderjuice_provider.api._unpacking import Unpacker

PATIENCE = 4.0
"""Times the time-out: seconds for a whole call to the API, and for any response without a file."""
ENOUGH = 1 << 20
"""Bytes of a file that must move within one time-out of the store (3.5 KB/s at the default)."""
LONGEST = 64 << 20
"""Bytes of a body: a list of 100,000 jobs has fewer."""


class Attempt:
    """The time that an attempt has left.

    Args:
        seconds: until its end.
        clock: in seconds.

    Attributes:
        end: by `clock`.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.end = clock() + seconds
        self._seconds = seconds
        self._moved = 0

    def allow(self, seconds: float) -> None:
        """Let it end this many seconds from now."""
        self._seconds = seconds
        self.end = self.clock() + seconds

    def moved(self, size: int) -> None:
        """Note that `size` bytes moved: after `ENOUGH` of them the time starts again."""
        self._moved += size
        if self._moved >= ENOUGH:
            self._moved = 0
            self.allow(self._seconds)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the clock while the disk works: the connection is not to blame for that."""
        left = self.left
        try:
            yield
        finally:
            self.end = self.clock() + left

    @property
    def left(self) -> float:
        """Seconds; negative when it is over."""
        return self.end - self.clock()

    def over(self) -> httpx.TimeoutException:
        """The error to raise when it is over."""
        return httpx.ReadTimeout(f"the response did not end within {self._seconds:g} s")

    def check(self) -> None:
        """Raise `over()` if it is over: bytes may arrive faster than they are read."""
        if self.end < self.clock():
            raise self.over()


class Body:
    """Collects and unpacks the body of one response.

    Args:
        attempt: checked for each piece of the body.
        headers: of the response.
        longest: bytes that the body may have when unpacked; `LONGEST` by default.

    Raises:
        httpx.DecodingError: for a coding that was not asked for.
    """

    def __init__(self, attempt: Attempt, headers: Mapping[str, str], longest: int | None = None) -> None:
        self._attempt = attempt
        self._longest = LONGEST if longest is None else longest
        self._unpacker = Unpacker(headers) if "content-encoding" in headers else None
        self._pieces = BytesIO()

    def add(self, chunk: bytes | memoryview) -> None:
        """Append one more chunk.

        Raises:
            httpx.ReadError: when the body is too long, as if the connection had failed.
            httpx.TimeoutException: when the attempt is over: bytes may arrive faster than they are
            read.
        """
        for piece in self._unpacker.pieces(chunk) if self._unpacker else (chunk,):
            if self._attempt.end < self._attempt.clock():
                raise self._attempt.over()
            if self._pieces.tell() + len(piece) > self._longest:
                raise httpx.ReadError(f"the response is longer than {self._longest >> 20} MiB")
            self._pieces.write(piece)

    def whole(self) -> bytes:
        """All of it, without a copy.

        Raises:
            httpx.DecodingError: when it is compressed, and its end is missing.
        """
        if self._unpacker:
            self._unpacker.end()
        return self._pieces.getvalue()


def seconds_for_call(timeout: float, within: float | None) -> float:
    """Seconds for the whole of a call to the API; `within` is the caller's wish, see `Call`."""
    return PATIENCE * timeout if within is None else min(PATIENCE * timeout, max(within, timeout))


CURRENT: ContextVar[Attempt | None] = ContextVar("renderjuice_attempt", default=None)
"""The attempt of this thread."""


def bounded(timeout: float | None, error: type[Exception]) -> float | None:
    """A socket's time-out, or less when the attempt of this thread has less left.

    Raises:
        Exception: `error`, when nothing is left.
    """
    current = CURRENT.get()
    if current is None:
        return timeout
    left = current.end - current.clock()
    if left <= 0:
        raise error(str(current.over()))
    return left if timeout is None else min(timeout, left)


@contextmanager
def attempt(seconds: float) -> Iterator[Attempt]:
    """An attempt of the calling thread, whose sockets it bounds: see `bounded`.

    Raises:
        httpx.TimeoutException: when it is over.
    """
    current = Attempt(seconds)
    token = CURRENT.set(current)
    try:
        yield current
    except httpx.TimeoutException:
        if current.left > 0:
            raise
        raise current.over() from None
    finally:
        CURRENT.reset(token)


@asynccontextmanager
async def loop_attempt(seconds: float) -> AsyncIterator[Attempt]:
    """An attempt of the running task, which an event loop breaks off.

    Raises:
        httpx.TimeoutException: when it is over.
    """
    current = Attempt(seconds)
    try:
        async with asyncio.timeout(seconds):
            yield current
    except TimeoutError:
        raise current.over() from None


class Breakable(Attempt):
    """An attempt of a thread that waits for one socket; another thread may break it off."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._has_begun = False
        self._broken = False

    def bound(self, sock: socket.socket) -> None:
        """Let `sock` wait as long as the attempt has time left.

        Raises:
            httpx.TimeoutException: when nothing is left.
        """
        self.check()
        sock.settimeout(max(self.left, 0.001))  # 0 would mean not to wait at all

    def check(self) -> None:
        """Raise `over()` if it is over, or was broken off."""
        if self._broken:
            raise self.over()
        super().check()

    @contextmanager
    def holding(self, sock: socket.socket) -> Iterator[None]:
        """What this thread does with `sock`, which ends soon after `break_off`."""
        with self._lock:
            self.check()
            self._socket, self._has_begun = sock, True
        try:
            yield
        finally:
            with self._lock:
                self._socket = None

    def break_off(self) -> bool:
        """End it now. Returns whether its thread may still be at work on files."""
        with self._lock:
            self._broken = True
            if self._socket is not None:
                with suppress(OSError):
                    # Not the method of a socket with TLS, which would forget its keys, and a read
                    # that waits would return what nobody has decrypted.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            return self._has_begun
