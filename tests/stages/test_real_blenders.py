"""The start-up scene of every Blender at hand goes all the way to a delivery.

`make blenders` brings the oldest and the newest that can be had as a Python module beside the one
of `make blender`.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from stages.composite import composite
from stages.decisions import decide, frame_numbers
from stages.delivery import current_delivery, deliver
from stages.orders import order_by_hand

from renderjuice_emulator.blender import BlenderRenderer, find_blender
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import RenderjuiceClient

SAVE = "import os, bpy; bpy.ops.wm.read_factory_settings(use_empty=False); bpy.ops.wm.save_as_mainfile(filepath={!r}); os._exit(0)"
SHOTS = """\
show: startup
defaults:
  render: {colorManagementPreset: default, renderEngine: CYCLES, sampleCount: 2, resolutionPercentage: 5}
shots:
  - name: cube
    file: cube.blend
    frames: ["1-2"]
"""
ROOT = Path(__file__).parents[2]


def pythons() -> dict[str, str]:
    """Interpreters that have bpy, by the name of their environment, the newest last."""
    found = {path.parents[1].name: str(path) for path in sorted(ROOT.glob(".venv-blender-*/bin/python"))}
    command = find_blender()
    if command and Path(command[0]).name.startswith("python"):
        found["default"] = command[0]
    return found


PYTHONS = pythons()
PAIRS = [(name, name) for name in PYTHONS] + [(name, "default") for name in PYTHONS if name != "default"]


@pytest.mark.blender
@pytest.mark.slow
@pytest.mark.skipif(not PYTHONS, reason="no bpy: install it into .venv-blender, or let RENDERJUICE_BLENDER name one")
@pytest.mark.parametrize(("saved_by", "rendered_by"), [pair for pair in PAIRS if pair[1] in PYTHONS])
def test_the_start_up_scene_of_blender_goes_all_the_way(tmp_path, saved_by, rendered_by):
    subprocess.run(
        [PYTHONS[saved_by], "-P", "-c", SAVE.format(str(tmp_path / "cube.blend"))],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (tmp_path / "shots.yaml").write_text(SHOTS)
    places = {name: str(tmp_path / name) for name in ("destination", "work")}
    params = {"shot": "cube", "shot_list": str(tmp_path / "shots.yaml"), "quality": "auto"}
    order = order_by_hand(params | places, "2026-11-26")
    command = find_blender(PYTHONS[rendered_by])
    assert command is not None

    with Emulator(renderer=lambda _: BlenderRenderer(command), slots=1) as emulator:
        client = RenderjuiceClient(emulator.api_key, base_url=emulator.base_url)
        job = client.validate_job(client.create_job(client.upload(order["files"]["base"], one_scene=True).slug).id)
        job = until(client, job.id, "validated")
        assert job.analysis["missingFiles"] == []
        decision = decide(order, {"base": {"job_id": job.id, "status": job.status, "analysis": job.analysis}})
        assert decision["reasons"] == []
        client.start_render(job.id, decision["configs"]["base"])
        until(client, job.id, "completed")
        report = client.download_outputs(job.id, tmp_path / "work")

    assert len(report.frames) == 2
    made = composite({"base": tmp_path / "work" / "frames"}, frame_numbers(decision["frames"]), tmp_path / "made")
    reported = deliver(order, decision, made, tmp_path / "made")
    assert reported["new"]
    assert current_delivery(order["delivery"])["frames"] == 2


def until(client: RenderjuiceClient, job_id: str, status: str):
    deadline = time.monotonic() + 120
    while (job := client.get_job(job_id)).status != status:
        assert job.status not in {"failed", "canceled"}, job.failed_reason
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return job
