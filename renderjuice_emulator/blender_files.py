"""Runs inside Blender: the files that a scene's pictures need, and which of them are not there.

Names are as the scene stores them, relative to it, with forward slashes. A set of files of which
none is there (the tiles of an image, a sequence) is named as the set, else file by file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import bpy

from renderjuice_emulator.blender_needs import is_edit, live_nodes, strips

_NUMBER = re.compile(r"(\d+)(?=\D*$)")
_SHOWN = 20
"""The number of files of a set that are named one by one."""


def missing_files(scene: Any, blocks: Iterable[Any]) -> tuple[list[str], list[str]]:
    """The files that these data-blocks need and that are absent, sorted.

    And sentences on what could not be checked.
    """
    blocks = list(blocks)
    missing: set[str] = set()
    troubles = []
    for block in blocks:
        try:
            missing |= set(_missing_library(block))
            if not block.is_missing:
                missing |= set(_missing(scene, block, blocks))
        except Exception as error:  # noqa: BLE001 - one odd thing must not end the check of all others
            troubles.append(f"The files of {block.id_type.lower()} {block.name} could not be checked: {error}")
    return sorted(missing), sorted(troubles)


def _missing_library(block: Any) -> Iterator[str]:
    library = block.library
    if library is None or library.packed_file or getattr(block, "is_linked_packed", False):
        return
    absent = list(_missing_of(library.filepath, [library.filepath], library))
    yield from absent
    if block.is_missing and not absent:
        yield f"{_shown(library.filepath)} ({block.id_type.lower()} {block.name})"


def _missing(scene: Any, block: Any, blocks: list[Any]) -> Iterator[str]:
    if _is_packed(block):
        return
    if block.id_type == "IMAGE":
        yield from _missing_image(scene, block, blocks)
    elif block.id_type == "VOLUME" and block.is_sequence:
        numbers = _numbers(scene, block.frame_start, block.frame_duration, block.frame_offset, block.sequence_mode)
        yield from _missing_of(block.filepath, _sequence(block.filepath, numbers), block)
    elif block.id_type == "CACHEFILE" and block.is_sequence:
        numbers = {int(block.frame)} if block.override_frame else set(_frames(scene))
        yield from _missing_of(block.filepath, _sequence(block.filepath, numbers), block)
    elif block.id_type in {"VOLUME", "CACHEFILE", "MOVIECLIP", "FONT"}:
        yield from _missing_of(block.filepath, [block.filepath], block)
    elif block.id_type == "OBJECT":
        yield from _missing_caches(block)
    elif block.id_type == "SCENE" and is_edit(block):
        yield from _missing_strips(block)
    for path in _paths_in_nodes(block):
        yield from _missing_of(path, [path], block)
    yield from _missing_point_caches(block)


def _paths_in_nodes(block: Any) -> Iterator[str]:
    """Of scripts (OSL), IES profiles, and what geometry nodes import."""
    for node in live_nodes(block):
        if getattr(node, "mode", None) == "EXTERNAL" and hasattr(node, "filepath"):
            yield node.filepath
        elif node.bl_idname.startswith("GeometryNodeImport"):
            yield from (each.default_value for each in node.inputs if each.identifier == "Path" and not each.is_linked)


def _missing_image(scene: Any, image: Any, blocks: list[Any]) -> Iterator[str]:
    if image.source == "TILED":
        tiles = [tile.number for tile in image.tiles]
        yield from _missing_of(image.filepath, [_tile(image.filepath, number) for number in tiles], image)
    elif image.source == "SEQUENCE":
        numbers: set[int] = set()
        for user in _image_users(image, blocks):
            mode = "REPEAT" if user.use_cyclic else "EXTEND"
            numbers |= _numbers(scene, user.frame_start, user.frame_duration, user.frame_offset, mode)
        paths = _sequence(image.filepath, numbers) if numbers else [image.filepath]
        yield from _missing_of(image.filepath, paths, image)
    elif image.source in {"FILE", "MOVIE"}:
        yield from _missing_of(image.filepath, [image.filepath], image)


def _image_users(image: Any, blocks: list[Any]) -> Iterator[Any]:
    for block in blocks:
        if block.id_type == "TEXTURE" and getattr(block, "image", None) == image:
            yield block.image_user
        for node in live_nodes(block):
            if getattr(node, "image", None) == image:
                # The compositor's node is its own image user.
                yield getattr(node, "image_user", node)


def _missing_caches(thing: Any) -> Iterator[str]:
    """Of modifiers and particles that take a baked motion from disk."""
    for modifier in thing.modifiers:
        if not modifier.show_render:
            continue
        if modifier.type == "MESH_CACHE" or (modifier.type == "OCEAN" and modifier.is_cached):
            yield from _missing_of(modifier.filepath, [modifier.filepath], thing, os.path.exists)
        domain = getattr(modifier, "domain_settings", None) if modifier.type == "FLUID" else None
        if domain is not None and domain.cache_type != "REPLAY":
            yield from _missing_of(domain.cache_directory, [domain.cache_directory], thing, os.path.isdir)


def _missing_point_caches(block: Any) -> Iterator[str]:
    for cache in point_caches(block):
        folder = cache.filepath if cache.use_external else f"//blendcache_{Path(bpy.data.filepath).stem}"
        if cache.use_external or (cache.use_disk_cache and cache.is_baked):
            yield from _missing_of(folder, [folder], block, os.path.isdir)


def point_caches(block: Any) -> Iterator[Any]:
    """Where the simulations of an object or scene keep their motion.

    Simulations are cloth, soft bodies, particles and rigid bodies.
    """
    if block.id_type == "SCENE":
        world = block.rigidbody_world
        if world is not None and world.enabled and world.collection and world.collection.objects:
            yield world.point_cache
    if block.id_type != "OBJECT":
        return
    for modifier in block.modifiers:
        if modifier.show_render and getattr(modifier, "point_cache", None) is not None:
            yield modifier.point_cache
    for system in block.particle_systems:
        if system.settings.type == "EMITTER" and system.settings.physics_type not in {"NO", "KEYED"}:
            yield system.point_cache


def _missing_strips(scene: Any) -> Iterator[str]:
    for strip in strips(scene):
        if strip.mute or strip.frame_final_start > scene.frame_end or strip.frame_final_end <= scene.frame_start:
            continue
        if strip.type == "MOVIE":
            yield from _missing_of(strip.filepath, [strip.filepath], scene)
        elif strip.type == "IMAGE":
            paths = [strip.directory.rstrip("/") + "/" + each.filename for each in strip.elements]
            yield from _missing_of(paths[0], paths, scene)


def _missing_of(
    name: str, paths: Iterable[str], block: Any, is_there: Callable[[str], bool] = os.path.isfile
) -> Iterator[str]:
    """Of the files of a set: those that are absent, or the set's name when all are."""
    paths = sorted(set(paths))
    absent = [path for path in paths if path and path != "<builtin>" and not is_there(_absolute(path, block.library))]
    if absent and len(absent) == len(paths):
        absent = [name]
    yield from (_shown(path, block.library) for path in absent[:_SHOWN])
    if len(absent) > _SHOWN:
        yield f"{_shown(name, block.library)} ({len(absent)} of its {len(paths)} files)"


