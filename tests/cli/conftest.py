"""The command line against an emulator: in this process, and as a program."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from renderjuice.cli import main
from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:
    """A program that a shell has put into the background ignores Ctrl-C, and all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[list[str]]:
        """The columns of each line of data."""
        return [line.split("\t") for line in self.out.splitlines()]

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Each line of data as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Done]


@pytest.fixture
def emulator(renderjuice_emulator: Emulator) -> Iterator[Emulator]:
    """An emulator that is asked, at the end, whether every fault was met."""
    yield renderjuice_emulator
    assert renderjuice_emulator.faults.left() == {}


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Folders of the user's own, and nothing from the machine's environment."""
    for name in [name for name in os.environ if name.startswith("RENDERJUICE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture
def account(home: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key and the address of the emulator, in the environment."""
    monkeypatch.setenv("RENDERJUICE_API_KEY", emulator.api_key)
    monkeypatch.setenv("RENDERJUICE_BASE_URL", emulator.base_url)


@pytest.fixture
def bare_run(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, without an account."""

    def run(*arguments: object, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture
def run(bare_run: Run, account: None) -> Run:
    """Runs a command in this process."""
    return bare_run


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "sh010.blend", frame_end=3)


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """A folder of three scenes."""
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in (10, 20, 30):
        write_scene(folder / f"sh{number:03d}.blend", frame_end=2, samples=number)
    return folder


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(home: Path, account: None) -> Iterator[Start]:
    """Starts the command as a program of its own. What is left of them is ended."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: object, python: Sequence[object] = (sys.executable,), **environment: str) -> Any:
        command = [*map(str, python), "-m", "renderjuice", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        started.append(subprocess.Popen(command, text=True, env=variables, cwd=home, **pipes))  # type: ignore[call-overload]
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()
