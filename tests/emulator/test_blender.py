"""What the Blender renderer finds in scenes and makes of them, with a real Blender."""

from pathlib import Path

import pytest

from renderjuice_emulator.rendering import RenderFailedError, SceneReport
from tests.support.blender_renders import blender_test, frames_of, order_for, render


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
async def test_validation_recognises_a_foreground_plate_by_its_transparent_film(build, renderer):
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
