"""What stands on the table: fruit, slices, ice, glass, straw, carton.

One unit is about ten centimetres.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import bmesh
import bpy
import materials
from materials import Fruit
from mathutils import Matrix, Vector

Point = tuple[float, float, float]


def new_object(name: str, mesh: bmesh.types.BMesh, looks: Sequence[Any], location: Point = (0, 0, 0)) -> Any:
    """Make a smooth-shaded object of a mesh, in the active collection, with its materials.

    The mesh is used up.
    """
    data = bpy.data.meshes.new(name)
    for face in mesh.faces:
        face.smooth = True
    mesh.to_mesh(data)
    mesh.free()
    for look in looks:
        data.materials.append(look)
    made = bpy.data.objects.new(name, data)
    made.location = location
    bpy.context.collection.objects.link(made)
    return made


def lathe(name: str, profile: Sequence[tuple[float, float]], look: Any, location: Point = (0, 0, 0)) -> Any:
    """Turn a profile of (radius, height) pairs around the vertical axis."""
    mesh = bmesh.new()
    vertices = [mesh.verts.new((radius, 0, height)) for radius, height in profile]
    edges = [mesh.edges.new(pair) for pair in pairwise(vertices)]
    bmesh.ops.spin(
        mesh,
        geom=vertices + edges,
        axis=(0, 0, 1),
        cent=(0, 0, 0),
        angle=math.tau,
        steps=64,
        use_merge=True,
        use_duplicate=False,
    )
    bmesh.ops.remove_doubles(mesh, verts=mesh.verts, dist=1e-5)
    bmesh.ops.recalc_face_normals(mesh, faces=mesh.faces)
    return new_object(name, mesh, [look], location)


def citrus_slice(fruit: Fruit, radius: float = 0.5, thickness: float = 0.13, segments: int = 10) -> Any:
    """A round slice, lying flat with its middle at the origin."""
    mesh = bmesh.new()
    bmesh.ops.create_cone(
        mesh, cap_ends=True, segments=96, radius1=radius, radius2=radius, depth=thickness, matrix=Matrix.Identity(4)
    )
    for face in mesh.faces:
        face.material_index = 1 if abs(face.normal.z) > 0.5 else 0  # pith on the cut, peel around it
    rims = [edge for edge in mesh.edges if len({face.material_index for face in edge.link_faces}) == 2]
    bmesh.ops.bevel(mesh, geom=rims, offset=radius * 0.035, segments=3, affect="EDGES", profile=0.5, material=0)
    for index in range(segments):
        _add_segment(mesh, math.tau * index / segments, math.tau / segments, radius, thickness * 1.07)
    return new_object(f"{fruit.name} slice", mesh, [materials.peel(fruit), materials.pith(), materials.flesh(fruit)])


def _add_segment(mesh: bmesh.types.BMesh, start: float, sweep: float, radius: float, height: float) -> None:
    """One wedge of flesh, a little thicker than the slice so that it bulges out of the cut."""
    gap, steps = 0.018 * radius, 6
    outline = [_polar(start + sweep / 2, radius * 0.12)]
    for step in range(steps + 1):
        # The gap between two wedges is the same all along: further out it is a smaller angle.
        margin = gap / (radius * 0.86)
        outline.append(_polar(start + margin + (sweep - 2 * margin) * step / steps, radius * 0.86))
    bottom = [mesh.verts.new((x, y, -height / 2)) for x, y in outline]
    top = [mesh.verts.new((x, y, height / 2)) for x, y in outline]
    sides = [(bottom[i], bottom[i + 1], top[i + 1], top[i]) for i in range(-1, len(outline) - 1)]
    faces = [mesh.faces.new(corners) for corners in (top, bottom[::-1], *sides)]
    for face in faces:
        face.material_index = 2
    corners = [edge for i in (0, 1, -1) if (edge := mesh.edges.get((bottom[i], top[i])))]
    rounded = bmesh.ops.bevel(
        mesh, geom=corners, offset=0.07 * radius, segments=4, affect="EDGES", profile=0.5, material=2
    )
    caps = {
        face
        for edge in {e for f in rounded["faces"] for e in f.edges}
        for face in edge.link_faces
        if len(face.verts) > 4
    }
    rims = list({edge for face in caps for edge in face.edges})
    bmesh.ops.bevel(mesh, geom=rims, offset=0.025 * radius, segments=3, affect="EDGES", profile=0.6, material=2)


def _polar(angle: float, radius: float) -> tuple[float, float]:
    return radius * math.cos(angle), radius * math.sin(angle)


def whole_fruit(fruit: Fruit, radius: float = 0.5, location: Point = (0, 0, 0)) -> Any:
    """A fruit with its green button; `location` is where it touches the table."""
    x, y, z = location
    mesh = bmesh.new()
    bmesh.ops.create_uvsphere(mesh, u_segments=64, v_segments=40, radius=radius)
    for vertex in mesh.verts:
        dimple = math.exp(-((Vector((vertex.co.x, vertex.co.y)).length / (0.22 * radius)) ** 2))
        vertex.co.z *= 0.94 - 0.07 * dimple
    body = new_object(fruit.name, mesh, [materials.peel(fruit)], (x, y, z + radius * 0.94))
    button = bmesh.new()
    bmesh.ops.create_cone(
        button, cap_ends=True, segments=6, radius1=radius * 0.09, radius2=radius * 0.05, depth=radius * 0.08
    )
    stem = new_object("Button", button, [materials.matte("Button", materials.srgb("#5d7a2a"))], (0, 0, radius * 0.88))
    stem.parent = body
    return body


def half_fruit(fruit: Fruit, radius: float = 0.5, location: Point = (0, 0, 0)) -> Any:
    """A fruit cut in two: `location` is the middle of its cut, which looks up."""
    half = citrus_slice(fruit, radius, thickness=0.06)
    half.location = location
    mesh = bmesh.new()
    bmesh.ops.create_uvsphere(mesh, u_segments=64, v_segments=40, radius=radius)
    bmesh.ops.bisect_plane(
        mesh, geom=[*mesh.verts, *mesh.edges, *mesh.faces], plane_co=(0, 0, 0), plane_no=(0, 0, 1), clear_outer=True
    )
    bowl = new_object(f"{fruit.name} bowl", mesh, [materials.peel(fruit)])
    bowl.parent = half
    return half


def glass_of_juice(location: Point = (0, 0, 0)) -> Any:
    """A tumbler of juice, 1.3 units high. The juice is parented to the glass, which is returned."""
    outer = [(0.0, 0.0), (0.30, 0.0), (0.335, 0.02), (0.345, 0.06), (0.43, 1.29), (0.435, 1.31)]
    inner = [(0.42, 1.315), (0.405, 1.30), (0.325, 0.13), (0.30, 0.10), (0.0, 0.09)]
    tumbler = lathe("Tumbler", outer + inner, materials.glass(), location)
    # It reaches a hair into the glass: a gap would look like air between the two.
    level = [(0.0, 0.095), (0.30, 0.105), (0.328, 0.14), (0.396, 1.08), (0.38, 1.073), (0.0, 1.07)]
    drink = lathe("Juice", level, materials.juice())
    drink.parent = tumbler
    return tumbler


def straw(foot: Point, tip: Point, radius: float = 0.035) -> Any:
    """A paper straw from one point to another."""
    along = Vector(tip) - Vector(foot)
    length = along.length
    profile = [(radius, 0), (radius, length), (radius * 0.8, length), (radius * 0.8, 0)]
    tube = lathe("Straw", profile, materials.stripes("#ffffff", "#ff5d5d"), foot)
    tube.rotation_mode = "QUATERNION"
    tube.rotation_quaternion = along.to_track_quat("Z", "Y")
    return tube


def ice_cube(rng: random.Random, size: float = 0.26, location: Point = (0, 0, 0)) -> Any:
    """A cube that has begun to melt, turned at random."""
    mesh = bmesh.new()
    bmesh.ops.create_cube(mesh, size=size)
    for vertex in mesh.verts:
        vertex.co *= rng.uniform(0.88, 1.06)
    bmesh.ops.bevel(mesh, geom=mesh.edges[:], offset=size * 0.16, segments=5, affect="EDGES", profile=0.5)
    cube = new_object("Ice", mesh, [materials.ice()], location)
    cube.rotation_euler = [rng.uniform(0, math.tau) for _ in range(3)]
    return cube


def drop(radius: float, location: Point, stretch: float = 1.0) -> Any:
    """A drop of juice in the air."""
    mesh = bmesh.new()
    bmesh.ops.create_uvsphere(mesh, u_segments=24, v_segments=16, radius=radius)
    made = new_object("Drop", mesh, [materials.juice()], location)
    made.scale = (1, 1, stretch)
    return made


def carton(location: Point = (0, 0, 0), width: float = 0.8, height: float = 1.15) -> Any:
    """A gable-top juice carton with Renderjuice's name on its front, which looks along -Y."""
    half, ridge = width / 2, height + width * 0.42
    mesh = bmesh.new()
    low = [mesh.verts.new((x * half, y * half, 0)) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    high = [mesh.verts.new((v.co.x, v.co.y, height)) for v in low]
    left, right = (mesh.verts.new((x * half, 0, ridge)) for x in (-1, 1))
    fin_left, fin_right = (mesh.verts.new((x * half, 0, ridge + width * 0.14)) for x in (-1, 1))
    mesh.faces.new(low[::-1])
    for i in range(4):
        mesh.faces.new((low[i], low[(i + 1) % 4], high[(i + 1) % 4], high[i]))
    for face in ((high[0], high[1], right, left), (high[2], high[3], left, right)):
        mesh.faces.new(face).material_index = 1
    mesh.faces.new((high[1], high[2], right))
    mesh.faces.new((high[3], high[0], left))
    mesh.faces.new((left, right, fin_right, fin_left)).material_index = 1
    box = new_object(
        "Carton",
        mesh,
        [
            materials.matte("Paper", materials.srgb("#fff6e6"), 0.45, Coat_Weight=0.2),
            materials.matte("Print", materials.srgb("#ff7a1a"), 0.45, Coat_Weight=0.2),
        ],
        location,
    )
    for polygon in box.data.polygons:
        polygon.use_smooth = False
    edges = box.modifiers.new("Soft edges", "BEVEL")
    edges.width, edges.segments, edges.limit_method = 0.018, 3, "ANGLE"
    thick = box.modifiers.new("Fin", "SOLIDIFY")
    thick.thickness = 0.015
    front = -half - 0.012
    for text, size, z, look in (
        ("render", 0.2, height * 0.82, "#ff6a0a"),
        ("juice", 0.27, height * 0.64, "#1f5c52"),
    ):
        title = words(text, size, (0, front, z), materials.matte(f"Ink {text}", materials.srgb(look), 0.5))
        title.parent = box
    badge = citrus_slice(materials.ORANGE, radius=width * 0.3, thickness=0.03)
    badge.location, badge.rotation_euler = (0, front, height * 0.30), (math.radians(90), 0, 0)
    badge.parent = box
    return box


def words(text: str, size: float, location: Point, look: Any) -> Any:
    """Upright raised letters, centred, that look along -Y."""
    curve = bpy.data.curves.new(text, "FONT")
    curve.body, curve.size, curve.extrude, curve.bevel_depth = text, size, 0.004, 0.0
    curve.align_x = "CENTER"
    curve.materials.append(look)
    made = bpy.data.objects.new(text, curve)
    made.location, made.rotation_euler = location, (math.radians(90), 0, 0)
    bpy.context.collection.objects.link(made)
    return made


def backdrop(colour: str, depth: float, height: float = 9.0) -> Any:
    """A photographer's paper roll: the table runs into the wall in one curve."""
    bend, width = 1.6, 16.0
    path = [(-9.0, 0.0), (depth - bend, 0.0)]
    path += [
        (depth - bend + bend * math.sin(a), bend - bend * math.cos(a))
        for a in (math.radians(d) for d in range(6, 91, 6))
    ]
    path += [(depth, height)]
    mesh = bmesh.new()
    rows = [[mesh.verts.new((x, y, z)) for x in (-width, width)] for y, z in path]
    for (a, b), (c, d) in pairwise(rows):
        mesh.faces.new((a, b, d, c))
    return new_object("Backdrop", mesh, [materials.matte("Backdrop", materials.srgb(colour), 0.85)])
