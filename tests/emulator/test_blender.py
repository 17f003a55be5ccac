"""The Blender renderer, with a real Blender: tiny frames of the example scenes, one sample each."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from renderjuice_emulator.blender import JOB_SCRIPT, BlenderRenderer, find_blender
from renderjuice_emulator.rendering import RenderedFile, RenderFailedError, RenderOrder, SceneReport
from tests.support.blenders import blenders

BUILD_SCENE = Path(__file__).parents[2] / "dags" / "scenes" / "build_scene.py"
COMMAND = find_blender()
TINY = ("--frames", "4", "--resolution", "64x36", "--samples", "1")

HAS_BPY = COMMAND is not None and Path(COMMAND[0]).name.startswith("python")


def blender_test(function: Callable[..., object]) -> Callable[..., object]:
    """Marks a test that starts Blender. It needs the module, for that is what builds the scenes."""
    reason = "no bpy: install it into .venv-blender, or let RENDERJUICE_BLENDER name a Python that has it"
    return pytest.mark.blender(pytest.mark.skipif(not HAS_BPY, reason=reason)(function))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds a scene with the script of the example DAGs; the same options give the same file."""
    built: dict[tuple[str, ...], Path] = {}

    def build_scene(*options: str) -> Path:
        if options not in built:
            path = tmp_path_factory.mktemp("scene") / "shot.blend"
            subprocess.run([COMMAND[0], str(BUILD_SCENE), str(path), *TINY, *options], check=True, capture_output=True)
            built[options] = path
        return built[options]

    return build_scene


@pytest.fixture
def altered(build, tmp_path) -> Callable[[str], Path]:
    """Opens the plain scene, runs some Python on it, and saves it elsewhere."""

    def alter(code: str) -> Path:
        path = tmp_path / "altered.blend"
        script = f"""
import bpy
bpy.ops.wm.open_mainfile(filepath={str(build())!r})
scene = bpy.context.scene
{textwrap.dedent(code)}
bpy.ops.wm.save_as_mainfile(filepath={str(path)!r}, relative_remap=False)
"""
        subprocess.run([COMMAND[0], "-c", script], check=True, capture_output=True)
        return path

    return alter


@pytest.fixture
def renderer() -> BlenderRenderer:
    return BlenderRenderer(COMMAND)


def order_for(scene: Path, destination: Path, **config: object) -> RenderOrder:
    return RenderOrder(scene, SceneReport(frame_end=4), destination, {"colorManagementPreset": "default", **config})


async def render(renderer: BlenderRenderer, order: RenderOrder) -> list[RenderedFile]:
    return [file async for file in renderer.render(order)]


def frames_of(files: list[RenderedFile]) -> list[RenderedFile]:
    return [file for file in files if file.kind == "frame"]


def inspect(path: Path) -> tuple[int, int, str]:
    """Width, height and the type of a channel."""
    oiio = pytest.importorskip("OpenImageIO", reason="reads the images; install the extra [media]")
    image = oiio.ImageInput.open(str(path))
    assert image is not None, oiio.geterror()
    try:
        spec = image.spec()
        return spec.width, spec.height, str(spec.format)
    finally:
        image.close()


@blender_test
async def test_validation_reports_what_the_scene_is(build, renderer):
    report = await renderer.analyze(build())

    assert report == SceneReport(
        engine="CYCLES",
        cameras=("Camera",),
        frame_start=1,
        frame_end=4,
        frame_step=1,
        resolution=(64, 36),
        resolution_percentage=100,
        samples=1,
        fps=24.0,
        film_transparent=False,
        view_layers=("ViewLayer",),
        views=(),
        missing_files=(),
        compositor_outputs=("Depth", "Glow"),
        blender_version=report.blender_version,
    )
    assert report.blender_version[0].isdigit()


@blender_test
async def test_validation_tells_a_foreground_plate_by_its_transparent_film(build, renderer):
    assert (await renderer.analyze(build("--layer", "foreground"))).film_transparent


