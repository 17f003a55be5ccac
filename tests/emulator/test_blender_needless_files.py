"""Files that validation does not miss, since rendering does not need them: a real Blender."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.blender_analyses import NEEDS_BLENDER, analyses, assert_missing

pytestmark = NEEDS_BLENDER

MISSING: dict[str, tuple[str, list[str]]] = {
    "an image that nobody uses": ("image('//a.png').use_fake_user = True", []),
    "a material that nobody uses": (
        "made, _ = textured(image('//a.png')); made.active_material.use_fake_user = True; bpy.data.objects.remove(made)",
        [],
    ),
    "a loose node": ("textured(image('//a.png'), linked=False)", []),
    "a muted node": ("textured(image('//a.png'), muted=True)", []),
    "an image that is generated": ("textured(image('//a.png', 'GENERATED'))", []),
    "a packed image": (
        """
        packed = bpy.data.images.new('P', 4, 4); packed.pack(); packed.filepath = '//gone.png'
        textured(packed)
        """,
        [],
    ),
    "what is hidden from renders": ("made, _ = textured(image('//a.png')); made.hide_render = True", []),
    "what lies in a hidden collection": (
        """
        inner = bpy.data.collections.new("Inner"); scene.collection.children.link(inner)
        textured(image('//a.png'), collection=inner); inner.hide_render = True
        """,
        [],
    ),
    "what is excluded from the view layer": (
        """
        inner = bpy.data.collections.new("Inner"); scene.collection.children.link(inner)
        textured(image('//a.png'), collection=inner)
        bpy.context.view_layer.layer_collection.children[0].exclude = True
        """,
        [],
    ),
    "another scene": ("bpy.context.window.scene = scene; s = bpy.data.scenes.new('Other'); s.world = None", []),
    "the background of a camera": (
        """
        camera = thing(bpy.data.cameras.new('C')); scene.camera = camera
        camera.data.background_images.new().image = image('//plate.png')
        """,
        [],
    ),
    "a reference": ("made = thing(); made.empty_display_type, made.data = 'IMAGE', image('//ref.png')", []),
    "a stencil": ("scene.tool_settings.image_paint.stencil_image = image('//stencil.png')", []),
    "a sound": (
        """
        import wave
        with wave.open(str(folder / 'a.wav'), 'w') as w:
            w.setnchannels(1), w.setsampwidth(2), w.setframerate(8000), w.writeframes(bytes(1000))
        if bpy.app.build_options.audaspace:
            made = bpy.data.speakers.new('S'); made.sound = bpy.data.sounds.load(str(folder / 'a.wav')); thing(made)
            new_strip('sound', 'S', filepath=str(folder / 'a.wav'), channel=1, frame_start=1)
        afterwards = (folder / 'a.wav').unlink
        """,
        [],
    ),
    "strips where no edit is rendered": (
        """
        touch(folder, 'a.png')
        new_strip('image', 'S', filepath=str(folder / 'a.png'), channel=1, frame_start=1)
        scene.render.use_sequencer = False
        afterwards = (folder / 'a.png').unlink
        """,
        [],
    ),
    "an image of a compositor that is off": (
        """
        tree = compositor(); node = tree.nodes.new("CompositorNodeImage"); node.image = image('//grain.png')
        tree.links.new(node.outputs[0], tree.nodes.new("CompositorNodeViewer").inputs[0])
        scene.render.use_compositing = False
        """,
        [],
    ),
    "where the scene renders to": ("scene.render.filepath = '//renders/####'", []),
    "a library of nothing that is rendered": (
        """
        library(folder / 'lib/brushes.blend', lambda: textured())
        link(folder / 'lib/brushes.blend', 'materials', 'Material').use_fake_user = True
        afterwards = (folder / 'lib/brushes.blend').unlink
        """,
        [],
    ),
    "Blender's own start-up scene": ("bpy.ops.wm.read_factory_settings(use_empty=False)", []),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The analysis of every scene above, by its name."""
    return analyses(tmp_path_factory.mktemp("scenes"), {name: code for name, (code, _) in MISSING.items()})


@pytest.mark.parametrize("what", MISSING)
def test_what_rendering_needs_and_does_not_find_is_missing_and_nothing_else(found, what):
    assert_missing(found[what], MISSING[what][1])
