from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from renderjuice_emulator.rendering import RenderFailedError, expand_frame_ranges
from renderjuice_emulator.scenes import SceneDescription, open_upload, read_scene, write_scene
from tests.support.raw_client import RawClient


def archive(path: Path, **members: str) -> Path:
    with zipfile.ZipFile(path, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


def test_a_scene_says_what_was_written(tmp_path: Path) -> None:
    path = write_scene(
        tmp_path / "shot.blend", frame_end=24, cameras=("A", "B"), seconds_per_frame=60, fail_validation=("no", "WHY")
    )
    scene = read_scene(path)
    assert (scene.report.frame_end, scene.report.cameras, scene.seconds_per_frame) == (24, ("A", "B"), 60)
    assert scene.fail_validation == ("no", "WHY")
    assert path.stat().st_size < 1000


def test_a_scene_can_be_as_large_as_a_test_wants(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "shot.blend", size=2**30)
    assert path.stat().st_size == 2**30
    assert path.stat().st_blocks * 512 < 2**20
    assert read_scene(path) == SceneDescription()


def test_a_misspelt_field_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="frames_end"):
        write_scene(tmp_path / "shot.blend", frames_end=3)


def test_a_damaged_description_is_not_a_scene(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "shot.blend")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RenderFailedError, match="damaged"):
        read_scene(path)


def test_the_scene_nearest_to_the_root_of_an_archive_is_taken(tmp_path: Path) -> None:
    members = {"lib/props.blend": "x", "b.blend": "x", "a.blend": "x", "tex/a.png": "x"}
    scene = open_upload(archive(tmp_path / "shot.zip", **members), tmp_path / "scene")
    assert scene == tmp_path / "scene" / "a.blend"
    assert (tmp_path / "scene" / "tex" / "a.png").exists()


@pytest.mark.parametrize(
    "name", ["../shot.blend", "/shot.blend", "a/../../shot.blend", "C:\\shot.blend", "a\\shot.blend"]
)
def test_a_name_that_leads_out_of_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RenderFailedError, match="unsafe name"):
        open_upload(archive(tmp_path / "shot.zip", **{name: "x"}), tmp_path / "scene")
    assert not (tmp_path / "scene").exists()


def test_a_symbolic_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("shot.blend")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "shot.zip", "w") as target:
        target.writestr(link, "/etc/passwd")
    with pytest.raises(RenderFailedError, match="symbolic link"):
        open_upload(tmp_path / "shot.zip", tmp_path / "scene")


def test_an_archive_that_is_damaged_or_has_no_scene_fails(tmp_path: Path) -> None:
    with pytest.raises(RenderFailedError, match=r"no \.blend"):
        open_upload(archive(tmp_path / "empty.zip", readme="x"), tmp_path / "scene")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(RenderFailedError, match="cannot be unpacked"):
        open_upload(tmp_path / "broken.zip", tmp_path / "scene")


def test_frame_ranges_are_what_farms_commonly_take() -> None:
    assert expand_frame_ranges(["1-3", "10", "20-30:5", "2"]) == (1, 2, 3, 10, 20, 25, 30)
    assert expand_frame_ranges(["1-2,5", "-3--1", "0-4x2"]) == (-3, -2, -1, 0, 1, 2, 4, 5)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_archive_whose_compressed_bytes_are_damaged_fails(tmp_path: Path, compression: int) -> None:
    path = tmp_path / "shot.zip"
    with zipfile.ZipFile(path, "w", compression) as target:
        target.writestr("shot.blend", bytes(range(256)) * 9)
    content = bytearray(path.read_bytes())
    start = 30 + len("shot.blend")
    for place in range(start, start + 30):
        content[place] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(RenderFailedError, match="cannot be unpacked"):
        open_upload(path, tmp_path / "scene")


def test_validation_reports_when_an_archive_held_several_scenes(raw_client: RawClient, tmp_path: Path) -> None:
    path = tmp_path / "project.zip"
    with zipfile.ZipFile(path, "w") as target:
        for name in ("a.blend", "b.blend"):
            target.write(write_scene(tmp_path / name), name)
    job = raw_client.job(raw_client.validated(path))
    assert job["sceneFile"]["name"] == "a.blend"
    assert job["analysis"]["warnings"] == ["Of several scenes in the archive a.blend was taken: a.blend, b.blend."]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("sh010_lighting.blend", "sh010_lighting.blend"),
        ("../../sh010.blend", "sh010.blend"),
        ("C:\\shots\\sh010.blend", "sh010.blend"),
        ("x" * 300 + ".blend", "slug.blend"),
        ("sh\0.blend", "slug.blend"),
        ("..", "slug.blend"),
    ],
)
def test_a_scene_has_the_name_that_its_client_gave_it(tmp_path: Path, name: str, kept: str) -> None:
    upload = write_scene(tmp_path / "slug.blend")
    scene = open_upload(upload, tmp_path / "scene", name)
    assert scene.name == kept
    assert scene.read_bytes() == upload.read_bytes()