@blender_test
async def test_validation_does_not_announce_a_node_that_has_nothing_to_write(altered, renderer):
    scene = altered("""
        scene.compositing_node_group.nodes.new("CompositorNodeOutputFile").file_output_items.new("RGBA", "Leftover")
    """)

    assert (await renderer.analyze(scene)).compositor_outputs == ("Depth", "Glow")


@blender_test
async def test_a_scene_renders_to_frames_and_composites(build, renderer, tmp_path):
    files = await render(renderer, order_for(build(), tmp_path))

    assert [(file.path.name, file.frame) for file in frames_of(files)] == [(f"000{n}.png", n) for n in range(1, 5)]
    assert {inspect(file.path) for file in frames_of(files)} == {(64, 36, "uint8")}
    composites = [(file.node, file.relative_path, file.frame) for file in files if file.kind == "composite"]
    assert composites == [
        (node, f"{node}/000{frame}.{extension}", frame)
        for frame in range(1, 5)
        for node, extension in (("Depth", "exr"), ("Glow", "png"))
    ]
    assert all((tmp_path / path).stat().st_size for _, path, _ in composites)
    assert inspect(tmp_path / "Depth" / "0001.exr") == (64, 36, "float")


@blender_test
async def test_the_image_shows_something(build, renderer, tmp_path):
    oiio = pytest.importorskip("OpenImageIO")
    (frame,) = frames_of(await render(renderer, order_for(build(), tmp_path, frameRanges=["2"])))

    statistics = oiio.ImageBufAlgo.computePixelStats(oiio.ImageBuf(str(frame.path)))
    assert min(statistics.avg[:3]) > 0.1, "nearly black"
    assert max(statistics.stddev[:3]) > 0.05, "one flat colour"


@blender_test
async def test_a_sixteen_bit_png_of_another_size(build, renderer, tmp_path):
    settings = {"colorMode": "RGB", "colorDepth": "16", "compression": 90}
    order = order_for(
        build(),
        tmp_path,
        frameRanges=["1-3:2"],
        resolution=[96, 60],
        resolutionPercentage=50,
        outputFormat="PNG",
        outputSettings=settings,
    )
    files = frames_of(await render(renderer, order))

    assert [file.path.name for file in files] == ["0001.png", "0003.png"]
    assert {inspect(file.path) for file in files} == {(48, 30, "uint16")}


@blender_test
async def test_an_exr_in_aces_with_every_other_setting(build, renderer, tmp_path):
    order = order_for(
        build(),
        tmp_path,
        colorManagementPreset="aces",
        frameRanges=["4"],
        renderEngine="CYCLES",
        computeDeviceType="CUDA",
        compositorDevice="GPU",
        denoiserType="OPTIX",
        denoisingEnabled=False,
        sampleCount=2,
        fps=23.976,
        useTiling=True,
        tileSize=64,
        outputFormat="OPEN_EXR",
        outputSettings={"exrCodec": "DWAA", "colorDepth": "16"},
    )
    (frame,) = frames_of(await render(renderer, order))

    assert frame.path.name == "0004.exr"
    assert inspect(frame.path) == (64, 36, "half")


@blender_test
async def test_a_second_render_into_the_same_folder_reports_its_own_files_only(build, renderer, tmp_path):
    await render(renderer, order_for(build(), tmp_path, frameRanges=["1"]))
    files = await render(renderer, order_for(build(), tmp_path, frameRanges=["2"]))
    assert {file.frame for file in files} == {2}
    assert {file.path.stem for file in files} == {"0002"}


@blender_test
async def test_a_compositor_without_an_output_fails_instead_of_passing_off_an_old_image(altered, renderer, tmp_path):
    (tmp_path / "0001.png").touch()
    scene = altered("scene.compositing_node_group.nodes.clear()")
    with pytest.raises(RenderFailedError, match="frame 1: Blender wrote no image") as failure:
        await render(renderer, order_for(scene, tmp_path))
    assert failure.value.type == "RENDER_ERROR"


