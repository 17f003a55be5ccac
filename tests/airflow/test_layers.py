"""Shots of one, two, three and five layers on a real Airflow, pixel by pixel."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from renderjuice_emulator.scenes import write_scene
from tests.support.painted import composite_due, pixels_of

pytestmark = [pytest.mark.airflow, pytest.mark.slow]
DAG = "renderjuice_shot"
NIGHT = "2026-11-23"
FRAMES = (1, 2)
SHOTS = {
    "lay_010_one": {"base": "over"},
    "lay_020_two": {"base": "over", "over": "over"},
    "lay_030_three": {"z_sky": "over", "shadow": "multiply", "a_hero": "over"},
    "lay_050_five": {"sky": "over", "set": "over", "shadow": "multiply", "hero": "over", "a_glow": "add"},
}
"""By shot, its layers from the bottom up, each with its blend. Their names are not in that order
when they are sorted, and what is added or multiplied may be opaque."""
ONE_STEP = 4 / 65535
"""A step of 16 bits is 1/65535; the display transform works in single precision."""
PATIENCE = 300


def shot_list(folder):
    shots = []
    for name, layers in SHOTS.items():
        scenes = {}
        for index, (layer, blend) in enumerate(layers.items()):
            scene = folder / f"{name}_{layer}.blend"
            transparent = index > 0 and blend != "add"
            write_scene(scene, frame_end=FRAMES[-1], resolution=(64, 36), film_transparent=transparent)
            scenes[layer] = scene.name if blend == "over" else {"file": scene.name, "blend": blend}
        shots.append({"name": name, "layers": scenes})
    content = {"show": "layers", "defaults": {"render": {"colorManagementPreset": "default"}}, "shots": shots}
    (folder / "shots.json").write_text(json.dumps(content))
    return folder / "shots.json"


@pytest.fixture(scope="module")
def delivered(airflow, emulator, tmp_path_factory):
    """The folder with `out` and `work`, once every shot was started by hand and has ended well."""
    folder = tmp_path_factory.mktemp("layers")
    places = {"shot_list": str(shot_list(folder)), "date": NIGHT}
    places |= {"destination": str(folder / "out"), "work": str(folder / "work")}
    runs = {shot: airflow.trigger(DAG, places | {"shot": shot}) for shot in SHOTS}
    deadline = time.monotonic() + PATIENCE
    while running := [shot for shot, run in runs.items() if airflow.run_state(DAG, run) not in {"success", "failed"}]:
        assert time.monotonic() < deadline, f"still running after {PATIENCE} s: {running}"
        emulator.clock.advance(30)
        time.sleep(0.5)
    for shot, run in runs.items():
        wrong = [task["task_id"] for task in airflow.tasks(DAG, run, "failed")]
        assert airflow.run_state(DAG, run) == "success", f"{shot}: {wrong}\n" + "\n".join(
            airflow.task_log(DAG, run, task)[-3000:] for task in wrong[:1]
        )
    return folder, runs


@pytest.mark.parametrize("shot", SHOTS)
def test_every_pixel_of_every_frame_is_that_of_its_layers_as_they_were_downloaded(delivered, shot):
    folder, _ = delivered
    for frame in FRAMES:
        (picture,) = folder.glob(f"out/shots/{shot}/*/frames/{shot}.{frame:04d}.png")
        layers = {layer: folder.glob(f"work/{shot}/*/{layer}/frames/{frame:04d}.*") for layer in SHOTS[shot]}
        files = {layer: next(found) for layer, found in layers.items()}
        if len(files) == 1:  # a finished picture, which leaves as it came
            assert np.array_equal(pixels_of(picture), pixels_of(files["base"])[..., :3])
        else:
            assert {file.suffix for file in files.values()} == {".exr"}
            due = composite_due(files, SHOTS[shot])
            assert np.abs(pixels_of(picture) - due).max() < ONE_STEP


def test_a_shot_has_the_tasks_of_its_own_layers_and_no_others(delivered, airflow):
    """None is skipped but the branch that was not chosen."""
    _, runs = delivered
    for shot, layers in SHOTS.items():
        tasks = airflow.tasks(DAG, runs[shot])
        assert {task["task_id"] for task in tasks if task["state"] == "skipped"} == {"probe", "reject", "share"}
        for mapped in ("upload", "create", "validate", "render"):
            assert sum(task["task_id"] == mapped for task in tasks) == len(layers), (shot, mapped)
    assert len(airflow.tasks(DAG, runs["lay_010_one"])) <= 12


def test_every_layer_is_rendered_once(delivered, emulator):
    assert delivered
    for shot, layers in SHOTS.items():
        for layer in layers:
            assert emulator.ledger.renders_started(file_name=f"{shot}_{layer}.blend") == 1
