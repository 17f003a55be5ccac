"""The shots: each places its props, lights and camera on a stage.

All of them move, and the last frame meets the first.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import bpy
import props
from materials import GRAPEFRUIT, LEMON, LIME, ORANGE, srgb
from mathutils import Vector

Point = tuple[float, float, float]


@dataclass
class Stage:
    """What a shot is built on."""

    frames: int
    rng: random.Random = field(default_factory=random.Random)
    background: list[Any] = field(default_factory=list)
    """The objects that belong to the background plate; all others are foreground."""

    def paper(self, colour: str, depth: float = 5.0, floor: float = 0.0) -> None:
        """Hang the backdrop, and let the room's light have a little of its colour."""
        paper = props.backdrop(colour, depth)
        paper.location.z = floor
        self.background.append(paper)
        world = bpy.data.worlds.new("Room")
        bpy.context.scene.world = world
        room = world.node_tree.nodes["Background"]
        room.inputs["Color"].default_value = (*(0.6 + 0.4 * channel for channel in srgb(colour)), 1)
        room.inputs["Strength"].default_value = 0.38

    def light(self, location: Point, target: Point, size: float, watts: float, colour: str = "#ffffff") -> Any:
        """A soft box that looks at `target`."""
        lamp = bpy.data.lights.new("Soft box", "AREA")
        lamp.shape, lamp.size, lamp.energy, lamp.color = "DISK", size, watts, srgb(colour)
        made = bpy.data.objects.new("Soft box", lamp)
        made.location = location
        made.rotation_euler = (Vector(target) - Vector(location)).to_track_quat("-Z", "Y").to_euler()
        bpy.context.collection.objects.link(made)
        return made

    def camera(self, location: Point, target: Point, lens: float, f_stop: float, swing: float = 0.0) -> Any:
        """A camera on an arm around `target`, in focus there.

        It swings by `swing` degrees and back.
        """
        arm = bpy.data.objects.new("Arm", None)
        arm.location = target
        lens_data = bpy.data.cameras.new("Camera")
        lens_data.lens, lens_data.dof.use_dof, lens_data.dof.aperture_fstop = lens, True, f_stop
        lens_data.dof.focus_object = arm
        camera = bpy.data.objects.new("Camera", lens_data)
        offset = Vector(location) - Vector(target)
        camera.parent, camera.location = arm, offset
        camera.rotation_euler = (-offset).to_track_quat("-Z", "Y").to_euler()
        for each in (arm, camera):
            bpy.context.collection.objects.link(each)
        bpy.context.scene.camera = camera
        if swing:
            self.animate(arm, "rotation_euler", 2, lambda t: math.radians(swing / 2) * -math.cos(math.tau * t))
        return camera

    def animate(self, target: Any, path: str, index: int, value: Callable[[float], float]) -> None:
        """Key one channel on every frame with `value(t)`.

        T runs from 0 to just below 1, so that the shot loops.
        """
        for frame in range(1, self.frames + 1):
            getattr(target, path)[index] = value((frame - 1) / self.frames)
            target.keyframe_insert(path, index=index, frame=frame)

    def spin(self, target: Any, axis: int = 2, turns: int = 1) -> None:
        """Turn around once (or more, or backwards) in the course of the shot."""
        start = target.rotation_euler[axis]
        self.animate(target, "rotation_euler", axis, lambda t: start + math.tau * turns * t)

    def float(self, target: Any, height: float) -> None:
        """Bob up and down once, each thing at its own moment."""
        start, phase = target.location.z, self.rng.random()
        self.animate(target, "location", 2, lambda t: start + height * math.sin(math.tau * (t + phase)))


def juice(stage: Stage) -> None:
    """A glass of juice among oranges, slices in the air around it."""
    stage.paper("#8fd3c4")
    props.glass_of_juice()
    props.straw(foot=(0.18, 0.12, 0.25), tip=(-0.42, -0.02, 1.85))
    for x, y in ((-0.12, -0.16), (0.16, -0.05)):
        cube = props.ice_cube(stage.rng, location=(x, y, 1.09))
        stage.float(cube, 0.015)
    rim = props.citrus_slice(ORANGE, radius=0.33, thickness=0.07)
    rim.location, rim.rotation_euler = (0.43, -0.06, 1.34), (math.radians(78), 0, math.radians(16))
    props.whole_fruit(ORANGE, 0.42, (-1.15, 0.45, 0))
    half = props.half_fruit(ORANGE, 0.40, (0.95, -0.28, 0.37))
    half.rotation_euler = (math.radians(58), math.radians(8), math.radians(14))
    props.whole_fruit(LIME, 0.25, (1.42, 0.62, 0))
    for fruit, radius, location, tilt, turns in (
        (ORANGE, 0.34, (-0.98, -0.25, 1.52), (62, 18, 0), 1),
        (LEMON, 0.24, (1.12, 0.30, 1.72), (105, -24, 0), -1),
        (LIME, 0.17, (-0.72, -0.55, 0.62), (70, -30, 0), 1),
    ):
        piece = props.citrus_slice(fruit, radius, thickness=0.09)
        piece.location = location
        piece.rotation_euler = [math.radians(angle) for angle in tilt]
        stage.spin(piece, turns=turns)
        stage.float(piece, 0.05)
    for _ in range(9):
        angle, distance = stage.rng.uniform(0, math.tau), stage.rng.uniform(0.55, 1.25)
        height = stage.rng.uniform(0.9, 1.95)
        bead = props.drop(stage.rng.uniform(0.02, 0.05), (distance * math.cos(angle), 0.5 * math.sin(angle), height))
        stage.float(bead, 0.06)
    stage.light((-3.2, -2.4, 4.2), (0, 0, 0.8), 1.8, 290, "#fff1dc")
    stage.light((3.0, 1.8, 2.8), (0, 0, 0.9), 1.4, 170, "#ffd9b0")
    stage.light((2.6, -3.2, 1.6), (0, 0, 0.8), 0.9, 40)
    stage.camera((0.35, -5.6, 1.75), (0.0, 0, 0.92), lens=62, f_stop=1.4, swing=16)


