"""Which renderer an emulator uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from renderjuice_emulator.blender import BlenderRenderer, find_blender
from renderjuice_emulator.clock import Clock
from renderjuice_emulator.fast import FastRenderer
from renderjuice_emulator.fence import bubblewrap
from renderjuice_emulator.rendering import Renderer

_NO_FENCE = (
    "WITHOUT A FENCE: a scene can read and write your files and run programs as you, so render only your own "
    "(install bubblewrap, or run this in a container)"
)

RendererName = Literal["auto", "blender", "fast"]


@dataclass(frozen=True)
class RendererChoice:
    """A renderer, and why it is this one."""

    make: Callable[[Clock], Renderer]
    slots: int | None
    """How many renders it does at once by default: Blender takes the whole machine for one."""
    reason: str


def choose_renderer(name: RendererName, blender: str | None = None) -> RendererChoice:
    """The renderer of that name; `auto` is Blender where there is one, else the fast one.

    Args:
        name: what is wanted.
        blender: a Blender executable, or a Python interpreter with `bpy`; None to search for one.

    Raises:
        RuntimeError: Blender is demanded, and was not found.
    """
    if name == "fast":
        return RendererChoice(FastRenderer, None, "fast (invented images, as asked for)")
    command = find_blender(blender)
    if command:
        fence = "fenced by bubblewrap" if bubblewrap() else _NO_FENCE
        return RendererChoice(lambda _: BlenderRenderer(command), 1, f"Blender ({command[0]}), {fence}")
    if name == "blender" or blender:
        raise RuntimeError(f"there is no Blender at {blender}" if blender else "no Blender was found; name one")
    return RendererChoice(FastRenderer, None, "fast: no Blender was found, so images are invented")
