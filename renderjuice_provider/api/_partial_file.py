"""A file that is being received."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Self, TypeVar

from renderjuice_provider.api._flow import NOTED, Received
from renderjuice_provider.api.errors import Bill, RenderjuiceTransferError
from renderjuice_provider.api.scene_file import CHUNK

T = TypeVar("T")
Progress = Callable[[Received], None]


class PartialFileWriter:
    """Writes a partial file, counts its bytes, and hashes them.

    Use it with `with`. A file that did not arrive whole is removed, unless it `stays`.

    Args:
        path: the partial file.
        kept: bytes that are there already; the next are written behind them.
        stays: whether what arrived stays when the rest does not, so that a later attempt can go on.
            When it cannot be written, as on a full disk, it is removed in any case.
        on_progress: see `FetchFile`; only for a file that stays.
    """

    def __init__(self, path: Path, kept: int = 0, *, stays: bool = False, on_progress: Progress | None = None) -> None:
        self._path = path
        self._kept = kept
        self._stays = stays
        self._file: IO[bytes] = BytesIO()
        self._size = 0
        self._hash = hashlib.sha256()
        self._on_progress = on_progress if stays else None
        self._reported = kept

    @property
    def received(self) -> Received:
        """What lies there now."""
        return Received(self._size, self._hash.hexdigest())

    @property
    def size(self) -> int:
        """Bytes that lie there now."""
        return self._size

    def write(self, chunk: bytes | memoryview) -> None:
        """Append `chunk`.

        Raises:
            RenderjuiceTransferError: when it cannot be written, as on a full disk.
        """
        self._on_disk(lambda: self._file.write(chunk))
        self._count(chunk)
        if self._on_progress and self._size >= self._reported + NOTED:
            self._on_disk(self._file.flush)  # what is noted must be there, whatever becomes of us
            self._report(self._on_progress)

    def _report(self, on_progress: Progress) -> None:
        self._reported = self._size
        on_progress(self.received)

    def _count(self, chunk: bytes | memoryview) -> None:
        self._hash.update(chunk)
        self._size += len(chunk)

    def _open(self) -> None:
        if not self._kept:
            self._file = self._path.open("wb")
            return
        self._file = self._path.open("r+b")
        while chunk := self._file.read(min(CHUNK, self._kept - self._size)):
            self._count(chunk)
        if self._size < self._kept:
            raise OSError(f"{self._kept - self._size} bytes of it are gone")
        self._file.truncate()
        self._file.seek(self._kept)

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
            self._discard()
            reason = error.strerror or error
            raise RenderjuiceTransferError(f"Cannot write {self._path}: {reason}", bill=Bill.KEPT) from error

    def __enter__(self) -> Self:
        self._on_disk(self._open)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is None or (self._stays and not isinstance(error, RenderjuiceTransferError)):
            # Also what stays: a later attempt takes it for whole up to its end.
            self._on_disk(self._to_disk)
            if kind is not None and self._on_progress:
                self._report(self._on_progress)
        else:
            self._discard()
