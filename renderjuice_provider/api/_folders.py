"""Folders to put files into: on this machine, or in any object store.

A file appears under its name only when it is whole. It is written to a partial file first.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.redact import redact


class Folder(Protocol):
    """Where files go. Each is written to its `partial_file`, then kept at its place."""

    def partial_file(self, place: PurePosixPath) -> Path:
        """A local path to write the file for `place` to. The folder around it exists."""
        ...

    def keep(self, partial_file: Path, place: PurePosixPath) -> None:
        """Make the finished file appear at `place`."""
        ...


class LocalFolder:
    """A folder on this machine.

    Partial files lie beside their places, so that keeping one is an atomic rename.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def partial_file(self, place: PurePosixPath) -> Path:
        """See `Folder`."""
        target = self.root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        # A new name each time: a second download to the same place, perhaps by a retry, must not
        # write into this file.
        return target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")

    def keep(self, partial_file: Path, place: PurePosixPath) -> None:
        """See `Folder`."""
        partial_file.replace(self.root / place)


class RemoteFolder:
    """Any fsspec path (`ObjectStoragePath`, `UPath`): an object appears when all of it was sent."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self._partial_files = tempfile.mkdtemp(prefix="renderjuice-")
        weakref.finalize(self, shutil.rmtree, self._partial_files, ignore_errors=True)

    def partial_file(self, place: PurePosixPath) -> Path:
        """See `Folder`."""
        path = Path(self._partial_files, place)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def keep(self, partial_file: Path, place: PurePosixPath) -> None:
        """See `Folder`."""
        target = self.root.joinpath(*place.parts)
        target.fs.makedirs(target.parent.path, exist_ok=True)
        target.fs.put_file(str(partial_file), target.path)
        partial_file.unlink()


def folder(destination: str | os.PathLike[str] | Any) -> Folder:
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
