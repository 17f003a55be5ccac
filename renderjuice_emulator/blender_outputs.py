"""Runs inside Blender: the compositor's file-output nodes.

Each has a folder of its own, in which all its files stay.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from renderjuice_emulator.blender_needs import compositor, is_edit, strips


def file_outputs(scene: Any) -> list[tuple[str, Any]]:
    """The nodes, also those inside groups, each with a folder name that no other has."""
    found: dict[str, Any] = {}
    taken: set[str] = set()
    for tree, node in _nodes(scene):
        if node.bl_idname == "CompositorNodeOutputFile":
            name = bpy.path.clean_name(node.name)
            found[_unlike(taken, name, f"{bpy.path.clean_name(tree.name)}_{name}")] = node
    return list(found.items())


def redirect(scene: Any, destination: Path) -> None:
    """Send the frames to `destination`, and each file-output node to a folder of its own there."""
    scene.render.filepath = str(destination / "####")
    for name, node in file_outputs(scene):
        folder = destination / name
        folder.mkdir(parents=True, exist_ok=True)
        if hasattr(node, "directory"):  # Blender 5
            node.directory, node.file_name = str(folder), _inside(node.file_name)
            slots, attribute = node.file_output_items, "name"
        elif node.format.file_format == "OPEN_EXR_MULTILAYER":
            node.base_path = str(folder / (_inside(Path(bpy.path.abspath(node.base_path)).name) or "layers"))
            continue
        else:
            node.base_path = str(folder)
            slots, attribute = node.file_slots, "path"
        taken: set[str] = set()
        for slot in slots:
            inside = _unlike(taken, _inside(getattr(slot, attribute)))
            if inside != getattr(slot, attribute):
                setattr(slot, attribute, inside)


def _nodes(scene: Any) -> Iterator[tuple[Any, Any]]:
    """Every node of every tree that composites, with its tree.

    Scenes that are strips of an edit composite, too.
    """
    scenes = [scene]
    if is_edit(scene):
        scenes += [strip.scene for strip in strips(scene) if strip.type == "SCENE" and strip.scene]
    trees = [tree for tree in map(compositor, scenes) if tree is not None]
    for tree in trees:
        for node in tree.nodes:
            if node.mute:
                continue
            yield tree, node
            if getattr(node, "node_tree", None) not in (None, *trees):
                trees.append(node.node_tree)


def _unlike(taken: set[str], *names: str) -> str:
    """The first name that is not taken, or the last with a number.

    Not every disk distinguishes `Glow` from `glow`.
    """
    numbered = (f"{names[-1]}_{number}" for number in range(2, len(taken) + 3))
    name = next(name for name in (*names, *numbered) if name.lower() not in taken)
    taken.add(name.lower())
    return name


def _inside(name: str) -> str:
    """A file name such as `masks/juice_####`, without parts that lead out of the folder."""
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("", "..", "."))
