"""Scene files: the tiny *fast scenes* that tests write, and how an upload is opened.

A fast scene is the header of an uncompressed `.blend` followed by a JSON description. The fast
renderer reads the description; Blender cannot open the file.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from renderjuice_emulator.archives import safe_name, unpack
from renderjuice_emulator.rendering import RenderFailedError, SceneReport

_HEADER = b"BLENDER-v405".ljust(32, b"\0")
_MARK = b"RENDERJUICE-FAST-SCENE\n"
_KNOWN_BEGINNINGS = (b"BLENDER", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
"""Of every .blend: plain (up to Blender 5's longer header), gzip (before 3.0), and zstd."""

_MAX_DESCRIPTION = 1 << 20


@dataclass(frozen=True)
class SceneDescription:
    """What a fast scene says to the fast renderer. Times are emulated seconds."""

    report: SceneReport = field(default_factory=SceneReport)
    seconds_per_frame: float = 2.0
    validation_seconds: float = 5.0
    fail_validation: tuple[str, str] | None = None
    """`(name, type)` of the `failedReason` with which validation fails."""
    fail_at_frame: int | None = None
    """The render fails when it comes to this frame."""
    missing_output_frames: tuple[int, ...] = ()
    """Frames that the render passes over in silence: the job completes without them."""
    black_frames: tuple[int, ...] = ()
    """Frames that are meant to be black."""


_REPORT_FIELDS = frozenset(item.name for item in fields(SceneReport))
_DESCRIPTION_FIELDS = frozenset(item.name for item in fields(SceneDescription)) - {"report"}


def write_scene(path: Path, *, size: int = 0, **description: Any) -> Path:
    """Write a fast scene to `path` and return the path.

    Args:
        path: a name that ends in `.blend`.
        size: pad the file to this many bytes, sparsely, for tests of large uploads.
        description: any field of `SceneReport` and `SceneDescription`, such as
            `frame_end=24, seconds_per_frame=60`. What is not given has the default of its field.
    """
    if unknown := description.keys() - _REPORT_FIELDS - _DESCRIPTION_FIELDS:
        raise TypeError(f"a scene has no {', '.join(sorted(unknown))}")
    scene = _description(description)
    text = json.dumps(asdict(scene.report) | {name: getattr(scene, name) for name in sorted(_DESCRIPTION_FIELDS)})
    with path.open("wb") as file:
        file.write(_HEADER + _MARK + text.encode() + b"\n")
        if size:
            file.truncate(max(size, file.tell()))
    return path


def read_scene(path: Path) -> SceneDescription:
    """The description in a fast scene; the defaults for any other `.blend`.

    Raises:
        RenderFailedError: the file is not a `.blend`, or its description is damaged.
    """
    with path.open("rb") as file:
        start = file.read(len(_HEADER) + len(_MARK))
        if not start.startswith(_KNOWN_BEGINNINGS):
            raise RenderFailedError("the scene is not a Blender file", "INVALID_SCENE_FILE")
        if not start.endswith(_MARK):
            return SceneDescription()
        text = file.readline(_MAX_DESCRIPTION)
    try:
        return _description(json.loads(text))
    except (ValueError, TypeError) as error:
        raise RenderFailedError("the scene has a damaged description", "INVALID_SCENE_FILE") from error


def open_upload(upload: Path, folder: Path, name: str = "") -> Path:
    """The `.blend` of an upload, in a folder of its own.

    The one that was sent, or the scene inside a `.zip`.

    Args:
        upload: what was sent.
        folder: what a `.zip` is unpacked into, and where a `.blend` goes if it has a `name`.
        name: the client's name of a `.blend`, which Blender may put into the names of outputs
            (`{blend_name}`).

    Raises:
        RenderFailedError: for a broken, encrypted or hostile archive or one without a scene.
    """
    if upload.suffix == ".zip":
        return unpack(upload, folder)
    safe = safe_name(name)
    if not safe:
        return upload
    folder.mkdir(parents=True, exist_ok=True)
    scene = folder / safe
    try:
        scene.hardlink_to(upload)
    except OSError:  # not on every file system
        shutil.copyfile(upload, scene)
    return scene


def _description(values: dict[str, Any]) -> SceneDescription:
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    report = SceneReport(**{name: values[name] for name in values.keys() & _REPORT_FIELDS})
    return SceneDescription(report, **{name: values[name] for name in values.keys() & _DESCRIPTION_FIELDS})
