"""In front of a person: progress that is drawn again, data that stays readable, questions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from renderjuice.output import Output, seconds, size
from renderjuice.screen import Screen
from renderjuice.walks import Seen
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.models import Job
from renderjuice_provider.api.progress import Progress
from tests.cli.conftest import ROOT, Run

pty = pytest.importorskip("pty")
DEFAULT = ("--preset", "default", "--every", "0.05")
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")

Terminal = Callable[..., tuple[int, str]]


@pytest.fixture
def terminal(account: None, home: Path) -> Iterator[Terminal]:
    """Runs a command in a terminal; its code and all that was written, without colours."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: object, typed: bytes = b"") -> tuple[int, str]:
        mine, its = pty.openpty()
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "LINES": "24", "COLUMNS": "100"}
        command = [sys.executable, "-m", "renderjuice", *map(str, arguments)]
        process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=variables, cwd=home)
        started.append(process)
        os.close(its)
        os.write(mine, typed)
        written = b"".join(pieces(mine))
        os.close(mine)
        return process.wait(60), _CONTROLS.sub("", written.decode())

    yield run
    for process in started:
        process.kill()
        process.wait()


def pieces(terminal: int) -> Iterator[bytes]:
    """What is written to a terminal, until nobody has it open."""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            return
        if not piece:
            return
        yield piece


def test_a_table_is_drawn_and_the_lines_of_data_stay(terminal: Terminal, shots: Path) -> None:
    code, written = terminal("submit", shots, "--wait", *DEFAULT)
    assert code == 0
    assert "3 in all: " in written
    assert len(set(re.findall(r"[0-9a-f-]{36}\s+completed\s+(sh\d+)", written))) == 3


def test_several_are_cancelled_when_the_person_says_so(
    terminal: Terminal, run: Run, emulator: Emulator, shots: Path
) -> None:
    run("submit", shots, "--wait", *DEFAULT)
    code, written = terminal("cancel", shots, typed=b"n\n")
    assert (code, "Cancel 3 jobs?" in written) == (2, True)
    assert emulator.ledger.count("cancel_job") == 0
    assert terminal("cancel", shots, typed=b"y\n")[0] == 0
    assert emulator.ledger.count("cancel_job") == 3


def test_a_list_is_aligned(terminal: Terminal, run: Run, shots: Path) -> None:
    run("submit", shots, "--wait", *DEFAULT)
    _, written = terminal("list")
    assert len({line.index("completed") for line in written.splitlines()}) == 1


def test_names_from_outside_are_no_markup_and_no_control(capsys: pytest.CaptureFixture[str]) -> None:
    job = Job.model_validate({"id": "x", "status": "rendering"})
    seen = Seen("[red]a\x1b[31mb", job=job, progress=Progress(frames_done=3, frames_total=8))
    screen = Screen(Output()).show([seen])
    screen._console.print(screen._draw())
    written = capsys.readouterr().err
    assert "[red]a [31mb" in written
    assert "3 of 8 frames" in written
    assert "\x1b" not in written


@pytest.mark.parametrize(("value", "text"), [(None, ""), (5, "5 s"), (65, "1 min 05 s"), (3700, "1 h 01 min")])
def test_times_are_for_people(value: float | None, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(12, "12 B"), (2048, "2.0 KiB"), (3 << 20, "3.0 MiB"), (5 << 30, "5.0 GiB")]
)
def test_sizes_are_for_people(value: float, text: str) -> None:
    assert size(value) == text
