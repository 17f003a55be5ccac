"""Materials of the citrus scenes: procedural, so that a `.blend` needs no textures beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import bpy

Colour = tuple[float, float, float]


def srgb(code: str) -> Colour:
    """The linear colour of `"#ff8a1f"`; Blender's shaders calculate with linear light."""
    channels = (int(code[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return (red, green, blue)


@dataclass(frozen=True)
class Fruit:
    """The colours of one citrus fruit."""

    name: str
    peel: str
    flesh: str
    light: str
    """The paler tone between the vesicles of the flesh."""


ORANGE = Fruit("Orange", peel="#ff8412", flesh="#ff7a0a", light="#ffb347")
LEMON = Fruit("Lemon", peel="#ffd21f", flesh="#ffd83d", light="#fff0a0")
LIME = Fruit("Lime", peel="#6fae2e", flesh="#a8d44a", light="#dff0a0")
GRAPEFRUIT = Fruit("Grapefruit", peel="#ff9d45", flesh="#e5264c", light="#ff7f86")


def matte(name: str, colour: Colour, roughness: float = 0.6, **inputs: Any) -> Any:
    """A plain surface.

    `inputs` are further sockets of the Principled shader, with `_` for a blank.
    """
    material, shader = _principled(name)
    shader.inputs["Base Color"].default_value = (*colour, 1)
    shader.inputs["Roughness"].default_value = roughness
    for socket, value in inputs.items():
        shader.inputs[socket.replace("_", " ")].default_value = value
    return material


@cache
def peel(fruit: Fruit) -> Any:
    """Waxy skin with pores."""
    material = matte(f"{fruit.name} peel", srgb(fruit.peel), 0.38, Coat_Weight=0.25)
    _bump(
        material, _node(material, "ShaderNodeTexVoronoi", Scale=26.0).outputs["Distance"], strength=0.25, distance=0.03
    )
    return material


@cache
def pith() -> Any:
    """The white between peel and flesh."""
    return matte("Pith", srgb("#fff1d6"), 0.7)


@cache
def flesh(fruit: Fruit) -> Any:
    """Juice vesicles: long cells that point away from the middle of the slice."""
    material, shader = _principled(f"{fruit.name} flesh")
    split = _node(material, "ShaderNodeSeparateXYZ")
    _link(material, _node(material, "ShaderNodeTexCoord").outputs["Object"], split.inputs[0])
    angle = _math(material, "ARCTAN2", split.outputs["Y"], split.outputs["X"])
    flat = _node(material, "ShaderNodeCombineXYZ")
    _link(material, split.outputs["X"], flat.inputs[0])
    _link(material, split.outputs["Y"], flat.inputs[1])
    radius = _node(material, "ShaderNodeVectorMath")
    radius.operation = "LENGTH"
    _link(material, flat.outputs[0], radius.inputs[0])
    polar = _node(material, "ShaderNodeCombineXYZ")
    _link(material, _math(material, "MULTIPLY", angle, 9.0), polar.inputs[0])
    _link(material, _math(material, "MULTIPLY", radius.outputs["Value"], 5.5), polar.inputs[1])
    cells = _node(material, "ShaderNodeTexVoronoi", Scale=1.6)
    _link(material, polar.outputs[0], cells.inputs["Vector"])
    ramp = _node(material, "ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].color = (*srgb(fruit.flesh), 1)
    ramp.color_ramp.elements[1].color = (*srgb(fruit.light), 1)
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.3, 0.95
    _link(material, cells.outputs["Distance"], ramp.inputs[0])
    _link(material, ramp.outputs[0], shader.inputs["Base Color"])
    _link(material, ramp.outputs[0], shader.inputs["Emission Color"])
    shader.inputs["Emission Strength"].default_value = 0.12  # Stands in for the light that shines through a slice.
    shader.inputs["Roughness"].default_value = 0.22
    shader.inputs["Coat Weight"].default_value = 0.5
    _bump(material, cells.outputs["Distance"], strength=0.35, distance=-0.04)
    return material


@cache
def juice() -> Any:
    """Fresh juice.

    Cloudy, so it is a surface that glows a little rather than a volume, which would take far
    longer.
    """
    colour = srgb("#ff8f0f")
    return matte(
        "Juice",
        colour,
        0.12,
        Coat_Weight=0.6,
        Emission_Color=(*colour, 1),
        Emission_Strength=0.2,
        Specular_IOR_Level=0.6,
    )


@cache
def glass(name: str = "Glass", ior: float = 1.45, roughness: float = 0.0) -> Any:
    """Clear glass (or ice, with an `ior` of 1.31) whose shadow lets light through.

    Noise-free without caustics.
    """
    material, shader = _principled(name)
    shader.inputs["Transmission Weight"].default_value = 1.0
    shader.inputs["Base Color"].default_value = (0.97, 0.99, 1.0, 1)
    shader.inputs["IOR"].default_value = ior
    shader.inputs["Roughness"].default_value = roughness
    clear = _node(material, "ShaderNodeBsdfTransparent")
    mix = _node(material, "ShaderNodeMixShader")
    _link(material, _node(material, "ShaderNodeLightPath").outputs["Is Shadow Ray"], mix.inputs[0])
    _link(material, shader.outputs[0], mix.inputs[1])
    _link(material, clear.outputs[0], mix.inputs[2])
    _link(material, mix.outputs[0], material.node_tree.nodes["Material Output"].inputs["Surface"])
    return material


@cache
def ice() -> Any:
    """Ice, a little cloudy."""
    material = glass("Ice", ior=1.31, roughness=0.06)
    noise = _node(material, "ShaderNodeTexNoise", Scale=3.5)
    _bump(material, noise.outputs[0], strength=0.35, distance=0.1)
    return material


@cache
def stripes(first: str, second: str, turns: float = 14.0) -> Any:
    """Two colours that wind around a straw."""
    material, shader = _principled("Straw")
    wave = _node(material, "ShaderNodeTexWave", Scale=turns / 10)
    wave.bands_direction = "DIAGONAL"
    _link(material, _node(material, "ShaderNodeTexCoord").outputs["Object"], wave.inputs["Vector"])
    ramp = _node(material, "ShaderNodeValToRGB")
    ramp.color_ramp.interpolation = "CONSTANT"
    ramp.color_ramp.elements[1].position = 0.5
    for element, code in zip(ramp.color_ramp.elements, (first, second), strict=True):
        element.color = (*srgb(code), 1)
    _link(material, wave.outputs["Fac"], ramp.inputs[0])
    _link(material, ramp.outputs[0], shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.35
    return material


def _principled(name: str) -> tuple[Any, Any]:
    material = bpy.data.materials.new(name)
    return material, material.node_tree.nodes["Principled BSDF"]


def _node(material: Any, kind: str, **inputs: Any) -> Any:
    node = material.node_tree.nodes.new(kind)
    for socket, value in inputs.items():
        node.inputs[socket].default_value = value
    return node


def _link(material: Any, output: Any, socket: Any) -> None:
    material.node_tree.links.new(output, socket)


def _math(material: Any, operation: str, *operands: Any) -> Any:
    node = _node(material, "ShaderNodeMath")
    node.operation = operation
    for socket, operand in zip(node.inputs, operands, strict=False):
        if isinstance(operand, float):
            socket.default_value = operand
        else:
            _link(material, operand, socket)
    return node.outputs[0]


def _bump(material: Any, height: Any, strength: float, distance: float) -> None:
    bump = _node(material, "ShaderNodeBump", Strength=strength, Distance=distance)
    _link(material, height, bump.inputs["Height"])
    _link(material, bump.outputs[0], material.node_tree.nodes["Principled BSDF"].inputs["Normal"])
