"""Runs inside Blender.

Makes a scene by each snippet of Python that it is given, saves and opens it, and prints its
analysis.

One process for all scenes, since Blender takes longer to start than to look into a small scene.
"""

import contextlib
import json
import os
import sys
import traceback
import warnings
from pathlib import Path

import bpy

sys.path.append(str(Path(__file__).parents[2]))
from renderjuice_emulator import blender_job

warnings.simplefilter("ignore")


def image(path, source="FILE"):
    made = bpy.data.images.new(Path(path.replace("\\", "/")).name or "odd", 4, 4, tiled=source == "TILED")
    made.source, made.filepath = source, path
    return made


def mesh(name="Quad"):
    made = bpy.data.meshes.new(name)
    made.from_pydata([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], [], [(0, 1, 2, 3)])
    return made


def thing(data=None, name="Thing", collection=None):
    made = bpy.data.objects.new(name, data)
    (collection or bpy.context.scene.collection).objects.link(made)
    return made


def textured(*images, linked=True, muted=False, collection=None):
    """An object whose material shows these images."""
    material = bpy.data.materials.new("Material")
    if not material.node_tree:
        material.use_nodes = True
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    nodes = []
    for each in images:
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image, node.mute = each, muted
        if linked:
            tree.links.new(node.outputs[0], shader.inputs[len(nodes)])
        nodes.append(node)
    data = mesh()
    data.materials.append(material)
    return thing(data, collection=collection), nodes


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def compositor():
    scene = bpy.context.scene
    if hasattr(scene, "compositing_node_group"):
        scene.compositing_node_group = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
        return scene.compositing_node_group
    scene.use_nodes = True
    return scene.node_tree


def new_strip(kind, name, **more):
    editor = bpy.context.scene.sequence_editor_create()
    return getattr(editor.strips if hasattr(editor, "strips") else editor.sequences, f"new_{kind}")(name=name, **more)


def library(path, make):
    """Save what `make` makes as a .blend of its own, and go on with an empty scene."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh()
    save(path)
    make()
    save(path)
    fresh()


def link(path, kind, name):
    with bpy.data.libraries.load(str(path), link=True, relative=True) as (_, wanted):
        setattr(wanted, kind, [name])
    return getattr(bpy.data, kind)[name]


def fresh():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine, scene.frame_start, scene.frame_end = "CYCLES", 1, 3


def save(path):
    bpy.ops.wm.save_as_mainfile(filepath=str(path), relative_remap=True)


def main():
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = json.load(sys.stdin)
    found = {}
    for number, (name, code) in enumerate(order["snippets"].items()):
        folder = Path(order["folder"]) / str(number)
        folder.mkdir(parents=True)
        fresh()
        names = globals() | {"scene": bpy.context.scene, "folder": folder}
        try:
            # Saved first: what is linked from here on is named relative to it.
            save(folder / "shot.blend")
            exec(code, names)
            save(folder / "shot.blend")
            if "afterwards" in names:
                names["afterwards"]()
            fresh()
            found[name] = blender_job.analyze(blender_job.open_scene(str(folder / "shot.blend")))
        except Exception:  # noqa: BLE001
            found[name] = {"error": traceback.format_exc()}
    with contextlib.closing(channel):
        json.dump({"version": bpy.app.version[:2], "found": found}, channel)
    channel.close()
    os._exit(0)


if __name__ == "__main__":
    main()
