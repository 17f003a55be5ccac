"""The journal of a folder: which outputs downloads have brought there whole.

It lies beside the files, one line of JSON for each, so that a download that is repeated, by a
retry, a task's next try or a second run, fetches only the rest. It is believed as far as it agrees
with what is there, and a line that cannot be read is a file that is fetched again. It holds no URL.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from threading import Lock
from typing import TypeVar

from renderjuice_provider.api._flow import Received
from renderjuice_provider.api._folders import Folder, LocalFolder, RemoteFolder, whole_file

T = TypeVar("T")
JOURNAL = PurePosixPath(".renderjuice-download.jsonl")
SAVED_EVERY = 30.0
"""Seconds. An object can only be written as a whole, so the journal in a store is saved now and
then; after a crash, what came since is fetched again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the journal says of one output, of whichever job brought it.

    Attributes:
        job: the job's id.
        place: below the folder.
        size: bytes.
        sha256: of these bytes.
        stamp: the store's mark of the object, which is another one once it was replaced.
        partial: name of the partial file that has these bytes; "" when the output itself does.
        validator: for `If-Range`, of a partial file.
    """

    job: str
    place: str
    size: int
    sha256: str
    stamp: str = ""
    partial: str = ""
    validator: str = ""

    def to_line(self) -> str:
        """One line of the journal."""
        return json.dumps({name: value for name in _KINDS if (value := getattr(self, name)) != ""})


class Journal:
    """The journal of a folder that cannot keep one: it knows nothing.

    Args:
        job_id: the job that is downloaded; what others brought is not what it would bring.
    """

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id
        self._entries: dict[str, Entry] = {}
        self._partials: dict[str, list[Entry]] = {}

    @staticmethod
    def of(folder: Folder, job_id: str) -> Journal:
        """The journal of a folder, as it is now."""
        if isinstance(folder, LocalFolder):
            return LocalJournal(folder, job_id)
        return RemoteJournal(folder, job_id) if isinstance(folder, RemoteFolder) else Journal(job_id)

    def whole(self, place: str) -> Received | None:
        """What is at `place`, if it is what this job brought, whole and unchanged. May be slow."""
        entry = self._entries.get(place)
        if entry is None or entry.job != self._job_id:
            return None
        # An empty file counts as missing: it is asked for again.
        return Received(entry.size, entry.sha256) if entry.size > 0 and self._is_there(entry) else None

    def partials(self, place: str) -> tuple[Entry | None, list[Entry]]:
        """The partial file to go on with, if any, and those that nobody goes on with."""
        noted = self._partials.get(place, [])
        entry = noted[-1] if noted and noted[-1].job == self._job_id else None
        return entry, [other for other in noted if entry is None or other.partial != entry.partial]

    @property
    def all_partials(self) -> list[Entry]:
        """All partial files that other processes may have left."""
        return [entry for noted in self._partials.values() for entry in noted]

    @property
    def is_empty(self) -> bool:
        """Whether it names no output at all."""
        return not self._entries

    def note(self, place: str, received: Received) -> None:
        """Write down that the output at `place` is whole."""

    def note_partial(self, place: str, partial: str, received: Received, validator: str) -> bool:
        """Write down what is in a partial file. False where no other process may go on with it."""
        return False

    def save(self) -> None:
        """Write what is not written yet."""

    def _is_there(self, entry: Entry) -> bool:
        return False

    def _read(self, lines: Iterable[str]) -> None:
        for entry in _entries_in(lines):
            if entry.partial:
                self._partials.setdefault(entry.place, []).append(entry)
            else:
                self._entries[entry.place] = entry


class LocalJournal(Journal):
    """A line is added for each file, at once: it holds whatever dies."""

    def __init__(self, folder: LocalFolder, job_id: str) -> None:
        super().__init__(job_id)
        self._root = folder.root
        self._path = folder.root / JOURNAL
        with suppress(OSError), self._path.open(encoding="utf-8", errors="replace") as lines:
            self._read(lines)

    def note(self, place: str, received: Received) -> None:
        """See `Journal`."""
        with suppress(OSError):  # a file that is whole stays whole, also where this cannot be noted
            self._append(Entry(self._job_id, place, received.size, received.sha256))

    def note_partial(self, place: str, partial: str, received: Received, validator: str) -> bool:
        """See `Journal`."""
        entry = Entry(self._job_id, place, received.size, received.sha256, "", partial, validator)
        with suppress(OSError):
            self._append(entry)
            return True
        return False

    def _append(self, entry: Entry) -> None:
        # One write, which no other process comes between. It begins a line of its own, also after
        # one that was cut off.
        place = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(place, f"\n{entry.to_line()}".encode())
        finally:
            os.close(place)

    def _is_there(self, entry: Entry) -> bool:
        try:
            with self._root.joinpath(entry.place).open("rb") as file:
                is_of_that_size = os.fstat(file.fileno()).st_size == entry.size
                return is_of_that_size and hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
        except OSError:
            return False


class RemoteJournal(Journal):
    """In a store, an object is known by its size and the store's own stamp: none is read again."""

    def __init__(self, folder: RemoteFolder, job_id: str) -> None:
        super().__init__(job_id)
        self._folder = folder
        self._noted: dict[str, Received] = {}
        self._lock = Lock()
        self._saved = time.monotonic()
        self._read((folder.text(JOURNAL) or "").splitlines())
        self._there: dict[str, tuple[int, str]] = {}
        if self._entries:
            with suppress(OSError):  # then all is fetched again
                self._there = self._stamps()

    def note(self, place: str, received: Received) -> None:
        """See `Journal`."""
        with self._lock:
            self._noted[place] = received
            is_due = time.monotonic() - self._saved > SAVED_EVERY
            self._saved = time.monotonic() if is_due else self._saved
        if is_due:
            self.save()

    def save(self) -> None:
        """See `Journal`."""
        with self._lock, suppress(OSError):
            if not self._noted:
                return
            self._there = self._stamps()
            for place, received in self._noted.items():
                if (there := self._there.get(place)) and there[0] == received.size:
                    self._entries[place] = Entry(self._job_id, place, received.size, received.sha256, there[1])
            with whole_file(self._folder, JOURNAL) as path:
                path.write_text("".join(f"{entry.to_line()}\n" for entry in self._entries.values()), encoding="utf-8")
            self._noted.clear()

    def _is_there(self, entry: Entry) -> bool:
        return self._there.get(entry.place) == (entry.size, entry.stamp)

    def _stamps(self) -> dict[str, tuple[int, str]]:
        # Where versions cannot be distinguished, nothing is known to be there.
        there = self._folder.files("frames", "composites")
        return {file.place: (file.size, str(file.stamp)) for file in there if file.stamp}


def _entries_in(lines: Iterable[str]) -> Iterator[Entry]:
    for line in lines:
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            found = json.loads(line)
            known = {name: _checked(found[name], kind) for name, kind in _KINDS.items() if name in found}
            yield Entry(**known)


_KINDS = {"job": str, "place": str, "size": int, "sha256": str, "stamp": str, "partial": str, "validator": str}


def _checked(value: T, kind: type[T]) -> T:
    if type(value) is not kind:
        raise TypeError(kind)
    return value
