"""What validation misses in odd scenes, with a real Blender: the files that rendering needs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.blender_analyses import NEEDS_BLENDER, analyses, assert_missing

pytestmark = NEEDS_BLENDER

MISSING: dict[str, tuple[str, list[str]]] = {
    "a texture": ("textured(image('//tex/a.png'))", ["tex/a.png"]),
    "a texture that is there": ("textured(image('//tex/a.png')); touch(folder, 'tex/a.png')", []),
    "a texture named on Windows": ("textured(image('//tex\\\\a.png')); touch(folder, 'tex/a.png')", []),
    "an absolute path": ("textured(image('/nowhere/a.png'))", ["/nowhere/a.png"]),
    "a folder where a file is expected": ("textured(image('//tex')); (folder / 'tex').mkdir()", ["tex"]),
    "folders only": ("textured(image('//' + '../' * 20))", ["../" * 20]),
    "marks of a pattern in a name": (
        "textured(image('//tex/[a]*?.png')); touch(folder, 'tex/a.png')",
        ["tex/[a]*?.png"],
    ),
    "all tiles": ("textured(image('//tex/a.<UDIM>.png', 'TILED'))", ["tex/a.<UDIM>.png"]),
    "one tile": (
        """
        tiles = image('//tex/a.<UDIM>.png', 'TILED')
        tiles.tiles.new(1002), tiles.tiles.new(1011)
        textured(tiles)
        touch(folder, 'tex/a.1001.png', 'tex/a.1011.png')
        """,
        ["tex/a.1002.png"],
    ),
    "a tile by its place": (
        """
        tiles = image('//tex/a.<UVTILE>.png', 'TILED')
        tiles.tiles.new(1012)
        textured(tiles)
        touch(folder, 'tex/a.u1_v1.png')
        """,
        ["tex/a.u2_v2.png"],
    ),
    "a frame of a sequence": (
        """
        _, (node,) = textured(image('//tex/sea_001.png', 'SEQUENCE'))
        node.image_user.frame_duration, node.image_user.frame_start = 9, 1
        touch(folder, 'tex/sea_001.png', 'tex/sea_003.png')
        """,
        ["tex/sea_002.png"],
    ),
    "no frame of a sequence": (
        """
        _, (node,) = textured(image('//tex/sea_001.png', 'SEQUENCE'))
        node.image_user.frame_duration = 9
        """,
        ["tex/sea_001.png"],
    ),
    "frames beyond the scene are not needed": (
        """
        _, (node,) = textured(image('//tex/sea_001.png', 'SEQUENCE'))
        node.image_user.frame_duration, node.image_user.frame_start, node.image_user.frame_offset = 50, 1, 10
        touch(folder, *(f'tex/sea_{n:03d}.png' for n in (11, 12, 13)))
        """,
        [],
    ),
    "a sequence that begins again": (
        """
        _, (node,) = textured(image('//tex/sea_001.png', 'SEQUENCE'))
        node.image_user.frame_duration, node.image_user.frame_start, node.image_user.use_cyclic = 2, 2, True
        touch(folder, 'tex/sea_001.png')
        """,
        ["tex/sea_002.png"],
    ),
    "many frames": (
        """
        scene.frame_end = 100
        _, (node,) = textured(image('//tex/sea_001.png', 'SEQUENCE'))
        node.image_user.frame_duration = 100
        touch(folder, 'tex/sea_001.png')
        """,
        [*(f"tex/sea_{n:03d}.png" for n in range(2, 22)), "tex/sea_001.png (99 of its 100 files)"],
    ),
    "a movie": ("textured(image('//tex/sea.mp4', 'MOVIE'))", ["tex/sea.mp4"]),
    "the sky": (
        """
        scene.world = bpy.data.worlds.new("World")
        if not scene.world.node_tree: scene.world.use_nodes = True
        tree = scene.world.node_tree
        node = tree.nodes.new("ShaderNodeTexEnvironment"); node.image = image('//sky.exr')
        tree.links.new(node.outputs[0], next(n for n in tree.nodes if n.type == 'BACKGROUND').inputs[0])
        """,
        ["sky.exr"],
    ),
    "an image in the compositor": (
        """
        tree = compositor(); node = tree.nodes.new("CompositorNodeImage"); node.image = image('//grain.png')
        tree.links.new(node.outputs[0], tree.nodes.new("CompositorNodeViewer").inputs[0])
        """,
        ["grain.png"],
    ),
    "an image in a group of nodes": (
        """
        inner = bpy.data.node_groups.new("Inner", "ShaderNodeTree")
        inner.interface.new_socket("Color", in_out="OUTPUT", socket_type="NodeSocketColor")
        node = inner.nodes.new("ShaderNodeTexImage"); node.image = image('//inner.png')
        inner.links.new(node.outputs[0], inner.nodes.new("NodeGroupOutput").inputs[0])
        thing_, _ = textured()
        thing_.active_material.node_tree.nodes.new("ShaderNodeGroup").node_tree = inner
        """,
        ["inner.png"],
    ),
    "an image of a displacement": (
        """
        made = thing(mesh()); texture = bpy.data.textures.new("T", "IMAGE"); texture.image = image('//bump.png')
        made.modifiers.new("D", "DISPLACE").texture = texture
        """,
        ["bump.png"],
    ),
    "a font": (
        """
        made = bpy.data.curves.new("Text", "FONT"); thing(made)
        touch(folder, 'x.ttf')
        import shutil, glob
        fonts = glob.glob(bpy.utils.resource_path('LOCAL') + '/datafiles/fonts/*')
        shutil.copy(next(f for f in fonts if 'Mono' in f), folder / 'brand.woff2')
        made.font = bpy.data.fonts.load(str(folder / 'brand.woff2'))
        made.font.filepath = '//brand.woff2'
        afterwards = (folder / 'brand.woff2').unlink
        """,
        ["brand.woff2"],
    ),
    "the built-in font": ("thing(bpy.data.curves.new('Text', 'FONT'))", []),
    "a volume": ("v = bpy.data.volumes.new('V'); v.filepath = '//smoke.vdb'; thing(v)", ["smoke.vdb"]),
    "a volume of a sequence": (
        """
        v = bpy.data.volumes.new('V'); v.filepath = '//vdb/smoke_0001.vdb'; v.is_sequence = True; v.frame_duration = 3
        thing(v); touch(folder, 'vdb/smoke_0001.vdb', 'vdb/smoke_0002.vdb')
        """,
        ["vdb/smoke_0003.vdb"],
    ),
    "a volume that goes back and forth": (
        """
        v = bpy.data.volumes.new('V'); v.filepath = '//vdb/smoke_0001.vdb'; v.is_sequence = True; v.frame_duration = 2
        v.sequence_mode = 'PING_PONG'; thing(v); touch(folder, 'vdb/smoke_0001.vdb', 'vdb/smoke_0002.vdb')
        """,
        [],
    ),
    "a cache of meshes": (
        "m = thing(mesh()).modifiers.new('M', 'MESH_CACHE'); m.filepath = '//walk.pc2'",
        ["walk.pc2"],
    ),
    "an Alembic": (
        """
        m = thing(mesh()).modifiers.new('M', 'MESH_SEQUENCE_CACHE')
        touch(folder, 'walk.abc')
        bpy.ops.cachefile.open(filepath=str(folder / 'walk.abc'))
        m.cache_file = bpy.data.cache_files[0]; m.cache_file.filepath = '//walk.abc'
        afterwards = (folder / 'walk.abc').unlink
        """,
        ["walk.abc"],
    ),
    "a baked fluid": (
        """
        m = thing(mesh()).modifiers.new('F', 'FLUID'); m.fluid_type = 'DOMAIN'
        m.domain_settings.cache_type = 'ALL'; m.domain_settings.cache_directory = '//cache_fluid'
        """,
        ["cache_fluid"],
    ),
    "particles from another file": (
        """
        made = thing(mesh()); made.modifiers.new('P', 'PARTICLE_SYSTEM'); cache = made.particle_systems[0].point_cache
        cache.use_external, cache.filepath = True, '//sparks/'
        """,
        ["sparks/"],
    ),
    "what geometry nodes import": (
        """
        tree = bpy.data.node_groups.new('G', 'GeometryNodeTree')
        tree.interface.new_socket('Geometry', in_out='OUTPUT', socket_type='NodeSocketGeometry')
        if hasattr(bpy.types, 'GeometryNodeImportSTL'):
            node = tree.nodes.new('GeometryNodeImportSTL'); node.inputs['Path'].default_value = '//rock.stl'
            tree.links.new(node.outputs[0], tree.nodes.new('NodeGroupOutput').inputs[0])
            touch(folder, 'rock.stl')
            afterwards = (folder / 'rock.stl').unlink
        else:
            textured(image('//rock.stl'))  # an older Blender has no such node
        thing(mesh()).modifiers.new('G', 'NODES').node_group = tree
        """,
        ["rock.stl"],
    ),
    "light profiles": (
        """
        lamp = bpy.data.lights.new("L", "POINT"); lamp.use_nodes = True; thing(lamp); tree = lamp.node_tree
        node = tree.nodes.new("ShaderNodeTexIES"); node.mode = 'EXTERNAL'; node.filepath = '//lamp.ies'
        tree.links.new(node.outputs[0], next(n for n in tree.nodes if n.type == 'EMISSION').inputs[1])
        """,
        ["lamp.ies"],
    ),
    "an instance of a collection": (
        """
        inner = bpy.data.collections.new("Inner"); textured(image('//inner.png'), collection=inner)
        made = thing(); made.instance_type, made.instance_collection = 'COLLECTION', inner
        """,
        ["inner.png"],
    ),
    "what an animation shows": (
        """
        made, _ = textured(image('//a.png'))
        made.hide_render = False; made.keyframe_insert('hide_render', frame=2)
        made.hide_render = True; made.keyframe_insert('hide_render', frame=1)
        """,
        ["a.png"],
    ),
    "a strip": (
        """
        touch(folder, 'cut/a.png')
        strip = new_strip('image', 'S', filepath=str(folder / 'cut/a.png'), channel=1, frame_start=1)
        strip.directory = '//cut/'
        afterwards = (folder / 'cut/a.png').unlink
        """,
        ["cut/a.png"],
    ),
    "a library": (
        """
        library(folder / 'lib/props.blend', lambda: textured(image('//tex/a.png')))
        thing(link(folder / 'lib/props.blend', 'meshes', 'Quad'))
        afterwards = (folder / 'lib/props.blend').unlink
        """,
        ["lib/props.blend"],
    ),
    "a texture of a library": (
        """
        library(folder / 'lib/props.blend', lambda: textured(image('//tex/a.png')))
        thing(link(folder / 'lib/props.blend', 'meshes', 'Quad'))
        """,
        ["lib/tex/a.png"],
    ),
    "what a library lost": (
        """
        library(folder / 'lib/props.blend', lambda: textured())
        thing(link(folder / 'lib/props.blend', 'meshes', 'Quad'))
        def afterwards():
            library(folder / 'lib/props.blend', lambda: bpy.context.scene)
        """,
        ["lib/props.blend (mesh Quad)"],
    ),
    "a library of a library": (
        """
        library(folder / 'lib/deep/materials.blend', lambda: textured(image('//a.png')))
        def props():
            save(folder / 'lib/props.blend')
            made = mesh('Chair'); made.use_fake_user = True
            made.materials.append(link(folder / 'lib/deep/materials.blend', 'materials', 'Material'))
        library(folder / 'lib/props.blend', props)
        thing(link(folder / 'lib/props.blend', 'meshes', 'Chair'))
        afterwards = (folder / 'lib/deep/materials.blend').unlink
        """,
        ["lib/deep/materials.blend"],
    ),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The analysis of every scene above, by its name."""
    return analyses(tmp_path_factory.mktemp("scenes"), {name: code for name, (code, _) in MISSING.items()})


@pytest.mark.parametrize("what", MISSING)
def test_what_rendering_needs_and_does_not_find_is_missing_and_nothing_else(found, what):
    assert_missing(found[what], MISSING[what][1])