@blender_test
async def test_like_named_outputs_stay_apart_and_inside(altered, renderer, tmp_path):
    scene = altered(f"""
        tree = scene.compositing_node_group
        layers = next(node for node in tree.nodes if node.type == "R_LAYERS")
        for name in ("A.B", "A:B", "a_b"):
            node = tree.nodes.new("CompositorNodeOutputFile")
            node.name, node.directory, node.file_name = name, {str(tmp_path / "artist" / "x")!r}, "../../{{blend_name}}_"
            node.format.media_type, node.format.file_format = "IMAGE", "PNG"
            node.file_output_items.new("RGBA", "beauty")
            tree.links.new(layers.outputs["Image"], node.inputs[0])
    """)
    files = await render(renderer, order_for(scene, tmp_path / "out", frameRanges=["1"]))
    places = sorted(file.relative_path for file in files if file.node not in (None, "Depth", "Glow"))
    assert places == [f"{node}/altered_beauty0001.png" for node in ("A_B", "Compositor_A_B", "Compositor_a_b_2")]
    assert not list((tmp_path / "artist").rglob("*.png"))


@blender_test
async def test_a_stereo_scene_renders_each_view(altered, renderer, tmp_path):
    scene = altered("scene.render.use_multiview = True")
    assert (await renderer.analyze(scene)).views == ("left", "right")
    files = await render(renderer, order_for(scene, tmp_path / "out", frameRanges=["1"]))
    assert [(file.path.name, file.view) for file in frames_of(files)] == [
        ("0001_L.png", "left"),
        ("0001_R.png", "right"),
    ]
    assert {(file.relative_path, file.view) for file in files if file.node == "Depth"} == {
        ("Depth/0001_L.exr", "left"),
        ("Depth/0001_R.exr", "right"),
    }


@blender_test
@pytest.mark.parametrize(
    ("config", "culprit"),
    [
        ({"renderEngine": "LUXCORE"}, "renderEngine"),
        ({"outputFormat": "PNG", "outputSettings": {"colorDepth": "32"}}, "outputSettings.colorDepth"),
    ],
)
async def test_a_setting_that_blender_does_not_know_is_told_by_its_name(build, renderer, tmp_path, config, culprit):
    with pytest.raises(RenderFailedError, match=culprit) as failure:
        await render(renderer, order_for(build(), tmp_path, **config))
    assert failure.value.type == "INVALID_CONFIG"


@blender_test
async def test_a_scene_without_a_camera_is_reported_and_does_not_render(build, renderer, tmp_path):
    scene = build("--no-camera")
    assert (await renderer.analyze(scene)).cameras == ()
    with pytest.raises(RenderFailedError, match="no active camera") as failure:
        await render(renderer, order_for(scene, tmp_path))
    assert failure.value.type == "NO_CAMERA"


@blender_test
async def test_a_render_that_fails_halfway_has_delivered_what_came_before(build, renderer, tmp_path):
    scene = build("--fails")
    assert (await renderer.analyze(scene)).cameras == ("Camera",)
    files: list[RenderedFile] = []

    async def collect() -> None:
        async for file in renderer.render(order_for(scene, tmp_path)):
            files.append(file)  # noqa: PERF401 - what came before the failure must stay in the list

    with pytest.raises(RenderFailedError, match="view layers are disabled") as failure:
        await collect()
    assert failure.value.type == "RENDER_ERROR"
    assert [file.frame for file in frames_of(files)] == [1, 2]
    assert all(file.path.exists() for file in files)


@blender_test
@pytest.mark.parametrize("damage", ["truncated", "no blend at all", "absent"])
async def test_a_damaged_scene_is_unreadable(build, renderer, tmp_path, damage):
    scene = tmp_path / "damaged.blend"
    if damage == "truncated":
        scene.write_bytes(build().read_bytes()[:20_000])
    elif damage == "no blend at all":
        scene.write_text("this is no scene")
    with pytest.raises(RenderFailedError) as failure:
        await renderer.analyze(scene)
    assert failure.value.type == "SCENE_UNREADABLE"


