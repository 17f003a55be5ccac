"""A folder of frames is made whole in rounds, and no frame that is there is paid again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.operators.renderjuice import RenderjuiceRenderFramesOperator
from tests.support.runner import CONFIG

FAST = {"poll_interval": 0.02}
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "on the worker"])


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def render(scene, out, **arguments: Any) -> RenderjuiceRenderFramesOperator:
    given = {"task_id": "render", "file_path": str(scene), "render_config": CONFIG, "destination": str(out)}
    return RenderjuiceRenderFramesOperator(**given | FAST | arguments)


@both_modes
def test_one_job_fills_an_empty_folder(emulator, runner, scene, out, deferrable):
    found = runner.run(render(scene, out, deferrable=deferrable))
    assert (found["complete"], found["rounds"], found["frames_ordered"]) == (True, 1, 3)
    assert sorted(path.name for path in (out / "frames").iterdir()) == ["0001.png", "0002.png", "0003.png"]
    (noted,) = json.loads((out / "jobs.json").read_text())
    assert noted["job_id"] == found["job_id"] == runner.ti.xcoms["renderjuice_job_id"]
    assert found["jobs"] == {found["job_id"]: found["normalized_seconds"]}
    assert json.loads((out / "manifest.json").read_text())["complete"]


@both_modes
def test_a_folder_that_is_whole_orders_nothing(emulator, runner, scene, out, deferrable):
    runner.run(render(scene, out, deferrable=deferrable))
    runner.store.values.clear()
    found = runner.run(render(scene, out, deferrable=deferrable))
    assert (found["complete"], found["rounds"], found["jobs"]) == (True, 0, {})
    assert emulator.ledger.renders_started() == 1


@both_modes
def test_a_next_round_orders_only_what_the_first_left_out(emulator, runner, out, tmp_path, deferrable):
    scene = write_scene(tmp_path / "shot.blend", frame_end=3)
    first = render(scene, out, deferrable=deferrable)
    runner.run(first)
    (out / "frames" / "0002.png").write_bytes(b"")
    emulator.reset()
    runner.store.values.clear()
    (out / "jobs.json").unlink()
    found = runner.run(render(scene, out, deferrable=deferrable))
    assert (found["complete"], found["rounds"], found["frames_ordered"]) == (True, 1, 1)
    assert (out / "frames" / "0002.png").stat().st_size


@both_modes
def test_three_rounds_are_the_end_and_the_frames_are_named(emulator, runner, out, tmp_path, deferrable):
    scene = write_scene(tmp_path / "shot.blend", frame_end=6, missing_output_frames=(2, 4, 5))
    with pytest.raises(Exception, match=r"Frames 2, 4-5 of shot.blend are missing after 3 rounds"):
        runner.run(render(scene, out, deferrable=deferrable, render_config=CONFIG | {"frameRanges": ["1-6"]}))
    assert emulator.ledger.renders_started() == 3
    assert emulator.ledger.count("put_upload") == 1
