"""Pictures on this disk: small ones of what was rendered, for all API servers of this machine.

Blocks. A picture is named by its job and by what it shows (`PictureKey`), and never changes.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from renderjuice_provider.wall.facts import Picture

SIZES = (256, 1024)
"""Pixels of the longer side: in a list and on a contact sheet, and by itself."""
MEDIA_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
_KEY = re.compile(r"([0-9a-f-]{36})\.(a\d{1,6}|t\d{1,11}|last|f[0-9a-f]{16})")
_AFTER = re.compile(r"a(\d+)-256\.jpg|a(\d+)\.(?:jpg|png|webp)")
_MOST_BYTES = 512 << 20
_TRIMMED = 0.8
"""The part of these that is left when some were deleted."""
_PUTS = 100
"""Pictures that are added before it is counted again."""


class PictureKey(NamedTuple):
    """What a picture shows.

    Attributes:
        job_id: the job that has rendered it.
        name: `a7`: its preview after 7 frames; `t...`: at some time; `last`: when it was over;
            `f...`: one of its frames.
    """

    job_id: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The key that a browser has sent; None for what is malformed."""
        found = _KEY.fullmatch(text)
        return cls(found[1], found[2]) if found else None

    def __str__(self) -> str:
        return f"{self.job_id}.{self.name}"


class PictureFolder:
    """Pictures that were made.

    Args:
        root: a folder of this user; made where it is not there.
        most_bytes: of all pictures. Those that were not asked for longest go first.
    """

    def __init__(self, root: Path | None = None, most_bytes: int = _MOST_BYTES) -> None:
        self.root = root if root is not None else private_folder()
        self._most_bytes = most_bytes
        self._puts = 0

    def get(self, conn_id: str, key: PictureKey, size: int) -> Picture | None:
        """A picture, if it is there: as it was sized, or as it came."""
        folder = self._folder(conn_id, key.job_id)
        for path in (folder / f"{key.name}-{size}.jpg", *(folder / f"{key.name}{end}" for end in MEDIA_TYPES)):
            with suppress(OSError):
                content = path.read_bytes()
                os.utime(path)
                return Picture(content, MEDIA_TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:32])
        return None

    def place(self, conn_id: str, key: PictureKey, ending: str) -> Path:
        """Where to put a picture, with its ending (`-256.jpg`, or `.png` for one as it came)."""
        self._puts += 1
        if self._puts % _PUTS == 0:
            self._trim()
        folder = self._folder(conn_id, key.job_id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / f"{key.name}{ending}"

    def work_folder(self) -> tempfile.TemporaryDirectory[str]:
        """Where a picture is made, on the same disk."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix="work-", dir=self.root, ignore_cleanup_errors=True)

    def previews(self, conn_id: str, job_id: str) -> set[int]:
        """After how many frames there are previews of a job."""
        with suppress(OSError):
            found = [_AFTER.fullmatch(name) for name in os.listdir(self._folder(conn_id, job_id))]  # noqa: PTH208
            return {int(match[1] or match[2]) for match in found if match}
        return set()

    def _folder(self, conn_id: str, job_id: str) -> Path:
        return self.root / hashlib.sha256(conn_id.encode()).hexdigest()[:16] / job_id

    def _trim(self) -> None:
        """Delete what was not asked for longest, and what is left of work that was cut off."""
        files = sorted(self._files())
        excess = sum(size for _, size, _ in files) - self._most_bytes
        if excess > 0:
            excess += int(self._most_bytes * (1 - _TRIMMED))
        long_ago = time.time() - 3600
        for used, size, path in files:
            if excess > 0 or ("work-" in str(path.relative_to(self.root)) and used < long_ago):
                with suppress(OSError):
                    path.unlink()
                    excess -= size
                    path.parent.rmdir()  # unless there are more in it

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for path in self.root.rglob("*"):
            with suppress(OSError):
                found = path.lstat()
                if stat.S_ISREG(found.st_mode):
                    yield found.st_mtime, found.st_size, path


def private_folder() -> Path:
    """A folder of this user, the same for all its processes on this machine.

    Where somebody else has made one of that name, it is another one, for this process alone.
    """
    path = Path(tempfile.gettempdir(), f"renderjuice-wall-{os.getuid()}")
    with suppress(OSError):
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not stat.S_IMODE(found.st_mode) & 0o077:
            return path
    return Path(tempfile.mkdtemp(prefix="renderjuice-wall-"))
