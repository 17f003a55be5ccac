"""Which files of a folder the bulk DAG renders."""

from __future__ import annotations

from stages.bulk import scene_arguments

from tests.test_zips import LITTER


def test_litter_is_passed_over(tmp_path):
    root = tmp_path / ".Trash-1000"  # litter is what lies in the folder, not the folder that was named
    for name in ["sh010/shot.blend", "sh020.zip", *LITTER]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"BLENDER")
    found = scene_arguments(str(root), {"colorManagementPreset": "default"})
    assert [each["file_path"].removeprefix(f"{root}/") for each in found] == ["sh010/shot.blend", "sh020.zip"]
