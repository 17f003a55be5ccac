"""Runs inside Blender: which data-blocks a scene's pictures are made of, and their files.

A `.blend` names many files that no picture needs: brushes, sounds, reference pictures, what hides
from renders or is not used. So this walks from the scene along what is rendered, as far as
Blender knows what uses what.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import bpy

_NEVER = frozenset(
    {"BRUSH", "PALETTE", "PAINTCURVE", "SOUND", "SPEAKER", "TEXT", "SCREEN", "WORKSPACE", "WINDOWMANAGER", "LIBRARY"}
)
"""Kinds of data-blocks in which no picture lies, and no file that a picture needs."""
_CLIP_NODES = frozenset({"CompositorNodeMovieClip", "CompositorNodeKeyingScreen"})
"""Those that show a clip. Others use what was tracked in it, which lies in the scene."""


def needed(scene: Any) -> set[Any]:
    """The data-blocks that rendering `scene` needs, itself included."""
    uses = defaultdict(set)
    for used, users in bpy.data.user_map().items():
        for user in users:
            uses[user].add(used)
    found: set[Any] = set()
    todo = [scene]
    while todo:
        each = todo.pop()
        if each in found:
            continue
        found.add(each)
        todo += [used for used in uses[each] if _matters(each, used)]
        if each.id_type == "SCENE":
            todo += _rendered(each)
    return found


def live_nodes(user: Any) -> Iterator[Any]:
    """The nodes of a data-block, or in it, that lead somewhere."""
    for node in getattr(_tree(user), "nodes", ()):
        if not node.mute and any(output.is_linked for output in node.outputs):
            yield node


def is_edit(scene: Any) -> bool:
    """Whether the images come from strips in the sequencer, which need no camera."""
    return bool(scene.render.use_sequencer and strips(scene))


def strips(scene: Any) -> list[Any]:
    """The strips of the sequencer, those inside of others too."""
    return list(getattr(scene.sequence_editor, "strips_all" if bpy.app.version >= (4, 4) else "sequences_all", ()))


def compositor(scene: Any) -> Any:
    """The tree of nodes that composites the scene; None when nothing does."""
    if not scene.render.use_compositing:
        return None
    if hasattr(scene, "compositing_node_group"):  # Blender 5
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def _tree(user: Any) -> Any:
    if user.id_type == "NODETREE":
        return user
    if user.id_type == "SCENE":
        return compositor(user)
    always = bpy.app.version >= (5, 0) and user.id_type in {"MATERIAL", "WORLD"}
    return getattr(user, "node_tree", None) if always or getattr(user, "use_nodes", False) else None


def _matters(user: Any, used: Any) -> bool:
    """Whether `user` needs `used` in order to be rendered."""
    if used.id_type in _NEVER or (used.id_type == "COLLECTION" and used.hide_render):
        return False
    if used.id_type in {"IMAGE", "MOVIECLIP"}:
        return _shows(user, used)
    if user.id_type == "SCENE":
        return _matters_to_scene(user, used)
    return user.id_type != "COLLECTION" or used.id_type != "OBJECT" or not _is_hidden(used)


def _matters_to_scene(scene: Any, used: Any) -> bool:
    if used.id_type in {"OBJECT", "COLLECTION"}:
        return False  # Of these, a scene also names what it does not render; see `_rendered`.
    if used.id_type == "NODETREE":
        return bool(used == compositor(scene))
    if used.id_type == "LINESTYLE":
        return bool(scene.render.use_freestyle)
    return used.id_type != "FONT" or is_edit(scene)


def _shows(user: Any, used: Any) -> bool:
    """Whether an image or clip is seen in what `user` renders.

    Backgrounds of cameras, references and loose nodes are not.
    """
    if user.id_type == "CAMERA":
        return False
    if user.id_type == "OBJECT":
        return bool(used.id_type == "IMAGE" and user.data != used)
    if user.id_type == "TEXTURE" and user.image == used:
        return True
    if (
        user.id_type == "SCENE"
        and is_edit(user)
        and any(getattr(strip, "clip", None) == used for strip in strips(user))
    ):
        return True
    drawing = getattr(user, "grease_pencil", None) if user.id_type == "MATERIAL" else None
    if drawing is not None and used in {drawing.fill_image, drawing.stroke_image}:
        return True
    if _tree(user) is None:
        return user.id_type not in {"SCENE", "MATERIAL", "WORLD", "LIGHT", "LINESTYLE", "TEXTURE"}
    if getattr(_tree(user), "bl_idname", "") == "GeometryNodeTree":
        return True
    return any(
        getattr(node, "image", None) == used or (node.bl_idname in _CLIP_NODES and node.clip == used)
        for node in live_nodes(user)
    )


def _rendered(scene: Any) -> list[Any]:
    """The objects that this scene renders, and its cameras."""
    cameras = [scene.camera, *(marker.camera for marker in scene.timeline_markers)]
    found = [camera for camera in cameras if camera is not None]
    for layer in scene.view_layers:
        if layer.use or scene.animation_data:  # which may switch it on
            found += _in_layer(layer.layer_collection)
    return found


def _in_layer(layer: Any) -> Iterator[Any]:
    if layer.collection.hide_render:
        return
    if not layer.exclude:
        yield from (each for each in layer.collection.objects if not _is_hidden(each))
    for child in layer.children:
        yield from _in_layer(child)


def _is_hidden(thing: Any) -> bool:
    """Never in a picture, unless an animation brings it back."""
    animation = thing.animation_data
    return bool(thing.hide_render and not (animation and (animation.action or animation.drivers)))
