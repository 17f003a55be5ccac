"""Tiny frames of the example scenes, rendered by a real Blender with one sample each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from renderjuice_emulator.blender import BlenderRenderer, find_blender
from renderjuice_emulator.rendering import RenderedFile, RenderOrder, SceneReport

BUILD_SCENE = Path(__file__).parents[2] / "dags" / "scenes" / "build_scene.py"
COMMAND = find_blender()
TINY = ("--frames", "4", "--resolution", "64x36", "--samples", "1")

HAS_BPY = COMMAND is not None and Path(COMMAND[0]).name.startswith("python")


def blender_test(function: Callable[..., object]) -> Callable[..., object]:
    """Marks a test that starts Blender. It needs the module, for that is what builds the scenes."""
    reason = "no bpy: install it into .venv-blender, or let RENDERJUICE_BLENDER name a Python that has it"
    marked: Callable[..., object] = pytest.mark.blender(pytest.mark.skipif(not HAS_BPY, reason=reason)(function))
    return marked


def order_for(scene: Path, destination: Path, **config: object) -> RenderOrder:
    return RenderOrder(scene, SceneReport(frame_end=4), destination, {"colorManagementPreset": "default", **config})


async def render(renderer: BlenderRenderer, order: RenderOrder) -> list[RenderedFile]:
    return [file async for file in renderer.render(order)]


def frames_of(files: list[RenderedFile]) -> list[RenderedFile]:
    return [file for file in files if file.kind == "frame"]
