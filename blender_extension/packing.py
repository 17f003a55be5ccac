"""A zip of a scene with all its files, in which every path leads to the file that it led to before.

    shot.blend                       its paths are relative to it: //assets/textures/wood.png
    assets/shots/sh010/...           the studio's folders below the deepest one that holds all files
    assets/textures/wood.png
    blendcache_shot/...              where Blender itself seeks baked simulations: beside the scene

The folders below `assets` are as they are in the studio, so relative paths inside of linked
libraries lead where they did. The paths of the scene are rewritten by Blender itself, in a process
of its own (`repacked_scene.py`): the open scene is not touched, and may go on.

A scene without files is sent as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ASSETS = "assets"
_STORED = frozenset(
    {".blend", ".exr", ".gz", ".jpeg", ".jpg", ".mkv", ".mov", ".mp3", ".mp4", ".png", ".vdb", ".webp", ".zip"}
)
"""Kinds of files that are compressed already."""
_LONGEST = 3600
"""Seconds that Blender may take to read and write a scene: an hour is a scene of 100 GB."""
_SHOWN = 1000
"""Characters of Blender's last words in an error."""


class PackingError(Exception):
    """The scene cannot be packed; the text says why, and what to do."""


@dataclass(frozen=True)
class Needs:
    """What a scene is made of.

    Attributes:
        scene: the saved `.blend`.
        files: every file that it needs, linked libraries among them, by absolute path.
        caches: files in the folder beside the scene where Blender itself seeks simulations.
    """

    scene: Path
    files: tuple[Path, ...] = ()
    caches: tuple[Path, ...] = ()


def pack(needs: Needs, folder: Path, blender: Sequence[str]) -> Path:
    """The file to render, in `folder`: a zip, or a copy of the scene where it has no files.

    What is packed again without a change is left as it is, to its last byte. So a pipeline sees
    that nothing is new.

    Args:
        needs: of the scene.
        folder: made if it does not exist.
        blender: the command that runs a script in Blender: see `blender_command`.

    Raises:
        PackingError: when a file cannot be read, or Blender cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not needs.files and not needs.caches:
            return _copied(needs.scene, folder)
        return _zipped(needs, folder / f"{needs.scene.stem}.zip", blender)
    except (OSError, zipfile.BadZipFile) as error:
        raise PackingError(f"The scene cannot be packed: {error}") from error


def places(needs: Needs) -> dict[Path, str]:
    """Where each file lies in the zip; of the scene itself, where it would lie among its files.

    Raises:
        PackingError: when a file lies on another drive, to which no relative path leads.
    """
    everything = (needs.scene, *needs.files)
    try:
        root = Path(os.path.commonpath([path.parent for path in everything]))
    except ValueError:
        drive = needs.scene.drive
        far = next(path for path in needs.files if path.drive != drive)
        raise PackingError(
            f"{far} lies on another drive than the scene. Copy it to {drive}, beside the scene"
        ) from None
    found = {path: f"{ASSETS}/{path.relative_to(root).as_posix()}" for path in everything}
    beside = needs.scene.parent
    return found | {path: path.relative_to(beside).as_posix() for path in needs.caches}


def blender_command(binary: str) -> list[str]:
    """What runs a script in a Blender without windows, preferences and add-ons.

    Args:
        binary: Blender's own; empty where Blender is a module of this Python.
    """
    if not binary:
        return [sys.executable, "-P"]  # what lies beside the script must not shadow other modules
    options = ["--background", "--factory-startup", "--disable-autoexec", "--python-exit-code", "1"]
    return [binary, *options, "--python"]


def _copied(scene: Path, folder: Path) -> Path:
    target = folder / scene.name
    if not (target.is_file() and _sha256(target) == _sha256(scene)):
        with _replacing(target) as partial_file:
            partial_file.write_bytes(scene.read_bytes())
    return target


def _zipped(needs: Needs, target: Path, blender: Sequence[str]) -> Path:
    names = places(needs)
    mark = _mark(needs, names)
    if _mark_of(target) == mark:
        return target
    with TemporaryDirectory(prefix="renderjuice-") as made, _replacing(target) as partial_file:
        scene = Path(made, needs.scene.name)
        _rewrite(needs.scene, scene, Path(made, names.pop(needs.scene)), blender)
        with zipfile.ZipFile(partial_file, "w", compresslevel=1) as archive:
            archive.comment = mark
            _add(archive, scene, scene.name)
            for path, name in sorted(names.items(), key=lambda item: item[1]):
                _add(archive, path, name)
    return target


def _rewrite(scene: Path, target: Path, among_files: Path, blender: Sequence[str]) -> None:
    """Let Blender write `scene` as `target`, with paths as if it had lain at `among_files`."""
    script = str(Path(__file__).with_name("repacked_scene.py"))
    order = json.dumps({"scene": str(scene), "among_files": str(among_files), "target": str(target)})
    try:
        done = subprocess.run(  # noqa: S603 - Blender itself
            [*blender, script, "--", order],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PackingError(f"Blender took more than {_LONGEST // 60} minutes to read {scene.name} again") from None
    if done.returncode or not target.is_file():
        words = (done.stderr.strip() or done.stdout.strip())[-_SHOWN:]
        raise PackingError(f"Blender could not write {scene.name} with other paths: {words}")


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    """Without the file's time: the same content makes the same zip."""
    about = zipfile.ZipInfo(name)
    about.compress_type = zipfile.ZIP_STORED if path.suffix.lower() in _STORED else zipfile.ZIP_DEFLATED
    about.external_attr = 0o644 << 16
    about.file_size = path.stat().st_size
    with path.open("rb") as source, archive.open(about, "w") as into:
        while piece := source.read(1 << 20):
            into.write(piece)


def _mark(needs: Needs, names: dict[Path, str]) -> bytes:
    """Fingerprint of what goes into the zip: blends by their bytes, others by size and time.

    Every file is read when it is packed; to read gigabytes of caches also to find out that nothing
    has changed would cost minutes.
    """
    facts: list[list[str | int]] = [["scene", _sha256(needs.scene)]]
    for path, name in sorted(names.items(), key=lambda item: item[1]):
        about = path.stat()
        content = [_sha256(path)] if path.suffix.lower() == ".blend" else [about.st_size, about.st_mtime_ns]
        facts.append([name, *content])
    return f"renderjuice {hashlib.sha256(json.dumps(facts).encode()).hexdigest()}".encode()


def _mark_of(archive: Path) -> bytes | None:
    try:
        with zipfile.ZipFile(archive) as there:
            return there.comment
    except (OSError, zipfile.BadZipFile):
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _replacing:  # noqa: N801 - reads as a verb
    """A file beside `target` that takes its place once it is whole."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._partial = target.with_name(f".{target.name}.part")

    def __enter__(self) -> Path:
        return self._partial

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._partial.replace(self._target)
        else:
            self._partial.unlink(missing_ok=True)


def files_in(folder: Path) -> Iterator[Path]:
    """Every file in a folder, at any depth."""
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def unique(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Each path once, sorted."""
    return tuple(sorted(set(paths)))
