"""What the farm spoils is found and rendered again, without a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stages.tasks import check_frames, is_whole

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.operators.renderjuice import RenderjuiceRenderFramesOperator
from tests.support.runner import CONFIG, Runner

FRAMES = 24


def rendered(runner: Runner, folder: Path, **scene: Any) -> dict[str, Any]:
    folder.mkdir()
    shot: dict[str, Any] = {"frame_end": FRAMES, "resolution": (96, 54), "seconds_per_frame": 0.01} | scene
    runner.store.values.clear()
    found: dict[str, Any] = runner.run(
        RenderjuiceRenderFramesOperator(
            task_id="render",
            file_path=write_scene(folder / "shot.blend", **shot),
            render_config=CONFIG | {"frameRanges": [f"1-{FRAMES}"]},
            destination=folder / "out",
            is_whole=is_whole,
            check_frames=check_frames,
            poll_interval=0.02,
        )
    )
    return found


def pictures(folder: Path) -> dict[str, bytes]:
    return {f"frames/{path.name}": path.read_bytes() for path in sorted(folder.glob("out/frames/*"))}


@pytest.mark.parametrize("seed", [0, 1, 6, 15, 39])
def test_what_the_farm_spoils_is_rendered_again_alone(
    emulator: Emulator, runner: Runner, tmp_path: Path, seed: int
) -> None:
    rendered(runner, tmp_path / "good")
    emulator.switches.mishaps = f"spoil=8% seed={seed}"
    found = rendered(runner, tmp_path / "spoilt")
    good, delivered = pictures(tmp_path / "good"), pictures(tmp_path / "spoilt")
    assert found["complete"]
    assert found["again"]
    assert found["frames_ordered"] < FRAMES + 6
    assert {name for name in good if good[name] != delivered[name]} == found["remarks"].keys()


def test_a_shot_that_is_meant_to_be_black_is_delivered_with_a_remark(
    emulator: Emulator, runner: Runner, tmp_path: Path
) -> None:
    found = rendered(runner, tmp_path / "black", black_frames=tuple(range(1, FRAMES + 1)))
    assert (found["complete"], found["frames_ordered"]) == (True, FRAMES + 1)
    assert found["remarks"] == {
        "frames/0001.png": f"is black, and so are all {FRAMES} frames; rendered again, and still so"
    }
