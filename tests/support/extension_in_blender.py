"""Runs inside Blender, as the `bpy` module: installs the extension, and uses it as people do.

    python extension_in_blender.py '{"do": "job", "zip": ..., "folder": ..., "result": ...}'

Each function is one thing that people do; what it returns is written to `result`, as JSON, for the
test that started this process.
"""

import json
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

ORDER = json.loads(sys.argv[1])
FOLDER = Path(ORDER["folder"])
os.environ["BLENDER_USER_RESOURCES"] = str(FOLDER / "blender")

import bpy  # noqa: E402

PACKAGE = "bl_ext.user_default.renderjuice"


def installed():
    """The extension, installed as from a zip that is dragged into Blender, and switched on."""
    bpy.context.preferences.system.use_online_access = True
    bpy.ops.preferences.addon_enable(module="bl_pkg")
    bpy.ops.extensions.package_install_files(filepath=ORDER["zip"], repo="user_default", enable_on_install=True)
    preferences = bpy.context.preferences.addons[PACKAGE].preferences
    for name, value in ORDER.get("preferences", {}).items():
        setattr(preferences, name, value)
    return import_module(PACKAGE)


def module(name):
    return import_module(f"{PACKAGE}.{name}")


def asked(operator, **options):
    """What an operator reports as an error; empty where it went well."""
    try:
        operator(**options)
    except RuntimeError as error:
        return str(error).removeprefix("Error: ").strip()
    return ""


def picture(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = bpy.data.images.new(path.stem, 8, 8)
    image.pixels = [*colour, 1.0] * 64
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


def quad(name, image, x):
    """A square that shines in the colours of an image."""
    data = bpy.data.meshes.new(name)
    data.from_pydata([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], [], [(0, 1, 2, 3)])
    material = bpy.data.materials.new(name)
    if not material.node_tree:
        material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    shown, light, output = (tree.nodes.new(f"ShaderNode{kind}") for kind in ("TexImage", "Emission", "OutputMaterial"))
    shown.image = image
    tree.links.new(shown.outputs[0], light.inputs[0])
    tree.links.new(light.outputs[0], output.inputs[0])
    data.materials.append(material)
    made = bpy.data.objects.new(name, data)
    made.location.x = x
    bpy.context.scene.collection.objects.link(made)
    return made


def shown(path, source="FILE"):
    image = bpy.data.images.new(Path(path).stem, 8, 8, tiled=source == "TILED")
    image.source, image.filepath = source, path
    return image


def empty():
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)


def studio():
    """A shot of the studio: red by a relative path, green by an absolute one, blue in a library."""
    show = FOLDER / "show"
    colours = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
    for name, colour in colours.items():
        picture(show / "assets" / "textures" / f"{name}.png", colour)
    empty()
    quad("Chair", shown("//textures/blue.png"), 2)
    library = str(show / "assets" / "chair.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library, relative_remap=False)
    empty()
    scene = show / "shots" / "sh010" / "sh010.blend"
    scene.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(scene))
    quad("Red", shown("//../../assets/textures/red.png"), -2)
    quad("Green", shown(str(show / "assets" / "textures" / "green.png")), 0)
    with bpy.data.libraries.load(library, link=True, relative=True) as (_, chosen):
        chosen.objects = ["Chair"]
    bpy.context.scene.collection.objects.link(bpy.data.objects["Chair"])
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.type, camera.data.ortho_scale, camera.location.z = "ORTHO", 6, 5
    bpy.context.scene.collection.objects.link(camera)
    settings = bpy.context.scene
    settings.camera, settings.frame_start, settings.frame_end = camera, 1, 3
    settings.render.engine, settings.cycles.samples = "CYCLES", 1
    settings.cycles.use_denoising = False
    settings.render.resolution_x, settings.render.resolution_y = 48, 16
    settings.view_settings.view_transform = "Standard"
    bpy.ops.wm.save_mainfile()
    return scene


