from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from renderjuice_emulator.blender import BlenderRenderer
from tests.support.blender_renders import BUILD_SCENE, COMMAND, TINY
from tests.support.raw_fixtures import emulator, manual_emulator, manual_raw_client, raw_client

__all__ = ["emulator", "manual_emulator", "manual_raw_client", "raw_client"]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds a scene with the script of the example DAGs; the same options give the same file."""
    built: dict[tuple[str, ...], Path] = {}

    def build_scene(*options: str) -> Path:
        if options not in built:
            path = tmp_path_factory.mktemp("scene") / "shot.blend"
            subprocess.run([COMMAND[0], str(BUILD_SCENE), str(path), *TINY, *options], check=True, capture_output=True)
            built[options] = path
        return built[options]

    return build_scene


@pytest.fixture
def altered(build, tmp_path) -> Callable[[str], Path]:
    """Opens the plain scene, runs some Python on it, and saves it elsewhere."""

    def alter(code: str) -> Path:
        path = tmp_path / "altered.blend"
        script = f"""
import bpy
bpy.ops.wm.open_mainfile(filepath={str(build())!r})
scene = bpy.context.scene
{textwrap.dedent(code)}
bpy.ops.wm.save_as_mainfile(filepath={str(path)!r}, relative_remap=False)
"""
        subprocess.run([COMMAND[0], "-c", script], check=True, capture_output=True)
        return path

    return alter


@pytest.fixture
def renderer() -> BlenderRenderer:
    return BlenderRenderer(COMMAND)
