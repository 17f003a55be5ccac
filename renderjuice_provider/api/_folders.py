"""Folders to put files into: on this machine, or in any object store.

A file appears under its name only when it is whole. It is written to a partial file first.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.redact import redact


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a folder.

    Attributes:
        place: below the folder.
        size: bytes.
        stamp: another one once the file was replaced.
    """

    place: str
    size: int
    stamp: Any


class Folder(Protocol):
    """Where files go. Each is written to its `partial_file`, then kept at its place."""

    def partial_file(self, place: PurePosixPath) -> Path:
        """A local path to write the file for `place` to. The folder around it exists."""
        ...

    def keep(self, partial_file: Path, place: PurePosixPath) -> None:
        """Make the finished file appear at `place`."""
        ...


_PARTIAL_FILE = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part", re.DOTALL).fullmatch


class LocalFolder:
    """A folder on this machine.

    Partial files lie beside their places, so that keeping one is an atomic rename.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)
        self._made: set[Path] = set()

    def partial_file(self, place: PurePosixPath) -> Path:
        """See `Folder`."""
        parent = self.root / place.parent
        if parent not in self._made:
            parent.mkdir(parents=True, exist_ok=True)
            self._made.add(parent)
        # A new name each time: a second download to the same place, perhaps by a retry, must not
        # write into this file.
        return parent / f".{place.name}.{secrets.token_hex(4)}.part"

    def keep(self, partial_file: Path, place: PurePosixPath) -> None:
        """See `Folder`."""
        partial_file.replace(self.root / place)

    def is_partial_file(self, name: str, place: PurePosixPath) -> bool:
        """Whether `partial_file` may have given this name to a file for `place`."""
        found = _PARTIAL_FILE(name)
        return bool(found and found[1] == place.name)

    def remove_old_partial_files(self) -> None:
        """Remove what killed downloads have left beside files that are there by now.

        Only what nobody has written to for a day, for another download may be at work.
        """
        for parent in self._made:
            for path in parent.glob(".*.part"):
                found = _PARTIAL_FILE(path.name)
                with suppress(OSError):
                    if found and time.time() - path.stat().st_mtime > 86_400 and (parent / found[1]).exists():
                        path.unlink()

    def files(self, *below: str) -> Iterator[StoredFile]:
        """The files in these subfolders, and below them."""
        for subfolder in below:
            for path in self.root.joinpath(subfolder).rglob("*"):
                if path.is_file():
                    stat = path.stat()
                    yield StoredFile(path.relative_to(self.root).as_posix(), stat.st_size, stat.st_mtime_ns)


_WHOLE_OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "ocilake", "r2"})
"""Stores in which an object appears when all of it was sent. Elsewhere it is sent under another
name, and then renamed."""


_STAMPS = (
    *("generation", "ETag", "etag", "md5Hash", "checksum", "mtime", "LastModified", "last_modified", "updated"),
    *("modified", "modificationTime", "modify", "last_write_time", "created"),
)
"""What fsspec's file systems call it, the surest first."""


class RemoteFolder:
    """Any fsspec path (`ObjectStoragePath`, `UPath`): an object appears when all of it was sent."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self._partial_files = tempfile.mkdtemp(prefix="renderjuice-")
        self._made: set[str] = set()
        weakref.finalize(self, shutil.rmtree, self._partial_files, ignore_errors=True)

    def partial_file(self, place: PurePosixPath) -> Path:
        """See `Folder`."""
        path = Path(self._partial_files, place)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def keep(self, partial_file: Path, place: PurePosixPath) -> None:
        """See `Folder`."""
        with _as_os_errors():
            self._send(partial_file, place)
        partial_file.unlink()

    def _send(self, partial_file: Path, place: PurePosixPath) -> None:
        target = self.root.joinpath(*place.parts)
        store, parent = target.fs, target.parent.path
        if parent not in self._made:  # which may take a request
            store.makedirs(parent, exist_ok=True)
            self._made.add(parent)
        if _WHOLE_OBJECTS.isdisjoint([store.protocol] if isinstance(store.protocol, str) else store.protocol):
            self._send_and_rename(store, partial_file, target.path)
        else:
            store.put_file(str(partial_file), target.path)

    def text(self, place: PurePosixPath) -> str | None:
        """The text of a small file; None where there is none, or it cannot be read."""
        try:
            with _as_os_errors():
                return str(self.root.joinpath(*place.parts).read_text())
        except (OSError, ValueError):
            return None

    def files(self, *below: str) -> Iterator[StoredFile]:
        """See `LocalFolder`. The stamp is None where the store does not distinguish versions."""
        store = self.root.fs
        root = str(store._strip_protocol(self.root.path)).rstrip("/")  # noqa: SLF001
        store.invalidate_cache()
        for subfolder in below:
            with _as_os_errors():
                found = store.find(f"{root}/{subfolder}", detail=True)
            for path, about in found.items():
                stamp = next(filter(None, map(about.get, _STAMPS)), None)
                yield StoredFile(path.removeprefix(f"{root}/"), about["size"] or 0, stamp)

    def _send_and_rename(self, store: Any, partial_file: Path, path: str) -> None:
        parent, _, name = path.rpartition("/")
        sent = f"{parent}/.{name}.{secrets.token_hex(4)}.part"
        try:
            store.put_file(str(partial_file), sent)
            _rename(store, sent, path)
        except BaseException:
            with suppress(Exception):  # whatever the store raises, the first error counts
                store.rm_file(sent)
            raise


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """What the library of a store raises of its own, as what any other disk would raise."""
    try:
        yield
    except (OSError, ValueError, ImportError):
        raise
    except Exception as error:
        raise OSError(redact(f"{type(error).__name__}: {error}")) from error


def _rename(store: Any, before: str, after: str) -> None:
    from fsspec import AbstractFileSystem

    if type(store).mv is AbstractFileSystem.mv:  # which takes brackets in a name for a pattern
        store.cp_file(before, after)
        store.rm_file(before)
        return
    try:
        store.mv(before, after)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
    if store.exists(before):  # a rename that does not replace fails, and in some stores silently
        store.rm_file(after)
        store.mv(before, after)


def folder(destination: str | os.PathLike[str] | Any) -> LocalFolder | RemoteFolder:
    """The destination as a folder.

    Args:
        destination: a local path, or any fsspec path. One with `file://` is local, too.

    Raises:
        RenderjuiceInputError: for a URL as plain text, which would become a folder called `s3:`.
    """
    if isinstance(destination, str) and "://" in destination:
        raise RenderjuiceInputError(
            f"The destination {redact(destination)!r} is a URL: pass it as ObjectStoragePath(...) or UPath(...)."
        )
    if getattr(destination, "protocol", "") not in {"", "file", "local"}:
        return RemoteFolder(destination)
    return LocalFolder(getattr(destination, "path", destination))


@contextmanager
def whole_file(target: Folder, name: str | PurePosixPath) -> Iterator[Path]:
    """A local path to write to. After the `with` block the file is in `target`, under its name.

    When the block raises, nothing appears in `target`, and the partial file is removed.
    """
    place = PurePosixPath(name)
    partial_file = target.partial_file(place)
    try:
        yield partial_file
        target.keep(partial_file, place)
    except BaseException:
        partial_file.unlink(missing_ok=True)
        raise