def _is_packed(block: Any) -> bool:
    return bool(getattr(block, "packed_file", None) or getattr(block, "packed_files", None))


def _absolute(path: str, library: Any = None) -> str:
    """Where Blender would search: artists on Windows leave backslashes."""
    return os.path.normpath(str(bpy.path.abspath(path.replace("\\", "/"), library=library)))


def _shown(path: str, library: Any = None) -> str:
    if library is not None and path.startswith("//"):
        return os.path.relpath(_absolute(path, library), Path(bpy.data.filepath).parent)
    return path.removeprefix("//").replace("\\", "/")


def _tile(path: str, number: int) -> str:
    column, row = (number - 1001) % 10, (number - 1001) // 10
    return path.replace("<UDIM>", str(number)).replace("<UVTILE>", f"u{column + 1}_v{row + 1}")


def _sequence(path: str, numbers: Iterable[int]) -> list[str]:
    """The files of a sequence: the last number in the name is the frame's."""
    folder, slash, name = path.replace("\\", "/").rpartition("/")
    found = _NUMBER.search(name)
    if not found:
        return [path]
    width = len(found[1])
    return [f"{folder}{slash}{name[: found.start()]}{number:0{width}d}{name[found.end() :]}" for number in numbers]


def _frames(scene: Any) -> range:
    return range(scene.frame_start, scene.frame_end + 1, scene.frame_step)


def _numbers(scene: Any, start: int, length: int, offset: int, mode: str) -> set[int]:
    """The numbers of the files that Blender reads for the scene's frames."""
    numbers = set()
    for frame in _frames(scene):
        number = frame - start + 1
        if length < 1 or (mode == "CLIP" and not 1 <= number <= length):
            continue
        if mode == "REPEAT":
            number = (number - 1) % length + 1
        elif mode == "PING_PONG" and length > 1:
            number = (number - 1) % (2 * length - 2) + 1
            number = min(number, 2 * length - number)
        numbers.add(max(1, min(number, length)) + offset)
    return numbers
