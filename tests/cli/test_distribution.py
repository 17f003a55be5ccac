"""The distribution `renderjuice`: what is in it, and its commands where there is no Airflow."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from renderjuice_emulator.testing import Emulator
from renderjuice_provider import __version__
from tests.cli.conftest import ROOT, Done

CLIENT = ROOT / "client"
TOP = {"renderjuice", "renderjuice_emulator", "renderjuice_provider", f"renderjuice-{__version__}.dist-info"}
PROVIDER = {"__init__.py", "_frame_names.py", "api", "frames.py", "lifecycle", "py.typed"}


def project(folder: Path) -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return found


def built(folder: Path, kind: str, source: Path = CLIENT) -> Path:
    command = [sys.executable, "-m", "uv", "build", f"--{kind}", "--out-dir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return next(folder.glob("*.whl" if kind == "wheel" else "*.tar.gz"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="session")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the distribution and what it needs."""
    folder = tmp_path_factory.mktemp("environment")
    interpreter = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    for command in (
        ["venv", "--python", sys.executable, str(folder), "--allow-existing"],
        ["pip", "install", "--python", str(interpreter), str(wheel)],
    ):
        subprocess.run([sys.executable, "-m", "uv", *command], check=True, capture_output=True, timeout=300)
    return interpreter


Command = Callable[..., Done]


@pytest.fixture
def command(python: Path, account: None, home: Path) -> Command:
    """Runs the installed program, away from this checkout."""

    def run(*arguments: object) -> Done:
        program = [str(python.with_name("renderjuice")), *map(str, arguments)]
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            program, cwd=home, env=variables, capture_output=True, text=True, timeout=120, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.mark.slow
def test_the_wheel_holds_what_needs_no_airflow_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == TOP
    inside = {name.split("/")[1] for name in names if name.startswith("renderjuice_provider/")}
    assert inside == PROVIDER
    assert not [name for name in names if "__pycache__" in name]
    assert f"renderjuice-{__version__}.dist-info/licenses/LICENSE" in names


@pytest.mark.slow
def test_the_source_archive_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    archive = built(tmp_path / "source", "sdist")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, filter="data")
    again = built(tmp_path / "again", "wheel", tmp_path / archive.name.removesuffix(".tar.gz"))
    assert again.read_bytes() == wheel.read_bytes()


@pytest.mark.slow
def test_there_is_no_airflow_and_all_of_it_can_be_imported(python: Path, home: Path) -> None:
    code = """
import importlib.util, pkgutil, sys
assert importlib.util.find_spec("airflow") is None
import renderjuice, renderjuice_provider.api, renderjuice_provider.lifecycle, renderjuice_provider.frames
for package in (renderjuice, renderjuice_provider.api, renderjuice_provider.lifecycle):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name != "renderjuice.__main__":
            __import__(module.name)
print(renderjuice_provider.__file__)
"""
    done = subprocess.run([python, "-c", code], cwd=home, capture_output=True, text=True, check=True)
    assert "site-packages" in done.stdout


@pytest.mark.slow
def test_every_command_works_without_airflow(command: Command, emulator: Emulator, shots: Path, home: Path) -> None:
    default = ("--preset", "default", "--every", "0.05")
    assert command("--version").out == f"renderjuice {__version__}\n"
    assert [each["state"] for each in command("doctor", "--json").objects if each["check"] != "blender"] == (
        ["ok", "ok", "ok", "note", "ok", "ok"]
    )
    assert command("inspect", shots).code == 0
    assert command("validate", shots / "sh010.blend", "--every", "0.05").lines[0][1] == "validated"
    submitted = command("submit", shots, "--wait", *default)
    assert (submitted.code, len(submitted.lines)) == (0, 3), submitted.err
    assert command("estimate", shots).code == 0
    assert len(command("list", "--status", "completed").out.splitlines()) == 3
    assert command("status", shots).code == 0
    assert command("watch", shots, "--every", "0.05").code == 0
    assert command("wait", shots, "--every", "0.05").code == 0
    assert command("download", shots, "--into", home / "out").code == 0
    assert len(list((home / "out").rglob("*.png"))) == 6
    assert command("cancel", shots, "--yes").code == 0
    refused = command("list", "--connection", "renderjuice_default")
    assert (refused.code, "is not installed here" in refused.err) == (2, True)
    assert emulator.ledger.renders_started() == 3


@pytest.mark.slow
def test_the_shell_completes_commands_and_jobs(command: Command, python: Path, shots: Path, home: Path) -> None:
    job_id = command("submit", shots / "sh010.blend", "--preset", "default", "--every", "0.05").lines[0][0]
    variables = {
        **os.environ,
        "_RENDERJUICE_COMPLETE": "complete_bash",
        "COMP_WORDS": "renderjuice watch ",
        "COMP_CWORD": "2",
    }
    program = [str(python.with_name("renderjuice"))]
    done = subprocess.run(program, cwd=home, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert job_id in done.stdout


def test_the_provider_brings_the_same_command() -> None:
    here, there = project(ROOT), project(CLIENT)
    assert here["scripts"] == there["scripts"]
    assert set(there["dependencies"]) <= set(here["dependencies"])  # type: ignore[call-overload]
    assert here["optional-dependencies"]["emulator"] == there["optional-dependencies"]["emulator"]  # type: ignore[index]
    assert (CLIENT / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_only_one_module_of_the_command_imports_airflow() -> None:
    found = set()
    for path in (ROOT / "renderjuice").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {path.name for name in names if name.partition(".")[0] == "airflow"}
    assert found == {"airflow.py"}


def test_help_and_version_need_neither_httpx_nor_airflow() -> None:
    code = (
        "import sys, renderjuice.cli; from renderjuice.cli import main; main(['--version']);"
        "print(sorted({'httpx', 'airflow', 'fastapi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1].replace("'", '"')) == []
