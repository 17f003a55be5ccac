"""Runs inside Blender: validates one scene, or renders it. Standard library and `bpy` only.

`renderjuice_emulator.blender` starts one of these for each job. The first line of standard input is
the order, as JSON:

    {"command": "analyze", "scene": "shot.blend"}
    {"command": "render", "scene": "shot.blend", "destination": "out", "frames": [1], "config": {}}

The answer is JSON, one message on each line of standard output: `report`, then nothing more; or one
`file` for each finished image; or `error`. Standard input stays open for as long as the answer is
wanted: at its end, Blender ends.

Works with Blender 4.2 to 5.x, as the `bpy` module or as `blender --background
--python blender_job.py`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy

# The other modules that run inside Blender. Their folder is on the path only now: what lies there
# must not shadow Blender's modules.
sys.path.append(str(Path(__file__).parents[1]))
from renderjuice_emulator.blender_config import apply_config
from renderjuice_emulator.blender_errors import JobError, words
from renderjuice_emulator.blender_files import missing_files
from renderjuice_emulator.blender_needs import is_edit, needed
from renderjuice_emulator.blender_outputs import file_outputs, redirect
from renderjuice_emulator.blender_warnings import warnings
from renderjuice_emulator.fence import limits

sys.path.pop()


def open_scene(path: str) -> Any:
    """Open the `.blend`, running none of the scripts in it, and return its active scene."""
    try:
        bpy.ops.wm.open_mainfile(filepath=path, load_ui=False, use_scripts=False)
    except RuntimeError as error:
        # Blender may also complain of a scene that it has opened, say because a linked library is
        # gone.
        if not bpy.data.filepath:
            raise JobError("SCENE_UNREADABLE", words(error)) from error
    _switch_off_style_modules()
    return bpy.context.scene


def _switch_off_style_modules() -> None:
    """Switch off Freestyle's modules: Python that runs also where scripts are disabled.

    Their mode stays: the report warns of that.
    """
    for layer in (layer for scene in bpy.data.scenes for layer in scene.view_layers):
        for module in layer.freestyle_settings.modules:
            module.use = False


def analyze(scene: Any) -> dict[str, Any]:
    """Everything that `SceneReport` asks for, by the names of its fields."""
    render = scene.render
    blocks, troubles = _tried(lambda: needed(scene), {scene}, "what is rendered")
    (missing, unchecked), trouble = _tried(lambda: missing_files(scene, blocks), ([], []), "missing files")
    outputs, no_outputs = _tried(lambda: _linked_outputs(scene), [], "outputs of the compositor")
    return {
        "engine": render.engine,
        "cameras": _cameras(scene),
        "frame_start": scene.frame_start,
        "frame_end": scene.frame_end,
        "frame_step": scene.frame_step,
        "resolution": [render.resolution_x, render.resolution_y],
        "resolution_percentage": render.resolution_percentage,
        "samples": scene.cycles.samples if render.engine == "CYCLES" else scene.eevee.taa_render_samples,
        "fps": round(render.fps / render.fps_base, 3),
        "film_transparent": render.film_transparent,
        "view_layers": [layer.name for layer in scene.view_layers if layer.use],
        "views": [view.name for view in _views(render)],
        "missing_files": missing,
        "compositor_outputs": outputs,
        "blender_version": bpy.app.version_string,
        "warnings": warnings(scene, blocks) + unchecked + troubles + trouble + no_outputs,
    }


def _linked_outputs(scene: Any) -> list[str]:
    """A node without a link writes nothing, so nothing is to wait for it."""
    return [name for name, node in file_outputs(scene) if any(socket.is_linked for socket in node.inputs)]


def _tried(check: Callable[[], Any], default: Any, what: str) -> tuple[Any, list[str]]:
    """What a check of the scene finds; where it fails, a default and a sentence.

    One odd thing must not end the whole analysis.
    """
    try:
        return check(), []
    except Exception as error:  # noqa: BLE001
        return default, [f"Could not find out: {what} ({words(error)})."]


def render(scene: Any, destination: Path, frames: list[int], config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Render into `destination` as `0001.png`, and yield each file once it is closed.

    Composites go into a folder for each node.
    """
    apply_config(scene, config)
    redirect(scene, destination)
    folders = [name for name, _ in file_outputs(scene)]
    seen: set[tuple[Path, int]] = set()
    for folder in folders:
        _unseen(destination / folder, seen)  # What an earlier render left there.
    for frame in frames:
        _render_frame(scene, frame)
        for path, view in _frame_paths(scene, frame):
            if not path.exists():
                raise JobError("RENDER_ERROR", f"frame {frame}: Blender wrote no image; has the compositor an output?")
            yield {"path": str(path), "frame": frame, "kind": "frame", "view": view}
        for folder in folders:
            for path in _unseen(destination / folder, seen):
                yield {
                    "path": str(path),
                    "frame": frame,
                    "kind": "composite",
                    "view": next((v.name for v in _views(scene.render) if path.stem.endswith(v.file_suffix)), None),
                    "node": folder,
                    "relative_path": path.relative_to(destination).as_posix(),
                }


