"""Fixtures of the tests that use the extension inside Blender."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from renderjuice_emulator.blender import BlenderRenderer, find_blender
from renderjuice_emulator.testing import Emulator
from tests.stages.test_real_blenders import PYTHONS
from tools.blender_extension import build

SCRIPT = Path(__file__).with_name("extension_in_blender.py")
Begin = Callable[..., subprocess.Popen[str]]
Use = Callable[..., dict[str, Any]]
NEEDS_BLENDER = [
    pytest.mark.blender,
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHONS, reason="no bpy: install it into .venv-blender, or let RENDERJUICE_BLENDER name one"
    ),
]


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip for this system, as people install it."""
    (made,) = build(tmp_path_factory.mktemp("extension"), ["linux-x64"], ["3.11"])
    return made


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> str:
    """A Python that is a Blender."""
    return PYTHONS[request.param]


@pytest.fixture
def begin(python: str, extension: Path, tmp_path: Path) -> Begin:
    """Starts a Blender that does one thing; see `tests.support.extension_in_blender`."""

    def start(what: str, **order: Any) -> subprocess.Popen[str]:
        text = json.dumps(
            order
            | {"do": what, "zip": str(extension), "folder": str(tmp_path), "result": str(tmp_path / f"{what}.json")}
        )
        # The variables are the test's: a key of the machine's must not help.
        known = {name: value for name, value in os.environ.items() if not name.startswith(("RENDERJUICE", "PYTHON"))}
        return subprocess.Popen(
            [python, "-P", str(SCRIPT), text],
            env=known | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture
def use(begin: Begin, tmp_path: Path) -> Use:
    """Does one thing in Blender, and gives what it found."""

    def wait(what: str, **order: Any) -> dict[str, Any]:
        with begin(what, **order) as blender:
            printed, _ = blender.communicate(timeout=300)
        result = tmp_path / f"{what}.json"
        assert result.is_file(), printed[-4000:]
        found: dict[str, Any] = json.loads(result.read_text())
        return found

    return wait


@pytest.fixture
def farm() -> Iterator[Emulator]:
    """An emulator that renders with Blender."""
    command = find_blender()
    assert command is not None
    with Emulator(renderer=lambda _: BlenderRenderer(command), slots=1) as farm:
        yield farm
