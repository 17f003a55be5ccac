"""Runs in a Blender of its own: writes a scene as if it had always lain elsewhere.

    blender --background ... --python repacked_scene.py -- '{"scene": ..., "among_files": ...}'

Blender's own operators rewrite the paths, so every kind is covered: images and their tiles,
sequences, movies, fonts, caches, libraries. Only paths inside of linked libraries stay as they are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bpy


def rewrite(scene: str, among_files: str, target: str) -> None:
    """Save `scene` as `target`.

    Args:
        scene: the `.blend`, which is only read.
        among_files: where it would lie in the folder `assets` beside `target`.
        target: the new one. What the scene reached by a relative path is reached below `assets`.
    """
    bpy.ops.wm.open_mainfile(filepath=scene, load_ui=False, use_scripts=False)
    bpy.ops.file.make_paths_relative()
    Path(among_files).parent.mkdir(parents=True, exist_ok=True)
    # The same relative paths at another place: so they lead below `assets` now.
    bpy.ops.wm.save_as_mainfile(filepath=among_files, relative_remap=False, compress=False)
    bpy.ops.wm.save_as_mainfile(filepath=target, relative_remap=True, compress=True)


if __name__ == "__main__":
    rewrite(**json.loads(sys.argv[-1]))