def colours_of(path):
    """What a frame shows on its left, in the middle, and on its right."""
    image = bpy.data.images.load(str(path))
    width, pixels = image.size[0], list(image.pixels)
    row = image.size[1] // 2 * width
    found = []
    for column in (width // 6, width // 2, width * 5 // 6):
        red, green, blue = pixels[4 * (row + column) : 4 * (row + column) + 3]
        found.append({red: "red", green: "green", blue: "blue"}[max(red, green, blue)])
    return found


def paths():
    return sorted((each.name, each.filepath) for each in (*bpy.data.images, *bpy.data.libraries) if each.filepath)


def job():
    """Open, check, submit, and have the frames back."""
    installed()
    scene = studio()
    module("keys").keep("RENDERJUICE_API_KEY", ORDER["key"])
    before = paths()
    found = asked(bpy.ops.renderjuice.check)
    error = asked(bpy.ops.renderjuice.render)
    after = paths()
    state = module("operators").current.state
    image = bpy.data.images.get(f"Renderjuice {scene.stem}")
    again = asked(bpy.ops.renderjuice.render)
    return {
        "version": bpy.app.version_string,
        "found": found,
        "error": error,
        "frames": [str(path.relative_to(scene.parent)) for path in state.frames],
        "colours": colours_of(state.frames[0]) if state.frames else None,
        "sequence": image and image.source,
        "kept": set(before) <= set(after),
        "again": again,
    }


def pipeline():
    """The same by the studio's pipeline, signed in with a password."""
    installed()
    scene = studio()
    error = asked(bpy.ops.renderjuice.sign_in, secret=ORDER["password"]) or asked(bpy.ops.renderjuice.render)
    current = module("operators").current
    frames = current.state.frames if current else ()
    return {
        "error": error,
        "frames": [str(path.relative_to(scene.parent)) for path in frames],
        "colours": colours_of(frames[0]) if frames else None,
        "run_id": module("preferences").record_of(str(scene)).read().get("run_id"),
    }


def saved():
    """A scene without files, for the page on other tools."""
    installed()
    scene = studio()
    for each in ("Red", "Green", "Chair"):
        bpy.data.objects.remove(bpy.data.objects[each])
    quad("White", bpy.data.images.new("white", 8, 8), 0)
    bpy.ops.outliner.orphans_purge(do_recursive=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "plain.blend"))
    return {"scene": str(FOLDER / "plain.blend"), "from": str(scene)}


def begin():
    """Submit, and be killed: by the test."""
    installed()
    studio()
    module("keys").keep("RENDERJUICE_API_KEY", ORDER["key"])
    return {"error": asked(bpy.ops.renderjuice.render)}


def take_up():
    """Another session: the same scene is opened, and its render is taken up."""
    installed()
    module("keys").keep("RENDERJUICE_API_KEY", ORDER["key"])
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "show" / "shots" / "sh010" / "sh010.blend"))
    second = asked(bpy.ops.renderjuice.render)
    error = asked(bpy.ops.renderjuice.take_up)
    return {"second": second, "error": error, "frames": len(module("operators").current.state.frames)}


def findings():
    """What is said of scenes that should not be rendered as they are."""
    installed()
    module("keys").keep("RENDERJUICE_API_KEY", "RJ-nobody")
    said = {}
    empty()
    said["never saved"] = asked(bpy.ops.renderjuice.render)
    scene = studio()
    module("operators").is_changed = lambda: True  # Blender does not know it without windows
    said["unsaved"] = asked(bpy.ops.renderjuice.render, save_first=False)
    module("operators").is_changed = lambda: False
    bpy.ops.wm.save_mainfile()
    bpy.context.scene.camera = None
    said["camera"] = asked(bpy.ops.renderjuice.check)
    bpy.ops.wm.open_mainfile(filepath=str(scene))
    (FOLDER / "show" / "assets" / "textures" / "red.png").rename(FOLDER / "red.png")
    said["missing"] = asked(bpy.ops.renderjuice.check)
    may_miss = module("scene").check(bpy.context.scene, may_miss_files=True)
    said["may miss"] = [finding.text for finding in may_miss.findings if finding.stops]
    (FOLDER / "red.png").rename(FOLDER / "show" / "assets" / "textures" / "red.png")
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "show" / "assets" / "chair.blend"))
    bpy.data.images["blue"].filepath = str(FOLDER / "show" / "assets" / "textures" / "blue.png")
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.open_mainfile(filepath=str(scene))
    said["library"] = asked(bpy.ops.renderjuice.check)
    bpy.context.preferences.system.use_online_access = False
    said["offline"] = asked(bpy.ops.renderjuice.render)
    return said


