"""Runs inside Blender: what will look different from what the artist saw, as sentences.

A farm opens scenes with their scripts disabled, on machines without add-ons, and begins at any
frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import bpy

from renderjuice_emulator.blender_files import point_caches
from renderjuice_emulator.blender_needs import live_nodes

_SHOWN = 10


def warnings(scene: Any, blocks: Iterable[Any]) -> list[str]:
    """One sentence for each kind of trouble in the data-blocks that are rendered."""
    blocks = sorted(blocks, key=lambda block: (block.id_type, block.name))
    found = []
    for kind, find in _KINDS.items():
        try:
            culprits = list(dict.fromkeys(find(scene, blocks)))
        except Exception as error:  # noqa: BLE001 - one odd thing must not end the check of all others
            found.append(f"{kind}: could not be checked ({error}).")
            continue
        if culprits:
            found.append(f"{kind}: {', '.join(culprits[:_SHOWN])}{', ...' * (len(culprits) > _SHOWN)}.")
    return found


def _python_drivers(_: Any, blocks: list[Any]) -> list[str]:
    """Simple expressions are worked out without Python, and do run."""
    return [
        f"{block.name} ({curve.data_path})"
        for block in blocks
        for owner in (block, getattr(block, "node_tree", None))
        for curve in getattr(getattr(owner, "animation_data", None), "drivers", ())
        if curve.driver.type == "SCRIPTED" and not curve.driver.is_simple_expression and not curve.mute
    ]


def _scripts(_: Any, __: list[Any]) -> list[str]:
    return [text.name for text in bpy.data.texts if text.use_module]


def _script_nodes(_: Any, blocks: list[Any]) -> list[str]:
    return [block.name for block in blocks for node in live_nodes(block) if node.bl_idname == "ShaderNodeScript"]


def _unknown_nodes(_: Any, blocks: list[Any]) -> list[str]:
    return [
        f"{block.name} ({node.name})"
        for block in blocks
        for node in getattr(block if block.id_type == "NODETREE" else getattr(block, "node_tree", None), "nodes", ())
        if node.bl_idname == "NodeUndefined" or not node.is_registered_node_type()
    ]


def _freestyle(scene: Any, _: list[Any]) -> list[str]:
    if not scene.render.use_freestyle:
        return []
    return [
        layer.name for layer in scene.view_layers if layer.use_freestyle and layer.freestyle_settings.mode == "SCRIPT"
    ]


def _gpu_engine(scene: Any, _: list[Any]) -> list[str]:
    return [scene.render.engine] if scene.render.engine != "CYCLES" else []


def _newer(_: Any, __: list[Any]) -> list[str]:
    saved = tuple(bpy.data.version)
    return [".".join(map(str, saved))] if saved[:2] > bpy.app.version[:2] else []


def _not_baked(_: Any, blocks: list[Any]) -> list[str]:
    return [
        block.name for block in blocks for cache in point_caches(block) if not cache.is_baked and not cache.use_external
    ]


_KINDS: dict[str, Callable[[Any, list[Any]], list[str]]] = {
    "Drivers in Python do not run, for scripts are disabled; what they drive stays as it was saved": _python_drivers,
    "Scripts that register themselves when the scene is opened do not run": _scripts,
    "Freestyle modules in Python do not run, in the view layers": _freestyle,
    "Script nodes (OSL) render on a CPU, or on a GPU with OptiX, and are black elsewhere; materials": _script_nodes,
    "Nodes of an add-on that is not installed here do nothing": _unknown_nodes,
    "This engine needs a GPU with OpenGL or Vulkan, and fails without": _gpu_engine,
    f"Blender {bpy.app.version_string} may not know all that is in a file saved by a newer one": _newer,
    "Simulations that are not baked look different when rendering does not begin at their first frame": _not_baked,
}
