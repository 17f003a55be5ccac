"""Scenes that fail, a Blender that crashes, and a Blender that is killed."""

import asyncio
import contextlib
import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from renderjuice_emulator.blender import BlenderRenderer
from renderjuice_emulator.rendering import RenderedFile, RenderFailedError, RenderOrder
from tests.support.blender_renders import COMMAND, blender_test, frames_of, order_for, render
from tests.support.blenders import blenders


@blender_test
@pytest.mark.parametrize(
    ("config", "culprit"),
    [
        ({"renderEngine": "LUXCORE"}, "renderEngine"),
        ({"outputFormat": "PNG", "outputSettings": {"colorDepth": "32"}}, "outputSettings.colorDepth"),
    ],
)
async def test_an_error_names_the_setting_that_blender_does_not_know(build, renderer, tmp_path, config, culprit):
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
@pytest.mark.parametrize("damage", ["truncated", "not a blend", "absent"])
async def test_a_damaged_scene_is_unreadable(build, renderer, tmp_path, damage):
    scene = tmp_path / "damaged.blend"
    if damage == "truncated":
        scene.write_bytes(build().read_bytes()[:20_000])
    elif damage == "not a blend":
        scene.write_text("this is not a scene")
    with pytest.raises(RenderFailedError) as failure:
        await renderer.analyze(scene)
    assert failure.value.type == "SCENE_UNREADABLE"


async def test_a_crash_is_reported_with_its_exit_code_and_last_words():
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
    # Blender, and the fence around it.
    started = psutil.Process(emulator.pid).children(recursive=True)
    assert started
    os.kill(emulator.pid, signal.SIGKILL)
    await emulator.communicate()

    _, alive = await asyncio.to_thread(psutil.wait_procs, started, timeout=5)
    assert not alive