def citrus(stage: Stage) -> None:
    """A flat lay, seen from above: slices in rows, turning like cogwheels."""
    stage.paper("#ff8d7a", depth=9.0)
    fruits = (ORANGE, LEMON, GRAPEFRUIT, LIME)
    sizes = {ORANGE: 0.50, LEMON: 0.42, GRAPEFRUIT: 0.54, LIME: 0.36}
    for row in range(-3, 4):
        for column in range(-4, 5):
            fruit = fruits[(column + 2 * row) % 4]
            piece = props.citrus_slice(fruit, sizes[fruit] * stage.rng.uniform(0.94, 1.04))
            piece.location = (1.22 * (column + 0.5 * (row % 2)), 1.06 * row, 0.16)
            piece.rotation_euler = (stage.rng.uniform(-0.12, 0.12), stage.rng.uniform(-0.12, 0.12), stage.rng.random())
            stage.animate(
                piece, "rotation_euler", 2, _cogwheel(piece.rotation_euler.z, 1 if (column + row) % 2 else -1)
            )
    stage.light((-4.5, 3.5, 5.0), (0, 0, 0), 0.7, 520, "#fff0d8")
    stage.light((4.0, -3.0, 6.0), (0, 0, 0), 3.0, 90, "#ffe3ee")
    stage.camera((0, -1.0, 7.2), (0, 0, 0.15), lens=52, f_stop=2.8)


def ice(stage: Stage) -> None:
    """Ice and fruit rain past a glass that floats."""
    stage.paper("#a9d8f5", floor=-2.5)
    glass = props.glass_of_juice((0.08, 0, 0.1))
    glass.rotation_euler.y = math.radians(-9)
    stage.float(glass, 0.05)
    for index in range(13):
        side = -1 if index % 2 else 1
        depth = stage.rng.uniform(-0.8, 0.9)
        location = (side * stage.rng.uniform(0.62, 1.55), depth, 0.0)
        if index % 3 == 2:
            thing = props.citrus_slice((LIME, LEMON, ORANGE, GRAPEFRUIT)[index // 3 % 4], 0.27, thickness=0.08)
            thing.rotation_euler = [stage.rng.uniform(0, math.tau) for _ in range(3)]
        else:
            thing = props.ice_cube(stage.rng, size=stage.rng.uniform(0.24, 0.38))
        thing.location = location
        stage.animate(thing, "location", 2, _fall((index * 0.618) % 1, top=2.4, bottom=-0.8))
        stage.spin(thing, axis=index % 3, turns=side)
    stage.light((-3.0, -2.2, 3.6), (0, 0, 0.5), 1.6, 270, "#ffffff")
    stage.light((2.6, 2.2, 2.6), (0, 0, 0.5), 1.2, 200, "#e2f1ff")
    stage.light((3.0, -3.4, 1.4), (0, 0, 0.7), 1.4, 70, "#fff0e0")
    stage.camera((0.0, -5.6, 1.25), (0, 0, 0.84), lens=62, f_stop=1.2, swing=10)


def label(stage: Stage) -> None:
    """The pack shot: the carton turns its name to the camera."""
    stage.paper("#ffcf5c")
    pack = props.carton((-0.42, 0.1, 0))
    stage.animate(pack, "rotation_euler", 2, lambda t: math.radians(14 - 16 * math.cos(math.tau * t)))
    glass = props.glass_of_juice((0.72, -0.22, 0))
    glass.scale = (0.72, 0.72, 0.72)
    props.straw(foot=(0.80, -0.14, 0.2), tip=(1.08, -0.16, 1.32), radius=0.026)
    props.whole_fruit(ORANGE, 0.36, (-1.42, 0.35, 0))
    half = props.half_fruit(GRAPEFRUIT, 0.34, (1.52, 0.18, 0.31))
    half.rotation_euler = (math.radians(60), 0, math.radians(-12))
    props.whole_fruit(LEMON, 0.24, (0.28, 0.75, 0))
    for x, tilt, fruit in ((-1.12, 74, LIME), (0.42, 100, ORANGE), (1.45, 66, LEMON)):
        piece = props.citrus_slice(fruit, 0.23, thickness=0.07)
        piece.location, piece.rotation_euler = (x, 0.3, 1.48), (math.radians(tilt), 0, 0)
        stage.spin(piece)
        stage.float(piece, 0.06)
    stage.light((-2.6, -3.4, 3.6), (0, 0, 0.7), 1.8, 200, "#ffffff")
    stage.light((3.2, 1.6, 2.6), (0, 0, 0.7), 1.4, 150, "#ffe8cf")
    stage.camera((0.1, -5.8, 1.5), (0, 0, 0.82), lens=58, f_stop=1.8, swing=6)


def _cogwheel(start: float, direction: int) -> Callable[[float], float]:
    """One tenth of a turn, which brings a slice of ten segments back to where it was."""
    return lambda t: start + direction * math.tau / 10 * t


def _fall(phase: float, top: float, bottom: float) -> Callable[[float], float]:
    """From above the picture to below it, once in the course of the shot, wherever it begins."""
    return lambda t: top - (top - bottom) * ((t + phase) % 1)


SHOTS: dict[str, Callable[[Stage], None]] = {"juice": juice, "citrus": citrus, "ice": ice, "label": label}
