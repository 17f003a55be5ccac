"""What validation warns of, with a real Blender: what the artist saw differently."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.blender_analyses import NEEDS_BLENDER, analyses

pytestmark = NEEDS_BLENDER

DRIVER = """
made, _ = textured()
driver = made.driver_add('location', 0).driver
driver.type, driver.expression = 'SCRIPTED', {!r}
"""
WARNED: dict[str, tuple[str, str]] = {
    "a driver in Python": (DRIVER.format("bpy.context.scene.frame_current / 3"), "Drivers in Python do not run.*Thing"),
    "a driver in a material": (
        """
        made, _ = textured(); tree = made.active_material.node_tree; shader = tree.nodes[0]
        driver = tree.driver_add(f'nodes["{shader.name}"].location', 0).driver
        driver.type, driver.expression = 'SCRIPTED', '[1, 2][0]'
        """,
        "Drivers in Python do not run.*Material",
    ),
    "a script": (
        "t = bpy.data.texts.new('rig_ui.py'); t.use_module = True",
        "Scripts that register themselves.*rig_ui.py",
    ),
    "a script node": (
        """
        made, _ = textured(); tree = made.active_material.node_tree; node = tree.nodes.new('ShaderNodeScript')
        tree.links.new(tree.nodes.new('ShaderNodeValue').outputs[0], tree.nodes[0].inputs[1])
        node.script = bpy.data.texts.new('s.osl'); node.script.write('shader s(output float o = 1) { o = 1; }')
        node.outputs.new('NodeSocketFloat', 'o'); tree.links.new(node.outputs[0], tree.nodes[0].inputs[2])
        """,
        r"Script nodes \(OSL\).*Material",
    ),
    "cloth that is not baked": ("thing(mesh()).modifiers.new('C', 'CLOTH')", "Simulations that are not baked.*Thing"),
    "rigid bodies that are not baked": (
        """
        made = thing(mesh()); bpy.ops.rigidbody.world_add()
        scene.rigidbody_world.collection = bpy.data.collections.new('R'); scene.rigidbody_world.collection.objects.link(made)
        """,
        "Simulations that are not baked.*Scene",
    ),
    "an engine for GPUs": ("scene.render.engine = 'BLENDER_WORKBENCH'", "needs a GPU.*BLENDER_WORKBENCH"),
    "modules of Freestyle": (
        """
        scene.render.use_freestyle = True; layer = scene.view_layers[0]
        layer.use_freestyle = True; layer.freestyle_settings.mode = 'SCRIPT'
        """,
        "Freestyle modules.*ViewLayer",
    ),
}
QUIET = {
    "a driver that is a simple expression": DRIVER.format("frame / 3 + sin(2)"),
    "a driver of nothing that is rendered": DRIVER.format("bpy.app.version[0]")
    + "made.hide_render = True; made.animation_data.drivers[0].mute = True",
    "a text that is only read": "bpy.data.texts.new('notes.txt').write('ask Ann')",
    "a plain scene": "textured()",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The analysis of every scene above, by its name."""
    return analyses(tmp_path_factory.mktemp("scenes"), {name: code for name, (code, _) in WARNED.items()} | QUIET)


@pytest.mark.parametrize("what", WARNED)
def test_what_will_look_different_is_warned_of(found, what):
    assert "error" not in found[what], found[what]
    (warning,) = found[what]["warnings"]
    assert re.search(WARNED[what][1], warning), warning


@pytest.mark.parametrize("what", QUIET)
def test_what_looks_as_the_artist_saw_it_is_not_warned_of(found, what):
    assert "error" not in found[what], found[what]
    assert found[what]["warnings"] == []
