"""What the operators make of a scene: refused when it is not one, and reported when it is odd."""

from __future__ import annotations

import zipfile

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCreateJobOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)
from tests.support.runner import CONFIG


@pytest.fixture
def several(tmp_path):
    path = tmp_path / "project.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("assets.blend", "scene.blend"):
            archive.write(write_scene(tmp_path / name), name)
    return path


@pytest.mark.parametrize(
    "operator",
    [
        lambda path: RenderjuiceUploadOperator(task_id="upload", file_path=str(path)),
        lambda path: RenderjuiceRunJobOperator(task_id="run", file_path=str(path), render_config=CONFIG),
    ],
    ids=["upload", "run"],
)
def test_no_task_chooses_between_scenes(emulator, runner, several, operator):
    with pytest.raises(RenderjuiceInputError, match=r"several scenes.*assets\.blend, scene\.blend"):
        runner.run(operator(several))
    assert emulator.ledger.entries == []


def test_validation_reports_which_scene_it_opened_and_what_will_look_different(emulator, runner, tmp_path, capsys):
    scene = write_scene(tmp_path / "shot.blend", warnings=("Drivers in Python do not run: Cube.",))
    slug = runner.run(RenderjuiceUploadOperator(task_id="upload", file_path=str(scene)))
    job_id = runner.run(RenderjuiceCreateJobOperator(task_id="create", slug=slug))
    found = runner.run(RenderjuiceValidateJobOperator(task_id="validate", job_id=job_id, poll_interval=0.02))
    assert found["analysis"]["warnings"] == ["Drivers in Python do not run: Cube."]
    said = capsys.readouterr().out
    assert "The scene is shot.blend" in said
    assert "Validation warns: Drivers in Python do not run: Cube." in said


def test_a_task_that_does_it_all_reports_it_too(emulator, runner, tmp_path, capsys):
    scene = write_scene(tmp_path / "shot.blend", warnings=("Drivers in Python do not run: Cube.",))
    runner.run(RenderjuiceRunJobOperator(task_id="run", file_path=str(scene), render_config=CONFIG, poll_interval=0.02))
    assert capsys.readouterr().out.count("Validation warns: Drivers in Python do not run: Cube.") == 1


def test_a_thousand_missing_files_do_not_hide_that_any_is_missing(emulator, runner, tmp_path):
    scene = write_scene(tmp_path / "shot.blend", missing_files=tuple(f"textures/wood_{n:04d}.png" for n in range(1000)))
    slug = runner.run(RenderjuiceUploadOperator(task_id="upload", file_path=str(scene)))
    job_id = runner.run(RenderjuiceCreateJobOperator(task_id="create", slug=slug))
    found = runner.run(RenderjuiceValidateJobOperator(task_id="validate", job_id=job_id, poll_interval=0.02))
    missing = found["analysis"]["missingFiles"]
    assert (missing[0], missing[-1]) == ("textures/wood_0000.png", "... and 950 more")
