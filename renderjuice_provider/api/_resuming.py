"""Partial files that a transfer can go on with: after a break, and in a task's next try.

A large file that breaks off stays as a partial file, and the journal says how many bytes of it are
sure, by their SHA-256, and of which version they are. Whichever process goes on with it holds a
lock on it, so that two never write into one file.
"""

from __future__ import annotations

import hashlib
import re
import sys
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import IO

from renderjuice_provider.api._flow import FetchFile, Received
from renderjuice_provider.api._folders import Folder, LocalFolder
from renderjuice_provider.api._journal import Entry, Journal

WORTH = 8 << 20
"""Bytes that are worth going on with in another process: fewer come again in about a second."""
_LEAST = 1 << 20
"""Bytes that are worth going on with after a break. With fewer, the request costs as much."""
_PIECE = 1 << 20
_NOTHING = Received(0, "")
_PLAIN = re.compile(r"[\x20-\x7e]{1,200}").fullmatch


class PartialFile:
    """One output on its way, and what is there of it.

    Args:
        journal: of the folder.
        place: of the output.
        path: of the partial file.

    Attributes:
        path: where the bytes go.
        there: what is there of the file, and need not come again.
    """

    def __init__(self, journal: Journal, place: PurePosixPath, path: Path) -> None:
        self.path = path
        self.there = _NOTHING
        self._journal = journal
        self._place = str(place)
        self._validator = ""
        self._lock: IO[bytes] | None = None
        self._is_noted = False
        self._most = 0

    def fetch(self, url: str) -> FetchFile:
        """The step that fetches the file, or the rest of it."""
        rest = self.there.size if self.there.size >= _LEAST and self._validator else 0
        validator = self._validator if rest else ""
        return FetchFile(url, self.path, rest, validator, self._on_validator, self._on_progress)

    def has_got_on(self) -> bool:
        """Whether a lot more is there than ever before: attempts then count from the start."""
        has_got_on = self.there.size >= self._most + WORTH
        self._most = max(self._most, self.there.size) if has_got_on else self._most
        return has_got_on

    def begin_again(self) -> None:
        """Forget what is there: the store does not send the rest."""
        self.there = _NOTHING

    def end(self, *, keep: bool) -> None:
        """Remove the file, unless another process may go on with it and is to."""
        if not (keep and self._is_noted):
            self.path.unlink(missing_ok=True)
        self.let_go()

    def let_go(self) -> None:
        """Unlock the file, which has become the output or is left to another process."""
        if self._lock:
            self._lock.close()

    def take_over(self, entry: Entry, left_by: Path) -> bool:
        """Go on with what another process has left. False when it is not there, or not as noted."""
        with suppress(OSError):
            lock = _locked(left_by)
            if lock is None:
                return False
            if entry.size < _LEAST or _sha256(lock, entry.size) != entry.sha256:
                lock.close()
                left_by.unlink()
                return False
            left_by.rename(self.path)
            self._lock = lock
            self._on_validator(entry.validator)
            self.there = Received(entry.size, entry.sha256)
            self._note()
            return True
        return False

    def _on_validator(self, validator: str) -> None:
        self._validator = validator if _PLAIN(validator) else ""

    def _on_progress(self, received: Received) -> None:
        self.there = received
        if received.size < WORTH or not self._validator:
            return
        if self._lock is None:
            with suppress(OSError):
                self._lock = _locked(self.path)
        if self._lock is not None:
            self._note()

    def _note(self) -> None:
        self._is_noted |= self._journal.note_partial(self._place, self.path.name, self.there, self._validator)


class PartialFiles:
    """The partial files of one download.

    Args:
        folder: where the outputs go.
        journal: of that folder.
    """

    def __init__(self, folder: Folder, journal: Journal) -> None:
        self._folder = folder
        self._journal = journal
        self._waiting: dict[PurePosixPath, PartialFile] = {}

    def take(self, place: PurePosixPath) -> PartialFile:
        """The partial file of an output: one that waits, one that was left, or a new one."""
        if place in self._waiting:
            return self._waiting.pop(place)
        taken = PartialFile(self._journal, place, self._folder.partial_file(place))
        entry, useless = self._journal.partials(str(place))
        if entry is not None and (left_by := self._left_by(entry)):
            taken.take_over(entry, left_by)
        for other in useless:
            self._remove(other)
        return taken

    def wait(self, place: PurePosixPath, partial_file: PartialFile) -> None:
        """Keep it until its place is taken again: it waits for a fresh URL."""
        self._waiting[place] = partial_file

    def end(self) -> None:
        """Leave what waits for another process, or remove it."""
        while self._waiting:
            self._waiting.popitem()[1].end(keep=True)

    def clean(self) -> None:
        """Remove all that other processes have left: nothing is missing any more."""
        for entry in self._journal.all_partials:
            self._remove(entry)
        if isinstance(self._folder, LocalFolder):
            self._folder.remove_old_partial_files()

    def _left_by(self, entry: Entry) -> Path | None:
        """The partial file that an entry means; None for a name that is not one of ours."""
        place = PurePosixPath(entry.place)
        leads_out = place.is_absolute() or ".." in place.parts or not place.name
        if not isinstance(self._folder, LocalFolder) or leads_out:
            return None
        if not self._folder.is_partial_file(entry.partial, place):
            return None
        return self._folder.root.joinpath(place).with_name(entry.partial)

    def _remove(self, entry: Entry) -> None:
        if path := self._left_by(entry):
            with suppress(OSError, ValueError):  # ValueError: no path at all
                lock = _locked(path)
                if lock is not None:
                    path.unlink()
                    lock.close()


def _locked(path: Path) -> IO[bytes] | None:
    """The file, open and locked; None when another process has it.

    Raises:
        OSError: when there is no such file, or no locks.
    """
    if sys.platform == "win32":  # nothing is left to another process there
        return None
    from fcntl import LOCK_EX, LOCK_NB, flock

    file = path.open("r+b")  # a lock over NFS takes a file that may be written
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except BaseException:
        file.close()
        raise
    return file


def _sha256(file: IO[bytes], size: int) -> str:
    """Of the first `size` bytes; "" when there are fewer."""
    digest = hashlib.sha256()
    while size and (chunk := file.read(min(size, _PIECE))):
        digest.update(chunk)
        size -= len(chunk)
    return "" if size else digest.hexdigest()
