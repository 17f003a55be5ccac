"""Where outputs land: names that come from outside, made harmless, distinct and stable.

`fileName`, `relativePath`, `view` and node names are Renderjuice's texts, and through it the scene author's. A name that would
leave the destination does not have its way: only its harmless parts remain.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from renderjuice_provider.api.models import Downloads, OutputFile

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*/\\]')
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
_LONGEST = 120
"""Bytes of one name: well under the 255 of common file systems, with room for the suffixes that we add."""


@dataclass(frozen=True)
class PlannedFile:
    """One output and its place below the destination."""

    place: PurePosixPath
    kind: str
    """`frame` or `composite`."""
    source: OutputFile


def plan(downloads: Downloads) -> tuple[PlannedFile, ...]:
    """A place for every output: `frames/...` and `composites/...`, no two alike, even where case does not count."""
    wanted = [(_frame_place(file), "frame", file) for file in downloads.frame_files]
    wanted += [(_composite_place(file), "composite", file) for file in downloads.composite_files]
    places = _Places()
    return tuple(PlannedFile(places.take(place), kind, file) for place, kind, file in wanted)


def _frame_place(file: OutputFile) -> PurePosixPath:
    return _place("frames", [file.view or ""], output_name(file))


def _composite_place(file: OutputFile) -> PurePosixPath:
    if file.relative_path:
        *folders, name = re.split(r"[/\\]", file.relative_path)
        return _place("composites", folders, name)
    return _place("composites", [file.composite_node_name or "", file.view or ""], output_name(file))


def _place(root: str, folders: Iterable[str], name: str) -> PurePosixPath:
    """Parts that mean "here", "up" or nothing are dropped; a file keeps some name."""
    safe = [_safe_name(folder) for folder in folders]
    return PurePosixPath(root, *filter(None, safe), _safe_name(name) or "output")


def output_name(file: OutputFile) -> str:
    """The file's own name, or as a last resort what its URL ends with. Still as it came: not safe as a path."""
    return file.file_name or unquote(urlsplit(file.url).path).rpartition("/")[2] or "output"


def _safe_name(text: str) -> str:
    # NFKC turns look-alikes (full-width slashes and dots) into what they look like, so that the next lines see them.
    text = _UNSAFE.sub("_", unicodedata.normalize("NFKC", text)).strip(" .")
    text = "".join(char for char in text if unicodedata.category(char) not in {"Cf", "Cs", "Co", "Cn"})
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
    """The places given so far: a file is neither another file nor a folder of one."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def take(self, place: PurePosixPath) -> PurePosixPath:
        if any(str(folder).casefold() in self._files for folder in place.parents):
            place = PurePosixPath(place.parts[0], _shorten("_".join(place.parts[1:])))
        candidate, number = place, 2
        while (key := str(candidate).casefold()) in self._files or key in self._folders:
            candidate = place.with_name(f"{place.stem}-{number}{place.suffix}")
            number += 1
        self._files.add(key)
        self._folders.update(str(folder).casefold() for folder in candidate.parents)
        return candidate
