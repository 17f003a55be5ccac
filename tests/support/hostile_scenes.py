"""Runs inside Blender.

Writes scenes that try to run code, to write and read elsewhere, or to call somebody.

    python hostile_scenes.py FOLDER PREY PORT

Code that runs leaves a file `ran-...`, in the current folder and in /tmp, and calls 127.0.0.1:PORT.
"""

# mypy: ignore-errors
from __future__ import annotations

import sys
from pathlib import Path

import bpy

FOLDER, PREY, PORT = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])


def code(name: str) -> str:
    call = f"import socket; socket.create_connection(('127.0.0.1', {PORT}), 1)"
    return f"[open(p + 'ran-{name}', 'w').close() for p in ('', '/tmp/', {str(PREY)!r} + '/')]\n{call}\n"


def text(name: str) -> bpy.types.Text:
    block = bpy.data.texts.new(f"{name}.py")
    block.write(code(name))
    return block


def driver(name: str) -> str:
    return f"(lambda: exec({code(name)!r}) or 1)()"


def output(tree: bpy.types.NodeTree, source: bpy.types.NodeSocket, directory: str, name: str, item: str = "") -> None:
    node = tree.nodes.new("CompositorNodeOutputFile")
    node.directory, node.file_name = directory, name
    node.format.media_type, node.format.file_format = "IMAGE", "PNG"
    node.file_output_items.new("RGBA", item)
    tree.links.new(source, node.inputs[0])


def compositor(scene: bpy.types.Scene) -> tuple[bpy.types.NodeTree, bpy.types.NodeSocket]:
    tree = bpy.data.node_groups.new("c", "CompositorNodeTree")
    scene.compositing_node_group = tree
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    layers = tree.nodes.new("CompositorNodeRLayers")
    layers.scene = scene
    tree.links.new(layers.outputs[0], tree.nodes.new("NodeGroupOutput").inputs[0])
    return tree, layers.outputs[0]


def honest(scene, cube): ...


def style_module(scene, cube):
    scene.render.use_freestyle = scene.view_layers[0].use_freestyle = True
    settings = scene.view_layers[0].freestyle_settings
    settings.mode = "SCRIPT"
    module = settings.modules.new()
    module.script, module.use = text("style"), True


def style_module_of_a_second_scene(scene, cube):
    other = strip_of_another_scene(scene, cube)
    style_module(other, cube)


def registered_text(scene, cube):
    text("registered").use_module = True


def driver_of_the_frame(scene, cube):
    curve = cube.driver_add("location", 0).driver
    curve.type, curve.expression = "SCRIPTED", driver("driver")


def driver_of_the_lens(scene, cube):
    curve = scene.camera.data.driver_add("lens").driver
    curve.type, curve.expression = "SCRIPTED", driver("lens")


def climbing_view(scene, cube):
    render = scene.render
    render.use_multiview, render.views_format = True, "MULTIVIEW"
    for view in render.views:
        view.use = False
    view = render.views.new("v")
    view.use, view.file_suffix = True, f"/../../../../../../../../../..{PREY}/picture"


def strip_of_another_scene(scene, cube):
    other = bpy.data.scenes.new("other")
    plain(other)
    for each in (cube, scene.camera):
        other.collection.objects.link(each)
    other.camera = scene.camera
    tree, image = compositor(other)
    output(tree, image, str(PREY), "strip")
    scene.sequence_editor_create()
    scene.sequence_editor.strips.new_scene("x", other, 1, 1)
    scene.render.use_sequencer = True
    return other


def absolute_output_node(scene, cube):
    output(*compositor(scene), str(PREY), "node")


def climbing_output_node(scene, cube):
    output(*compositor(scene), f"//../../../../../../../../../..{PREY}", "climbing", "../../../../../../../../prey/x")


def output_node_in_a_group(scene, cube):
    tree, image = compositor(scene)
    inner = bpy.data.node_groups.new("g", "CompositorNodeTree")
    inner.interface.new_socket("Image", in_out="INPUT", socket_type="NodeSocketColor")
    output(inner, inner.nodes.new("NodeGroupInput").outputs[0], str(PREY), "group")
    group = tree.nodes.new("CompositorNodeGroup")
    group.node_tree = inner
    tree.links.new(image, group.inputs[0])


def picture_of_the_prey(scene, cube):
    image = bpy.data.images.new("i", 1, 1)
    image.source, image.filepath = "FILE", str(PREY / "picture.png")
    material = bpy.data.materials.new("m")
    material.use_nodes = True
    material.node_tree.nodes.new("ShaderNodeTexImage").image = image
    cube.data.materials.append(material)


def frame_path_elsewhere(scene, cube):
    scene.render.filepath = str(PREY / "frame")
    scene.render.use_overwrite = True


def smoke_cache_elsewhere(scene, cube):
    domain = cube.modifiers.new("f", "FLUID")
    domain.fluid_type = "DOMAIN"
    domain.domain_settings.cache_type = "REPLAY"
    domain.domain_settings.cache_directory = str(PREY / "cache")


def cloth_cache_on_disk(scene, cube):
    cloth = cube.modifiers.new("c", "CLOTH")
    cache = cloth.point_cache
    cache.use_disk_cache, cache.name = True, f"../../../../../../../../..{PREY}/cloth"


def script_node_from_a_file(scene, cube):
    scene.cycles.shading_system = True
    material = bpy.data.materials.new("m")
    material.use_nodes = True
    node = material.node_tree.nodes.new("ShaderNodeScript")
    node.mode, node.filepath = "EXTERNAL", str(PREY / "shader.osl")
    cube.data.materials.append(material)


def plain(scene: bpy.types.Scene) -> None:
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.render.resolution_x = scene.render.resolution_y = 16
    scene.frame_start = scene.frame_end = 1
    scene.render.image_settings.file_format = "PNG"


for spoil in (
    honest,
    style_module,
    style_module_of_a_second_scene,
    registered_text,
    driver_of_the_frame,
    driver_of_the_lens,
    climbing_view,
    strip_of_another_scene,
    absolute_output_node,
    climbing_output_node,
    output_node_in_a_group,
    picture_of_the_prey,
    frame_path_elsewhere,
    smoke_cache_elsewhere,
    cloth_cache_on_disk,
    script_node_from_a_file,
):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    plain(scene)
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    bpy.ops.object.camera_add(location=(0, -6, 0), rotation=(1.5708, 0, 0))
    scene.camera = bpy.context.object
    spoil(scene, cube)
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / f"{spoil.__name__}.blend"))
