"""A scene to upload: checked before anything is sent, and watched while it is sent.

Sources: the API reference's page on upload targets (file types, the 5 GiB limit) and the page on
the API pipeline.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from renderjuice_provider.api._blend import HEAD, TAIL, ends, has_an_end, is_blend
from renderjuice_provider.api._litter import is_litter
from renderjuice_provider.api._scene_zip import check_zip
from renderjuice_provider.api.errors import Bill, RenderjuiceInputError, RenderjuiceTransferError
from renderjuice_provider.api.redact import redact

__all__ = [
    "SIZE_LIMIT",
    "is_litter",
]

SIZE_LIMIT = 5 * 1024**3
"""Single-request uploads are for files smaller than this many bytes."""
CHUNK = 1024**2
_SHOWN = 10
"""Names in a message."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SceneFile:
    """A `.blend` or `.zip` that passed every check that can be made without Blender.

    Attributes:
        path: a local `Path`, or anything that opens and stats like one (`ObjectStoragePath`).
        size: bytes, as promised in the upload's Content-Length.
        modified: time of the last change, to notice one during the upload; None where the storage
            does not keep it.
    """

    path: Any
    size: int
    modified: float | None

    @property
    def name(self) -> str:
        """The file's name, without folders."""
        return str(self.path.name)

    @property
    def type(self) -> str:
        """What the API calls `fileType`: `blend` or `zip`."""
        stem, _, extension = self.name.rpartition(".")
        return extension.lower() if stem else ""

    @classmethod
    def check(cls, source: str | os.PathLike[str] | Any, *, one_scene: bool = False) -> SceneFile:
        """Check the file before a byte is sent.

        Args:
            source: where it is.
            one_scene: refuse a zip with several scenes, of which Renderjuice would render one that
                nobody has named. By default a warning lists them.

        Raises:
            RenderjuiceInputError: says what is wrong with it, and what to do.
        """
        if not isinstance(source, (str, os.PathLike)) and not hasattr(source, "open"):
            raise RenderjuiceInputError(f"A scene is given as a path, not as {type(source).__name__}.")
        path: Any = source if hasattr(source, "open") else Path(source)
        try:
            return cls._check(path, one_scene=one_scene)
        except RenderjuiceInputError:
            raise
        except (OSError, ValueError, ImportError) as error:
            # ValueError, ImportError: a store that fsspec or Airflow does not know.
            reason = getattr(error, "strerror", None) or error
            raise RenderjuiceInputError(f"{redact(str(path))} cannot be read: {reason}.") from None

    @classmethod
    def _check(cls, path: Any, *, one_scene: bool) -> SceneFile:
        if not path.exists():
            raise RenderjuiceInputError(f"No such file: {redact(str(path))}")
        if not path.is_file():
            raise RenderjuiceInputError(f"Not a file: {path}. Pass one .blend, or a .zip of the whole project.")
        size, modified = _size_and_time(path)
        scene = cls(path, size, modified)
        if scene.type not in _CHECKS:
            raise RenderjuiceInputError(f"{scene.name}: Renderjuice takes .blend and .zip files only.")
        if size == 0:
            raise RenderjuiceInputError(f"{scene.name} is empty.")
        if size >= SIZE_LIMIT:
            raise RenderjuiceInputError(
                f"{scene.name} has {size / 1024**3:.2f} GiB; uploads must be smaller than 5 GiB. Pack fewer assets into it."
            )
        scenes = _CHECKS[scene.type](scene)
        if len(scenes) > 1:
            text = _several(scene.name, scenes)
            if one_scene:
                raise RenderjuiceInputError(text)
            _log.warning("%s", text)
        return scene

    def chunks(self) -> Iterator[bytes]:
        """The bytes to send: exactly `size` of them.

        Raises:
            RenderjuiceTransferError: when the file got shorter meanwhile, or can no longer
                be read.
        """
        left = self.size
        try:
            with self.path.open("rb") as file:
                while left:
                    chunk = file.read(min(CHUNK, left))
                    if not chunk:
                        raise self._changed()
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise self._changed() from error

    def check_unchanged(self) -> None:
        """After the upload, check that the file is still what was sent.

        Raises:
            RenderjuiceTransferError: when it is not. The copy at Renderjuice may be half old and
                half new.
        """
        try:
            unchanged = _size_and_time(self.path) == (self.size, self.modified)
        except OSError:
            unchanged = False
        if not unchanged:
            raise self._changed()

    def _changed(self) -> RenderjuiceTransferError:
        return RenderjuiceTransferError(
            f"{self.name} changed while it was being uploaded",
            bill=Bill.NOTHING_SPENT,
            next_step="upload again once it is saved",
        )


def _size_and_time(path: Any) -> tuple[int, float | None]:
    stat = path.stat()
    modified = getattr(stat, "st_mtime_ns", None) or getattr(stat, "st_mtime", None)
    return int(stat.st_size), modified


def _check_blend(scene: SceneFile) -> list[str]:
    with scene.path.open("rb") as file:
        if not is_blend(start := file.read(HEAD)):
            raise RenderjuiceInputError(
                f"{scene.name} is not a Blender file: it begins with neither BLENDER nor a gzip or zstd header. "
                "Save it from Blender again."
            )
        if has_an_end(start):
            file.seek(max(0, scene.size - TAIL))
            if not ends(start, file.read(TAIL), lambda: scene.path.open("rb")):
                raise RenderjuiceInputError(f"{scene.name} was cut short: its end is missing. Save or copy it again.")
    return [scene.name]


def _check_zip(scene: SceneFile) -> list[str]:
    try:
        with scene.path.open("rb") as file:
            return check_zip(scene.name, file, scene.size)
    except RenderjuiceInputError:
        raise
    except Exception as error:  # noqa: BLE001 - differs by Python and decompressor
        raise RenderjuiceInputError(f"{scene.name} is damaged or not a zip file ({error}). Pack it again.") from None


def _several(name: str, scenes: list[str]) -> str:
    shown = ", ".join([*scenes[:_SHOWN], "..."] if len(scenes) > _SHOWN else scenes)
    return (
        f"{name} holds several scenes, and Renderjuice does not say which one it would render: {shown}. "
        "Leave one at the top of the zip; what it links belongs in folders below it, or packed into it "
        "(File > External Data > Pack Linked Libraries)."
    )


_CHECKS = {"blend": _check_blend, "zip": _check_zip}


def content_fingerprint(path: Any) -> str | None:
    """The SHA-256 of a file, or the checksum that an object store keeps; None when it is gone."""
    path = path if hasattr(path, "open") else Path(path)
    if not path.is_file():
        return None
    if not isinstance(path, Path) and hasattr(path, "checksum"):
        return str(path.checksum())
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
