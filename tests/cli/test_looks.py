"""What is known before anything is spent: `inspect`, `estimate`, and the ceiling of `submit`."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from renderjuice.estimates import estimate
from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.models import Job
from tests.cli.conftest import Run

DEFAULT = ("--preset", "default", "--every", "0.02")


def test_a_scene_is_inspected_without_a_key(bare_run: Run, scene: Path) -> None:
    (found,) = bare_run("inspect", scene, "--json").objects
    assert found["ok"]
    assert (found["type"], found["blender"], found["size"]) == ("blend", "4.5", scene.stat().st_size)


def test_a_zip_is_inspected_with_what_is_in_it(bare_run: Run, scene: Path, tmp_path: Path) -> None:
    packed = tmp_path / "project.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(scene, "project/sh010.blend")
        archive.writestr("project/textures/wood.png", b"0" * 5000)
    done = bare_run("inspect", packed)
    assert "files: 2" in done.out
    assert bare_run("inspect", packed, "--json").objects[0]["unpacked"] == 5000 + scene.stat().st_size


@pytest.mark.parametrize(("content", "words"), [(b"text", "is not a Blender file"), (b"", "is empty")])
def test_what_is_wrong_with_a_scene_is_said(bare_run: Run, tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "sh.blend"
    path.write_bytes(content)
    done = bare_run("inspect", path)
    assert (done.code, words in done.err, done.out) == (2, True, "")
    (found,) = bare_run("inspect", path, "--json").objects
    assert not found["ok"]


@pytest.mark.parametrize(
    ("start", "version"),
    [
        (b"BLENDER17-01v0500", "5.0"),
        (b"BLENDER-v293REND", "2.93"),
        (b"\x28\xb5\x2f\xfd", None),
        (b"BLENDER-vxyz", None),
    ],
)
def test_the_blender_that_saved_a_scene_is_read_from_its_start(
    tmp_path: Path, start: bytes, version: str | None
) -> None:
    from renderjuice.commands.look import _version

    path = tmp_path / "sh.blend"
    path.write_bytes(start + b"\0" * 20)
    assert _version(path) == version


def test_a_job_is_inspected_with_what_validation_found(run: Run, scene: Path) -> None:
    job_id = run("submit", scene, "--wait", *DEFAULT).lines[0][0]
    (found,) = run("inspect", job_id, "--json").objects
    assert found["analysis"]["frameEnd"] == 3
    assert found["final_config"]["colorManagementPreset"] == "default"


def test_what_was_inspected_can_be_ordered_again(run: Run, scene: Path, emulator: Emulator, tmp_path: Path) -> None:
    import json

    job_id = run("submit", scene, "--samples", 8, *DEFAULT).lines[0][0]
    recipe = json.dumps(run("inspect", job_id, "--json").objects[0]["requested_config"])
    other = write_scene(tmp_path / "other.blend", frame_end=1)
    again = run("submit", other, "--config", recipe, "--every", "0.02").lines[0][0]
    assert emulator.jobs[again].requested_config == emulator.jobs[job_id].requested_config


def test_an_estimate_goes_by_what_the_same_scene_has_cost(run: Run, scene: Path) -> None:
    (job,) = run("submit", scene, "--wait", "--json", *DEFAULT).objects
    (found,) = run("estimate", scene, "--rate", 3600, "--currency", "EUR", "--json").objects
    assert found["frames"] == 3
    assert found["normalized_seconds"]["likely"] == pytest.approx(job["normalized_seconds"])
    assert found["money"].pop("currency") == "EUR"
    assert found["money"] == pytest.approx(found["normalized_seconds"])
    (half,) = run("estimate", scene, "--frames", "1-30", "--percentage", "50", "--json").objects
    assert half["normalized_seconds"]["likely"] == pytest.approx(job["normalized_seconds"] * 10 / 4)


def test_several_estimates_have_a_sum(run: Run, shots: Path) -> None:
    run("submit", shots, "--wait", *DEFAULT)
    done = run("estimate", shots)
    assert [line[0] for line in done.lines] == ["sh010", "sh020", "sh030", "3 in all"]


def test_a_scene_that_nothing_is_known_of_is_not_guessed_at(run: Run, scene: Path, emulator: Emulator) -> None:
    done = run("estimate", scene)
    assert done.code == 2
    assert "--like" in done.err
    assert emulator.ledger.count("create_upload") == 0


def completed(seconds: float | None, frames: str = "1-10", **fields: object) -> Job:
    config = {"frameRanges": [frames], "resolution": [100, 100], "sampleCount": 10}
    return Job.model_validate(
        {"id": "x", "status": "completed", "normalizedSeconds": seconds, "finalConfig": config} | fields
    )


def test_an_estimate_is_in_proportion_to_pixels_and_samples_and_has_a_range() -> None:
    config = {"resolution": [200, 100], "sampleCount": 20}
    found = estimate(config, 5, [completed(10.0), completed(20.0)])
    assert found is not None
    assert (found.least, found.likely, found.most) == (20.0, 30.0, 40.0)


@pytest.mark.parametrize("job", [completed(None), completed(9.0, status="failed"), completed(9.0, frames="many")])
def test_a_job_whose_cost_for_a_frame_is_not_known_is_no_measure(job: Job) -> None:
    assert estimate({}, 5, [job]) is None


def test_a_ceiling_is_held_before_anything_is_sent(run: Run, emulator: Emulator, scene: Path, tmp_path: Path) -> None:
    (job,) = run("submit", scene, "--wait", "--json", *DEFAULT).objects
    before = emulator.ledger.count("create_upload")
    refused = run("submit", scene, "--frames", "1-100", "--max-normalized-seconds", 10, *DEFAULT)
    assert refused.code == 6
    assert "10 are allowed" in refused.err
    other = write_scene(tmp_path / "other.blend")
    unknown = run("submit", other, "--max-normalized-seconds", 1000, *DEFAULT)
    assert unknown.code == 6
    assert "The ceiling cannot be kept" in unknown.err
    assert emulator.ledger.count("create_upload") == before
    like = ("--like", job["job_id"], "--frames", "1-2")
    assert run("submit", other, "--max-normalized-seconds", 1000, *like, *DEFAULT).code == 0