def _render_frame(scene: Any, frame: int) -> None:
    scene.frame_start = scene.frame_end = frame
    if scene.frame_start != frame:
        raise JobError("INVALID_CONFIG", f"Blender cannot render frame {frame}: frames begin at {scene.frame_start}")
    scene.frame_set(frame)  # May switch the camera (markers) and view layers (animation).
    if not is_edit(scene):
        if scene.camera is None:
            raise JobError("NO_CAMERA", f"frame {frame}: the scene {scene.name!r} has no active camera")
        if not any(layer.use for layer in scene.view_layers):
            # Blender would go on and write an empty image. No customer wants to pay for that.
            raise JobError("RENDER_ERROR", f"frame {frame}: all view layers are disabled for rendering")
    for path, _ in _frame_paths(scene, frame):
        path.unlink(missing_ok=True)  # An earlier render's image must not pass for this one's.
    try:
        # As an animation of one frame, for only then do file-output nodes put the frame's number
        # into their names.
        bpy.ops.render.render(animation=True)
    except RuntimeError as error:
        raise JobError("RENDER_ERROR", f"frame {frame}: {words(error)}") from error


def _views(render: Any) -> list[Any]:
    return [view for view in render.views if view.use] if render.use_multiview else []


def _frame_paths(scene: Any, frame: int) -> list[tuple[Path, str | None]]:
    """Where Blender has put this frame: one file, or one for each view unless they share it."""
    views = _views(scene.render)
    if not views or scene.render.image_settings.views_format != "INDIVIDUAL":
        return [(Path(scene.render.frame_path(frame=frame)), None)]
    return [(Path(scene.render.frame_path(frame=frame, view=view.name)), view.name) for view in views]


def _unseen(folder: Path, seen: set[tuple[Path, int]]) -> list[Path]:
    """Files that are new, or have been written again, since the last call."""
    files = {(path, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}
    new = files - seen
    seen |= new
    return sorted(path for path, _ in new)


def _cameras(scene: Any) -> list[str]:
    """All cameras, the active one first; empty without an active one, which rendering needs."""
    active = scene.camera or next((marker.camera for marker in scene.timeline_markers if marker.camera), None)
    if active is None:
        return []
    return [active.name, *(each.name for each in scene.objects if each.type == "CAMERA" and each.name != active.name)]


def _end_with_parent() -> None:
    """Wait for the end of standard input: the emulator stopped wanting this job, or died."""
    while os.read(0, 1024):
        pass
    os._exit(1)


def main() -> None:
    """Take the order, answer it, end."""
    limits()
    # Blender chats on standard output. Keep the channel for ourselves and send the chat where the
    # errors go.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def send(message: str, fields: dict[str, Any]) -> None:
        channel.write(json.dumps({"message": message, **fields}) + "\n")

    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    status = 0
    try:
        bpy.ops.wm.read_factory_settings(use_empty=True)  # Without preferences and add-ons.
        scene = open_scene(order["scene"])
        if order["command"] == "analyze":
            send("report", analyze(scene))
        else:
            for file in render(scene, Path(order["destination"]), order["frames"], order["config"]):
                send("file", file)
    except JobError as error:
        send("error", {"type": error.type, "name": str(error)})
    except Exception:  # noqa: BLE001 - reported as a crash, by the last words of standard error
        traceback.print_exc()
        status = 1
    channel.close()
    sys.stderr.flush()
    os._exit(status)  # All is written. Freeing every mesh takes time, and may crash.


if __name__ == "__main__":
    main()