async def test_a_crash_is_told_with_its_exit_code_and_last_words():
    crashing = BlenderRenderer([sys.executable, "-c", "import sys; sys.exit('Segmentation fault, as it happens')"])
    with pytest.raises(RenderFailedError, match=r"exit code 1.*Segmentation fault") as failure:
        await crashing.analyze(Path("shot.blend"))
    assert failure.value.type == "CRASHED"


async def test_a_crash_of_an_engine_that_needs_opengl_says_so(tmp_path):
    crashing = BlenderRenderer([sys.executable, "-c", "import os; os.abort()"])
    with pytest.raises(RenderFailedError, match="BLENDER_EEVEE needs OpenGL") as failure:
        await render(crashing, order_for(Path("shot.blend"), tmp_path, renderEngine="BLENDER_EEVEE"))
    assert failure.value.type == "NO_GPU"


def endless(scene: Path, destination: Path) -> RenderOrder:
    """A first frame after a second, the others never."""
    return order_for(scene, destination, frameRanges=["1-100000"])


@blender_test
async def test_closing_the_iterator_kills_blender(build, renderer, tmp_path):
    async with contextlib.aclosing(renderer.render(endless(build(), tmp_path))) as files:
        await anext(files)
        assert blenders()
    assert not blenders()


@blender_test
async def test_cancelling_kills_blender_in_the_middle_of_a_frame(build, renderer, tmp_path):
    slow = order_for(build(), tmp_path, sampleCount=100_000, resolution=[640, 360], denoisingEnabled=False)
    task = asyncio.create_task(render(renderer, slow))
    await asyncio.sleep(2)
    assert blenders()
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 1
    assert not blenders()


@blender_test
async def test_blender_ends_when_the_emulator_is_killed(build, tmp_path):
    script = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from renderjuice_emulator.blender import BlenderRenderer
        from renderjuice_emulator.rendering import RenderOrder, SceneReport

        async def main():
            order = RenderOrder(Path({str(build())!r}), SceneReport(), Path({str(tmp_path)!r}), {{"frameRanges": ["1-100000"]}})
            async for file in BlenderRenderer({COMMAND!r}).render(order):
                print(file.path, flush=True)

        asyncio.run(main())
    """)
    emulator = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    await emulator.stdout.readline()
    started = psutil.Process(emulator.pid).children(recursive=True)  # Blender, and the fence around it
    assert started
    os.kill(emulator.pid, signal.SIGKILL)
    await emulator.communicate()

    _, alive = await asyncio.to_thread(psutil.wait_procs, started, timeout=5)
    assert not alive


def test_a_blender_that_was_asked_for_is_the_only_one_tried(monkeypatch, tmp_path):
    monkeypatch.setenv("RENDERJUICE_BLENDER", sys.executable)
    assert find_blender(str(tmp_path / "nowhere")) is None
    assert find_blender() == [sys.executable, "-P", str(JOB_SCRIPT)]


def test_a_blender_named_from_here_is_found_from_elsewhere(monkeypatch, tmp_path):
    (tmp_path / "blender").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    assert find_blender("./blender")[0] == str(tmp_path / "blender")


def test_a_blender_executable_is_told_to_run_the_job_in_the_background(tmp_path):
    blender = tmp_path / "blender-5.0"
    blender.touch(mode=0o755)
    command = find_blender(str(blender))
    assert command[:2] == [str(blender), "--background"]
    assert command[-2:] == ["--python", str(JOB_SCRIPT)]


def test_the_environment_beside_the_project_is_found_from_below(monkeypatch, tmp_path):
    monkeypatch.delenv("RENDERJUICE_BLENDER", raising=False)
    (tmp_path / ".venv-blender" / "lib" / "python3.11" / "site-packages" / "bpy").mkdir(parents=True)
    (tmp_path / ".venv-blender" / "bin").mkdir()
    (tmp_path / ".venv-blender" / "bin" / "python").touch()
    (tmp_path / "shots" / "010").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "shots" / "010")
    assert find_blender()[0] == str(tmp_path / ".venv-blender" / "bin" / "python")
