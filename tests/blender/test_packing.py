"""A packed scene: one zip, in which every path leads where it led."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import pytest

from blender_extension.packing import Needs, PackingError, blender_command, pack, places
from blender_extension.work import here, place_of, there
from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.scene_file import SceneFile


@pytest.fixture
def studio(tmp_path: Path) -> Needs:
    """A shot that uses a texture and a library elsewhere in the studio's folders."""
    shots, assets = tmp_path / "show" / "shots" / "sh010", tmp_path / "show" / "assets"
    for folder in (shots, assets / "textures", shots / "blendcache_sh010"):
        folder.mkdir(parents=True)
    scene, library = write_scene(shots / "sh010.blend"), write_scene(assets / "chair.blend")
    (assets / "textures" / "wood.png").write_bytes(b"wood" * 1000)
    (shots / "blendcache_sh010" / "cloth_000001_00.bphys").write_bytes(b"cloth")
    files = (library, assets / "textures" / "wood.png")
    return Needs(scene, files, (shots / "blendcache_sh010" / "cloth_000001_00.bphys",))


@pytest.fixture
def blender(tmp_path: Path) -> list[str]:
    """Stands in for Blender: writes the scene where it is to be, and notes that it was called."""
    script = tmp_path / "blender.py"
    script.write_text(
        "import json, pathlib, shutil, sys\n"
        "order = json.loads(sys.argv[-1])\n"
        "shutil.copy(order['scene'], order['target'])\n"
        f"with open({str(tmp_path / 'calls')!r}, 'a') as calls: calls.write(json.dumps(order) + '\\n')\n"
    )
    return [sys.executable, str(script)]


def calls(tmp_path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]


def test_the_scene_stands_on_top_and_its_files_where_they_stood(
    studio: Needs, blender: list[str], tmp_path: Path
) -> None:
    made = pack(studio, tmp_path / "out", blender)

    assert made.name == "sh010.zip"
    with zipfile.ZipFile(made) as archive:
        assert sorted(archive.namelist()) == [
            "assets/assets/chair.blend",
            "assets/assets/textures/wood.png",
            "blendcache_sh010/cloth_000001_00.bphys",
            "sh010.blend",
        ]
        assert archive.read("assets/assets/textures/wood.png") == b"wood" * 1000
    assert SceneFile.check(made, one_scene=True).type == "zip"


def test_blender_is_asked_to_write_it_as_if_it_lay_among_its_files(
    studio: Needs, blender: list[str], tmp_path: Path
) -> None:
    pack(studio, tmp_path / "out", blender)

    (order,) = calls(tmp_path)
    assert order["scene"] == str(studio.scene)
    top = Path(order["target"]).parent
    assert Path(order["among_files"]).relative_to(top) == Path("assets/shots/sh010/sh010.blend")
    assert not top.exists()  # it was temporary


def test_a_scene_without_files_is_sent_as_it_is(studio: Needs, tmp_path: Path) -> None:
    made = pack(Needs(studio.scene), tmp_path / "out", ["nothing to run"])

    assert made == tmp_path / "out" / "sh010.blend"
    assert made.read_bytes() == studio.scene.read_bytes()


@pytest.mark.parametrize("with_files", [True, False])
def test_what_is_packed_again_without_a_change_stays_the_same_file(
    studio: Needs, blender: list[str], tmp_path: Path, with_files: bool
) -> None:
    needs = studio if with_files else Needs(studio.scene)
    before = pack(needs, tmp_path / "out", blender).stat()
    after = pack(needs, tmp_path / "out", blender).stat()

    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("what", ["scene", "library", "texture"])
def test_what_has_changed_is_packed_again(studio: Needs, blender: list[str], tmp_path: Path, what: str) -> None:
    pack(studio, tmp_path / "out", blender)
    changed = {"scene": studio.scene, "library": studio.files[0], "texture": studio.files[1]}[what]
    changed.write_bytes(changed.read_bytes() + b"\n")
    pack(studio, tmp_path / "out", blender)

    assert len(calls(tmp_path)) == 2


def test_a_blender_that_fails_is_quoted_and_leaves_nothing(studio: Needs, tmp_path: Path) -> None:
    with pytest.raises(PackingError, match="no such node"):
        pack(studio, tmp_path / "out", [sys.executable, "-c", "raise SystemExit('no such node')"])
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_vanishes_is_a_sentence(studio: Needs, blender: list[str], tmp_path: Path) -> None:
    studio.files[1].unlink()
    with pytest.raises(PackingError, match=r"wood\.png"):
        pack(studio, tmp_path / "out", blender)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_damaged_zip_is_replaced(studio: Needs, blender: list[str], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sh010.zip").write_bytes(b"PK, and then nothing")

    assert zipfile.is_zipfile(pack(studio, tmp_path / "out", blender))


def test_all_in_one_folder_needs_no_others(tmp_path: Path) -> None:
    scene, texture = tmp_path / "a.blend", tmp_path / "a.png"

    assert places(Needs(scene, (texture,))) == {scene: "assets/a.blend", texture: "assets/a.png"}


def test_blender_starts_without_preferences_and_runs_no_script_of_the_scene() -> None:
    command = blender_command("/opt/blender/blender")

    assert command[0] == "/opt/blender/blender"
    assert {"--background", "--factory-startup", "--disable-autoexec"} < set(command)
    assert command[-1] == "--python"
    assert blender_command("")[0] == sys.executable


def test_a_path_in_the_shared_folder_is_said_as_workers_see_it(tmp_path: Path) -> None:
    file = tmp_path / "in" / "sh010.zip"

    assert there(file, tmp_path, "") == str(file)
    assert there(file, tmp_path, "/mnt/studio/") == "/mnt/studio/in/sh010.zip"
    assert here("/mnt/studio/in/sh010.zip", tmp_path, "/mnt/studio") == file
    assert here("/elsewhere/sh010.zip", tmp_path, "/mnt/studio") == Path("/elsewhere/sh010.zip")
    assert here(r"S:\studio\in\sh010.zip", tmp_path, r"S:\studio") == file


def test_two_scenes_of_one_name_do_not_meet(tmp_path: Path) -> None:
    assert place_of(tmp_path / "a" / "sh010.blend") != place_of(tmp_path / "b" / "sh010.blend")
    assert place_of(tmp_path / "a" / "sh010.blend").startswith("sh010-")
