"""The shape of the extension, which Blender loads under a name of its own choice."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import renderjuice_provider
from tools.blender_extension import PLATFORMS, PYTHONS, SOURCE, completed

MODULES = sorted(SOURCE.glob("*.py"))
IN_BLENDER = {"operators", "preferences", "repacked_scene", "scene", "ui"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_modules_of_the_extension_are_imported_by_relative_names(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert not str(node.module).startswith(SOURCE.name)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_only_some_modules_need_blender(module: Path) -> None:
    names = {
        alias.name.partition(".")[0]
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert ("bpy" in names) == (module.stem in IN_BLENDER)


def test_nothing_but_blender_and_our_client_is_imported() -> None:
    known = sys.stdlib_module_names | {"bpy", "renderjuice", "renderjuice_provider"}
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert {name.partition(".")[0] for name in names} <= known, module.name


def test_the_client_is_not_imported_before_it_is_used() -> None:
    """Blender starts with every extension: a second more would be everybody's second."""
    code = (
        "import sys, blender_extension.work, blender_extension.airflow, blender_extension.keys\n"
        "print([name for name in sys.modules if name.partition('.')[0] in {'renderjuice_provider', 'httpx', 'pydantic'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SOURCE.parent)
    assert done.stdout.strip() == "[]"


def test_the_manifest_gets_the_projects_version_and_the_wheels() -> None:
    text = completed((SOURCE / "blender_manifest.toml").read_text(), PLATFORMS, ["a-1-py3-none-any.whl"])
    manifest = tomllib.loads(text)

    assert manifest["version"] == renderjuice_provider.__version__
    assert manifest["wheels"] == ["./wheels/a-1-py3-none-any.whl"]
    assert manifest["platforms"] == list(PLATFORMS)
    assert set(manifest["permissions"]) == {"network", "files"}
    assert manifest["blender_version_min"] == "4.2.0"


def test_there_are_wheels_for_the_python_of_each_blender() -> None:
    assert PYTHONS == ("3.11", "3.13")  # of Blender 4.2 to 5.0, and of 5.1
