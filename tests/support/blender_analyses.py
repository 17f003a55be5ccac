"""Analyses of odd scenes by a real Blender. Each scene is made by a snippet of Python."""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from renderjuice_emulator.blender import find_blender

SCRIPT = Path(__file__).with_name("scenes_in_blender.py")
COMMAND = find_blender()
PYTHON = COMMAND[0] if COMMAND and Path(COMMAND[0]).name.startswith("python") else None

NEEDS_BLENDER = [
    pytest.mark.blender,
    pytest.mark.skipif(not PYTHON, reason="no bpy: install it into .venv-blender, or let RENDERJUICE_BLENDER name one"),
]
"""Marks for a module whose tests start Blender."""


def assert_missing(found: Mapping[str, Any], files: list[str]) -> None:
    """The analysis names these files as missing, no others, and could check them all."""
    assert "error" not in found, found
    assert found["missing_files"] == sorted(files)
    assert not [warning for warning in found["warnings"] if "could not be checked" in warning]


def analyses(folder: Path, snippets: Mapping[str, str]) -> dict[str, Any]:
    """The analysis of every scene, by the name of its snippet. One Blender makes them all."""
    order = {"folder": str(folder), "snippets": {name: textwrap.dedent(code) for name, code in snippets.items()}}
    done = subprocess.run(
        [str(PYTHON), "-P", str(SCRIPT)],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)["found"]
    return found
