"""The open scene: what it needs, and what speaks against rendering it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from .packing import Needs, files_in, unique

_NUMBER = re.compile(r"\d+(?=\D*$)")
_TILE = re.compile(r"<UDIM>|<UVTILE>")
_SHOWN = 5
"""Names in one sentence."""


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Attributes:
        text: one sentence, with what to do.
        stops: whether nothing is rendered before it is settled.
    """

    text: str
    stops: bool = True


@dataclass(frozen=True)
class Checked:
    """The open scene.

    Attributes:
        needs: for packing; None where it was never saved.
        findings: those that stop first.
        is_missing_files: whether files are missing, which can be permitted.
    """

    needs: Needs | None
    findings: tuple[Finding, ...]
    is_missing_files: bool = False


def check(scene: Any, *, may_miss_files: bool = False) -> Checked:
    """Look at the open scene, in a moment: nothing is read from disk but names.

    Args:
        scene: the active one.
        may_miss_files: render without the files that are missing.
    """
    if not bpy.data.filepath:
        return Checked(None, (Finding("The scene has never been saved: save it first (Ctrl S)"),))
    scene_file = Path(bpy.data.filepath)
    paths = {path for path in _paths() if not Path(path).is_relative_to(frames_folder(scene_file))}
    found, missing = _existing(paths)
    # A name without an ending is a folder: the cache of a simulation that may not have been baked.
    files = [path for path in missing if path.suffix]
    folders = [path for path in missing if not path.suffix]
    findings = [
        *_content(scene),
        *_about(files, "missing: search them with File > External Data > Find Missing Files", not may_miss_files),
        *_about(folders, "not baked: no frame will show what it would hold", stops=False),
        *_about(
            map(Path, _absolute_in_libraries()),
            "named by a linked library by an absolute path, which leads nowhere else: open the library, and use "
            "File > External Data > Make Paths Relative",
            stops=True,
        ),
    ]
    beside = scene_file.parent / f"blendcache_{scene_file.stem}"
    needs = Needs(scene_file, unique(found - {scene_file}), unique(files_in(beside)) if beside.is_dir() else ())
    return Checked(needs, tuple(sorted(findings, key=lambda each: not each.stops)), bool(files))


def frames_folder(scene_file: Path) -> Path:
    """Where frames come back to, beside the scene; each render has a folder of its own there.

    What lies there is opened in Blender to be looked at, so it is not packed.
    """
    return scene_file.parent / "renderjuice" / scene_file.stem


def is_changed() -> bool:
    """Whether what is open differs from what is on disk.

    Without windows, Blender always says that it does. What is on disk is rendered then: to save it
    again would make another file of it, which is paid again.
    """
    return bool(bpy.data.is_dirty and not bpy.app.background)


def frames_of(scene: Any) -> str:
    """The frames of the scene, as the pipeline is asked for them: such as `1-24`."""
    if scene.frame_step > 1:
        return ",".join(map(str, range(scene.frame_start, scene.frame_end + 1, scene.frame_step)))
    return f"{scene.frame_start}-{scene.frame_end}" if scene.frame_end > scene.frame_start else str(scene.frame_start)


def show_frames(frames: Iterable[Path], name: str) -> Any:
    """Open frames as one image sequence, in Blender's list of images; None without any."""
    ordered = sorted(frames)
    if not ordered:
        return None
    image = bpy.data.images.load(str(ordered[0]), check_existing=True)
    image.name = name
    if len(ordered) > 1:
        image.source = "SEQUENCE"
    return image


def _content(scene: Any) -> Iterator[Finding]:
    name = "strips_all" if bpy.app.version >= (4, 4) else "sequences_all"
    is_edit = scene.render.use_sequencer and len(getattr(scene.sequence_editor, name, ()))
    markers = any(marker.camera for marker in scene.timeline_markers)
    if scene.camera is None and not is_edit and not markers:
        yield Finding("The scene has no active camera: add one, or select one and press Ctrl Numpad 0")
    if scene.render.is_movie_format:
        yield Finding(
            "The output is a movie; a farm renders single frames, as PNG where nothing else is set", stops=False
        )


def _about(paths: Iterable[Path], what: str, stops: bool) -> list[Finding]:  # noqa: FBT001
    names = sorted({path.name for path in paths})
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [Finding(f"{', '.join(names[:_SHOWN])}{more}: {what}", stops)]


def _paths() -> Iterator[str]:
    """Absolute paths of all that the scene and its libraries name, without what is packed."""
    libraries = {_absolute(each.filepath) for each in bpy.data.libraries if not each.packed_file}
    ours = str(bpy.utils.resource_path("LOCAL")), str(bpy.utils.resource_path("SYSTEM"))
    for path in map(_absolute, bpy.utils.blend_paths(absolute=True, packed=False, local=False)):
        # What was appended remembers its library, and does not need it. Blender's own files are
        # in every Blender.
        is_remembered = path.lower().endswith(".blend") and path not in libraries
        is_blenders = any(place and path.startswith(place + os.sep) for place in ours)
        if Path(path).name and not path.startswith("<") and not is_remembered and not is_blenders:
            yield path


def _existing(paths: Iterable[str]) -> tuple[set[Path], list[Path]]:
    """The files that these paths stand for, and the paths that stand for none."""
    sequences = set(_sequences())
    found: set[Path] = set()
    missing = []
    for path in paths:
        here = set(_files(Path(path), is_sequence=path in sequences))
        found |= here
        if not here:
            missing.append(Path(path))
    return found, missing


def _files(path: Path, *, is_sequence: bool) -> Iterator[Path]:
    if path.is_dir():
        yield from files_in(path)
        return
    number = _NUMBER.search(path.name) if is_sequence else _TILE.search(path.name)
    if number is None:
        if path.is_file():
            yield path
        return
    before, after = path.name[: number.start()], path.name[number.end() :]
    pattern = re.compile(re.escape(before) + (r"-?\d+" if is_sequence else r"(\d{4}|u\d+_v\d+)") + re.escape(after))
    with os.scandir(path.parent) if path.parent.is_dir() else _nothing() as entries:
        yield from (Path(entry.path) for entry in entries if pattern.fullmatch(entry.name) and entry.is_file())


class _nothing:  # noqa: N801 - stands for a folder that is not there
    def __enter__(self) -> Iterator[Any]:
        return iter(())

    def __exit__(self, *_: object) -> None:
        pass


def _sequences() -> Iterator[str]:
    """The paths that stand for one file a frame."""
    data = bpy.data
    for each in (*data.images, *data.movieclips):
        if each.source == "SEQUENCE":
            yield _absolute(each.filepath, each.library)
    for each in (*data.volumes, *data.cache_files):
        if each.is_sequence:
            yield _absolute(each.filepath, each.library)


def _absolute_in_libraries() -> Iterator[str]:
    """What linked data names by absolute paths."""
    everything = set(bpy.utils.blend_paths(absolute=False, packed=False, local=False))
    own = set(bpy.utils.blend_paths(absolute=False, packed=False, local=True))
    linked = {each.filepath for each in bpy.data.images if each.library}  # the open scene may use it, too
    named = set(_paths())
    for path in everything & linked | everything - own:
        if Path(path).is_absolute() and not path.startswith("//") and _absolute(path) in named:
            yield path


def _absolute(path: str, library: Any = None) -> str:
    return os.path.normpath(str(bpy.path.abspath(path.replace("\\", "/") if os.sep == "/" else path, library=library)))
