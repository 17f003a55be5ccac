"""Which Blender is run, and how."""

import sys

from renderjuice_emulator.blender import JOB_SCRIPT, find_blender


def test_a_blender_that_was_asked_for_is_the_only_one_tried(monkeypatch, tmp_path):
    monkeypatch.setenv("RENDERJUICE_BLENDER", sys.executable)
    assert find_blender(str(tmp_path / "nowhere")) is None
    assert find_blender() == [sys.executable, "-P", str(JOB_SCRIPT)]


def test_a_blender_named_from_here_is_found_from_elsewhere(monkeypatch, tmp_path):
    (tmp_path / "blender").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    assert find_blender("./blender")[0] == str(tmp_path / "blender")


def test_a_blender_executable_runs_the_job_in_the_background(tmp_path):
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
