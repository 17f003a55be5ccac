"""A shot of six frames for tests of rounds, and what they ask of its farm."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import (
    RenderjuiceIncompleteError,
)
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.lifecycle.record import Order
from tests.support.frames_farm import FramesFarm, RoundsTask

CONFIG = {"colorManagementPreset": "default", "frameRanges": ["1-6"]}
GIVEN = "3c90c3cc-0d44-4b50-8888-000000000000"
FRAMES = range(1, 7)

both_ways = pytest.mark.parametrize("deferred", [False, True], ids=["on the worker", "deferred"])
faults = st.sets(st.tuples(st.integers(0, 2), st.sampled_from(FRAMES)), max_size=4)
cuts = st.tuples(st.integers(1, 90), st.booleans())


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Order:
    scene = write_scene(tmp_path_factory.mktemp("scene") / "shot.blend", frame_end=6)
    return Order(
        JobStatus.COMPLETED,
        36000.0,
        render_config=CONFIG,
        scene=scene,
        source=str(scene),
        content=content_fingerprint(scene),
        cancel_on_kill=True,
        cancel_on_timeout=True,
        name="shot.blend",
    )


def whole_frames(farm: FramesFarm) -> set[int]:
    return {int(path.stem) for path in farm.folder.glob("frames/*.png") if path.read_bytes() == b"whole"}


def ordered(farm: FramesFarm) -> list[list[str]]:
    """What each render was ordered, in order."""
    return [farm.jobs[job_id]["requestedConfig"]["frameRanges"] for job_id in farm.renders]


def ended(task: RoundsTask, order: Order) -> str:
    """The end of a try in short."""
    try:
        return "complete" if task.run(order).count.complete else "not complete"
    except RenderjuiceIncompleteError as error:
        return error.what.partition(".blend")[0] + ".blend" + error.what.partition(".blend")[2].partition(".")[0]
