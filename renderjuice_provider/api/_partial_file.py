"""A file that is being received, in a thread or on an event loop."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from renderjuice_provider.api._flow import Received
from renderjuice_provider.api.errors import Bill, RenderjuiceTransferError

T = TypeVar("T")


class PartialFileWriter:
    """Writes a partial file, counts its bytes, and hashes them.

    Use it with `with` or `async with`. A file that did not arrive whole is removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = BytesIO()
        self._size = 0
        self._hash = hashlib.sha256()

    @property
    def received(self) -> Received:
        """What was written."""
        return Received(self._size, self._hash.hexdigest())

    def write(self, chunk: bytes) -> None:
        """Append `chunk`.

        Raises:
            RenderjuiceTransferError: when it cannot be written, as on a full disk.
        """
        self._on_disk(lambda: self._file.write(chunk))
        self._hash.update(chunk)
        self._size += len(chunk)

    def _open(self) -> None:
        self._file = self._on_disk(lambda: self._path.open("wb"))

    def _finish(self) -> None:
        try:
            self._on_disk(self._to_disk)
        except RenderjuiceTransferError:
            self._discard()
            raise

    def _to_disk(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _discard(self) -> None:
        with suppress(OSError):  # the disk may be full; what is left in the buffer is not needed
            self._file.close()
        self._path.unlink(missing_ok=True)

    def _on_disk(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except OSError as error:
            reason = error.strerror or error
            raise RenderjuiceTransferError(f"Cannot write {self._path}: {reason}", bill=Bill.KEPT) from error

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._finish() if kind is None else self._discard()

    async def __aenter__(self) -> Self:
        try:
            await beside_the_loop(self._open)
        except asyncio.CancelledError:
            self._discard()  # `__aexit__` does not run when `__aenter__` was cancelled
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await beside_the_loop(self._finish if kind is None else self._discard)


async def beside_the_loop(work: Callable[[], T]) -> T:
    """The result of `work`, done in a thread.

    A caller that is cancelled, even twice, still waits for it, so that a file is never closed while
    it is being written.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    await until_done(task)
    return task.result()


async def until_done(task: asyncio.Future[Any]) -> None:
    """Wait for `task`, even when the caller is cancelled meanwhile, which is raised at its end."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # marks it as retrieved, else asyncio warns
        raise cancelled