def needs():
    """The files of a scene: tiles, sequences, a folder, a font; not what is packed or forgotten."""
    installed()
    scene = studio()
    for name in ("tile.1001", "tile.1002", "walk_0001", "walk_0002", "walk_0003", "packed"):
        picture(scene.parent / f"{name}.png", (1, 1, 1))
    (scene.parent / "blendcache_sh010").mkdir()
    (scene.parent / "blendcache_sh010" / "cloth_000001_00.bphys").write_bytes(b"cloth")
    (scene.parent / "cache").mkdir()
    (scene.parent / "cache" / "motion.pc2").write_bytes(b"motion")
    quad("Tiles", shown("//tile.<UDIM>.png", "TILED"), 0)
    quad("Walk", shown("//walk_0001.png", "SEQUENCE"), 0)
    inside = bpy.data.images.load(str(scene.parent / "packed.png"))
    inside.pack()
    quad("Inside", inside, 0)
    moved = bpy.data.objects["Red"].modifiers.new("Motion", "MESH_CACHE")
    moved.cache_format, moved.filepath = "PC2", "//cache/motion.pc2"
    bpy.ops.wm.save_mainfile()
    checked = module("scene").check(bpy.context.scene)
    return {
        "stops": [finding.text for finding in checked.findings if finding.stops],
        "files": sorted(path.name for path in checked.needs.files),
        "caches": [path.name for path in checked.needs.caches],
    }


def secrets():
    """Sign in, and save all that Blender saves."""
    installed()
    scene = studio()
    bpy.ops.renderjuice.sign_in(secret=ORDER["key"])
    module("preferences")
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.save_userpref()
    operator = bpy.context.window_manager.operator_properties_last("renderjuice.sign_in")
    return {"scene": str(scene), "kept": module("keys").find("RENDERJUICE_API_KEY"), "last": operator.secret}


class Layout:
    """Takes what a panel draws, and checks that Blender knows its properties and operators."""

    def __init__(self):
        self.drawn = []

    def row(self, **_):
        return self

    def prop(self, data, name, **_):
        assert name in data.bl_rna.properties
        self.drawn.append(name)

    def operator(self, name, **_):
        group, _, operator = name.partition(".")
        assert getattr(getattr(bpy.ops, group), operator).get_rna_type()
        self.drawn.append(name)

    def label(self, text, icon=""):
        self.drawn.append(text)

    def progress(self, factor, text):
        self.drawn.append(f"{factor:.2f} {text}")

    def separator(self):
        pass


def panel():
    """What the panel, the preferences and the question show."""
    installed()
    studio()
    ui, operators, work = module("ui"), module("operators"), module("work")

    def drawn(state=None):
        layout = Layout()
        operators.current = SimpleNamespace(state=state) if state else None
        panel = SimpleNamespace(layout=layout)
        panel._draw_state = lambda state: ui.RENDERJUICE_PT_render._draw_state(panel, state)
        ui.RENDERJUICE_PT_render.draw(panel, bpy.context)
        return layout.drawn

    preferences, question = Layout(), Layout()
    chosen = bpy.context.preferences.addons[PACKAGE].preferences
    for way in ("PIPELINE", "JOB"):
        module("preferences").RenderjuicePreferences.draw(
            SimpleNamespace(layout=preferences, way=way, bl_rna=chosen.bl_rna), bpy.context
        )
    asking = SimpleNamespace(layout=question, checked=module("scene").check(bpy.context.scene))
    asking.bl_rna = bpy.ops.renderjuice.render.get_rna_type()
    operators.RENDERJUICE_OT_render.draw(asking, bpy.context)
    return {
        "idle": drawn(),
        "rendering": drawn(work.State("rendering", 6, 24)),
        "failed": drawn(work.State("failed", is_over=True, error="No camera")),
        "preferences": preferences.drawn,
        "question": question.drawn,
    }


def switched_off():
    """Off and on again, as an update does it."""
    installed()
    for _ in range(2):
        bpy.ops.preferences.addon_disable(module=PACKAGE)
        gone = not hasattr(bpy.types.WindowManager, "renderjuice")
        bpy.ops.preferences.addon_enable(module=PACKAGE)
    return {"gone": gone, "back": hasattr(bpy.types.WindowManager, "renderjuice")}


if __name__ == "__main__":
    result = globals()[ORDER["do"]]()
    Path(ORDER["result"]).write_text(json.dumps(result))
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    os._exit(0)  # freeing all that Blender holds takes time, and may crash
