"""Where outputs land: names that come from outside, made harmless, distinct and stable.

`fileName`, `relativePath`, `view` and node names are Renderjuice's texts, and through it the scene author's. A name that would
leave the destination does not have its way: only its harmless parts remain.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from renderjuice_provider.api.models import Downloads, OutputFile
from renderjuice_provider.api.redact import without_url_secrets

_UNSAFE = re.compile(r'[<>:"|?*/\\]')
_RESERVED = re.compile(r"^(con|conin\$|conout\$|prn|aux|nul|com[0-9]|lpt[0-9])\s*(\.|$)", re.IGNORECASE)
_LONGEST = 120
"""Bytes of one name: well under the 255 of common file systems, with room for what a download in progress adds."""
_DEEPEST = 400
"""Bytes of a place; a longer one loses its folders. Paths of some systems end at 1024, and the destination needs its share."""


@dataclass(frozen=True)
class PlannedFile:
    """One output and its place below the destination."""

    place: PurePosixPath
    kind: str
    """`frame` or `composite`."""
    source: OutputFile

    @property
    def view(self) -> str | None:
        """Of stereo and multiview renders."""
        return self.source.view

    @property
    def node(self) -> str | None:
        """Of the compositor."""
        return self.source.composite_node_name


def plan(downloads: Downloads) -> tuple[PlannedFile, ...]:
    """A place for every output: `frames/...` and `composites/...`, no two alike, even where case does not count."""
    composites = [_without_url_secrets(file) for file in downloads.composite_files]
    shared = _shared_paths(composites)
    wanted = [(_frame_place(file), "frame", file) for file in map(_without_url_secrets, downloads.frame_files)]
    wanted += [(_composite_place(file, shared), "composite", file) for file in composites]
    places = _Places()
    return tuple(PlannedFile(places.take(place), kind, file) for place, kind, file in wanted)


def _without_url_secrets(file: OutputFile) -> OutputFile:
    """Who names a file by its signed URL would have the signature in manifests, XComs and logs."""
    texts = {name: getattr(file, name) for name in ("file_name", "relative_path", "view", "composite_node_name")}
    found = {name: without_url_secrets(text) for name, text in texts.items() if text and ":/" in text}
    return file.model_copy(update=found) if found else file


def _frame_place(file: OutputFile) -> PurePosixPath:
    return _place("frames", [file.view or ""], output_name(file))


def _composite_place(file: OutputFile, shared: Collection[str]) -> PurePosixPath:
    name = output_name(file)
    if not file.relative_path:
        return _place("composites", [file.composite_node_name or "", file.view or ""], name)
    parts = [part for part in re.split(r"[/\\]", file.relative_path) if part.strip(" .")]
    if parts and file.relative_path not in shared and _is_file(parts[-1], name, told=bool(file.file_name)):
        name = parts.pop()
    return _place("composites", parts, name)


def _is_file(last: str, name: str, *, told: bool) -> bool:
    """Whether a `relativePath` that ends so is the whole path of a file: the documentation leaves open whether it is a folder.

    It is, where it ends with the file's own name, or at least with its extension; where we had to take the name from a URL, with
    any extension.
    """
    suffix = PurePosixPath(last).suffix.casefold()
    return last.casefold() == name.casefold() or bool(
        suffix and (not told or suffix == PurePosixPath(name).suffix.casefold())
    )


def _shared_paths(files: Iterable[OutputFile]) -> set[str]:
    """Those `relativePath`s that lead to files of several names, and so can only be folders."""
    names: dict[str, set[str]] = {}
    for file in files:
        if file.relative_path:
            names.setdefault(file.relative_path, set()).add(output_name(file))
    return {path for path, of_path in names.items() if len(of_path) > 1}


def _place(root: str, folders: Iterable[str], name: str) -> PurePosixPath:
    """Parts that mean "here", "up" or nothing are dropped; a file keeps some name."""
    safe, last = [_safe_name(folder) for folder in folders], _safe_name(name) or "output"
    place = PurePosixPath(root, *filter(None, safe), last)
    return place if len(str(place).encode()) <= _DEEPEST else PurePosixPath(root, last)


def output_name(file: OutputFile) -> str:
    """The file's own name, or as a last resort what its URL ends with. Still as it came: not safe as a path."""
    return file.file_name or _last_part(file.url) or "output"


def _last_part(url: str) -> str:
    try:
        return unquote(urlsplit(url).path).rpartition("/")[2]
    except ValueError:
        return ""


def _safe_name(text: str) -> str:
    # NFKC turns look-alikes (full-width slashes and dots) into what they look like; what cannot be seen must not hide anything.
    text = "".join(char if char.isprintable() else "_" for char in unicodedata.normalize("NFKC", text))
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
    """The places given so far: a file is neither another file nor a folder of one.

    The second of one name goes to a folder of its own, under the same name: a number added to a frame's name would make it look
    like another frame.
    """

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._copies: dict[str, int] = {}

    def take(self, place: PurePosixPath) -> PurePosixPath:
        if any(_key(folder) in self._files for folder in place.parents):
            place = PurePosixPath(place.parts[0], _shorten("_".join(place.parts[1:])))
        candidate, number = place, self._copies.get(_key(place), 1)
        while not self._is_free(candidate):
            number += 1
            candidate = place.with_name(f"copy-{number}") / place.name
        self._copies[_key(place)] = number
        self._files.add(_key(candidate))
        self._folders.update(map(_key, candidate.parents))
        return candidate

    def _is_free(self, place: PurePosixPath) -> bool:
        taken = _key(place) in self._files or _key(place) in self._folders
        return not taken and not any(_key(folder) in self._files for folder in place.parents)


def _key(place: PurePosixPath) -> str:
    """Alike for two places that a file system without case would take for one."""
    return unicodedata.normalize("NFC", str(place).casefold())
