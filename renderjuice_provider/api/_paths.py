"""Where outputs are written: names that come from outside, made harmless, distinct and stable.

`fileName`, `relativePath`, `view` and node names come from Renderjuice, and from the scene's
author. A name that would lead out of the destination loses the parts that do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from renderjuice_provider.api._lazy import LazySequence
from renderjuice_provider.api.models import Downloads, OutputFile
from renderjuice_provider.api.redact import without_url_secrets

_Parts = tuple[str, ...]
"""The parts of a path."""
_SEPARATOR = re.compile(r"[/\\]")
_UNSAFE = re.compile(r'[<>:"|?*/\\]')
_RESERVED = re.compile(r"^(con|conin\$|conout\$|prn|aux|nul|com[0-9]|lpt[0-9])\s*(\.|$)", re.IGNORECASE)
_LONGEST = 120
"""Bytes of one name: well under the 255 of common file systems, with room for what a download in
progress adds."""
_DEEPEST = 400
"""Bytes of a place; a longer one loses its folders. Some systems end paths at 1024 bytes, and the
destination needs a part of them."""
_MOST_FOLDERS = 32
"""Folders above one file; a place with more loses them all. So 100,000 files are planned in a
second."""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One output and its place below the destination."""

    place: PurePosixPath
    kind: str
    """`frame` or `composite`."""
    source: OutputFile

    @property
    def view(self) -> str | None:
        """The view, in stereo and multiview renders."""
        return self.source.view

    @property
    def node(self) -> str | None:
        """The compositor's node."""
        return self.source.composite_node_name


def plan(downloads: Downloads) -> Sequence[PlannedFile]:
    """A place for every output: `frames/...` and `composites/...`.

    No two places are alike, even where upper and lower case are the same.
    """
    frames = LazySequence(downloads.frame_files, _without_url_secrets)
    composites = LazySequence(downloads.composite_files, _without_url_secrets)
    shared = _shared_paths(composites)
    taken = _Places()
    places = [taken.take(_frame_place(file)) for file in frames]
    places += [taken.take(_composite_place(file, shared)) for file in composites]

    def planned(number: int) -> PlannedFile:
        place = PurePosixPath(places[number])
        if number < len(frames):
            return PlannedFile(place, "frame", frames[number])
        return PlannedFile(place, "composite", composites[number - len(frames)])

    return LazySequence(range(len(places)), planned)


def _without_url_secrets(file: OutputFile) -> OutputFile:
    """Where a file is named by its signed URL, the signature stays out of manifests and logs."""
    texts = {name: getattr(file, name) for name in ("file_name", "relative_path", "view", "composite_node_name")}
    found = {name: without_url_secrets(text) for name, text in texts.items() if text and ":/" in text}
    return file.model_copy(update=found) if found else file


def _frame_place(file: OutputFile) -> _Parts:
    return _place("frames", [file.view or ""], output_name(file))


def _composite_place(file: OutputFile, shared: Collection[str]) -> _Parts:
    name = output_name(file)
    if not file.relative_path:
        return _place("composites", [file.composite_node_name or "", file.view or ""], name)
    parts = [part for part in _SEPARATOR.split(file.relative_path) if part.strip(" .")]
    if parts and file.relative_path not in shared and _is_file(parts[-1], name, has_name=bool(file.file_name)):
        name = parts.pop()
    return _place("composites", parts, name)


def _is_file(last: str, name: str, *, has_name: bool) -> bool:
    """Whether a `relativePath` is the whole path of a file. The documentation leaves this open.

    It is one when it ends with the file's own name, or at least with its extension. Where the name
    had to be taken from a URL, any extension will do.

    Args:
        last: the last part of the path.
        name: the file's.
        has_name: whether the API gave a name.
    """
    suffix = PurePosixPath(last).suffix.casefold()
    return last.casefold() == name.casefold() or bool(
        suffix and (not has_name or suffix == PurePosixPath(name).suffix.casefold())
    )


def _shared_paths(files: Iterable[OutputFile]) -> set[str]:
    """The `relativePath`s that several names share, and that can only be folders."""
    names: dict[str, set[str]] = {}
    for file in files:
        if file.relative_path:
            names.setdefault(file.relative_path, set()).add(output_name(file))
    return {path for path, of_path in names.items() if len(of_path) > 1}


def _place(root: str, folders: Sequence[str], name: str) -> _Parts:
    """Without parts that mean "here" or "up", or are empty. A file always has some name."""
    last = _safe_name(name) or "output"
    if len(folders) > _MOST_FOLDERS:
        return root, last
    safe = [_safe_name(folder) for folder in folders]
    parts = (root, *filter(None, safe), last)
    return parts if len("/".join(parts).encode()) <= _DEEPEST else (root, last)


def output_name(file: OutputFile) -> str:
    """The file's own name, or else what its URL ends with. Not yet safe as a path."""
    return file.file_name or _last_part(file.url) or "output"


def _last_part(url: str) -> str:
    try:
        return unquote(urlsplit(url).path).rpartition("/")[2]
    except ValueError:
        return ""


def _safe_name(text: str) -> str:
    # NFKC turns full-width slashes and dots into plain ones. Characters that cannot be seen are
    # replaced, so that they hide nothing.
    if len(text) > 4 * _LONGEST:
        text = text[: 3 * _LONGEST] + text[-_LONGEST:]  # the rest takes time for each character
    text = unicodedata.normalize("NFKC", text)
    if not text.isprintable():
        text = "".join(char if char.isprintable() else "_" for char in text)
    text = _UNSAFE.sub("_", text).strip(" .")
    if not text.strip("_. "):
        return ""
    if _RESERVED.match(text) or text.startswith(("-", "~")):
        text = f"_{text}"
    return _shorten(text)


def _shorten(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix.encode()) > 16:
        stem, dot, suffix = name, "", ""
    room = _LONGEST - len((dot + suffix).encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(" .") + dot + suffix


class _Places:
    """The places taken so far: none is that of another file, or of a folder above one.

    The last takes no longer than the first. The second file of one name goes to a folder of its
    own, under the same name: a number added to a frame's name would make another frame of it.
    """

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._copies: dict[str, int] = {}

    def take(self, parts: _Parts) -> str:
        if self._is_below_a_file([_key(part) for part in parts]):
            parts = (parts[0], _shorten("_".join(parts[1:])))
        keys = [_key(part) for part in parts]
        wanted = "/".join(keys)
        number = self._copies.get(wanted, 1)
        candidate = parts
        while not self._is_free(keys):
            number += 1
            candidate = (*parts[:-1], f"copy-{number}", parts[-1])
            keys = [_key(part) for part in candidate]
        self._copies[wanted] = number
        self._files.add("/".join(keys))
        if "/".join(keys[:-1]) not in self._folders:
            self._folders.update(_folders(keys))
        return "/".join(candidate)

    def _is_free(self, keys: list[str]) -> bool:
        place = "/".join(keys)
        return place not in self._files and place not in self._folders and not self._is_below_a_file(keys)

    def _is_below_a_file(self, keys: list[str]) -> bool:
        known = "/".join(keys[:-1]) in self._folders  # and with it all above it
        return not known and any(folder in self._files for folder in _folders(keys))


def _folders(keys: list[str]) -> list[str]:
    return ["/".join(keys[:length]) for length in range(1, len(keys))]


def _key(part: str) -> str:
    """The same for two names that are one name where upper and lower case are the same."""
    return part.lower() if part.isascii() else unicodedata.normalize("NFC", part.casefold())
