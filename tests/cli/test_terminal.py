"""In front of a person: progress that is drawn again, data that stays readable, questions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from renderjuice.output import Output, seconds, size
from renderjuice.screen import Screen
from renderjuice.walks import Seen
from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.models import Job
from renderjuice_provider.api.progress import Progress
from tests.cli.conftest import ROOT, Run

pty = pytest.importorskip("pty")
EVERY = ("--every", "0.05")
DEFAULT = ("--preset", "default", *EVERY)
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


HOSTILE = {
    "\x1b[2J\x1b]0;owned\x07red": "it would clear the screen and name the window",
    "[bold red]markup": "it would be drawn in red, or be an error",
    "two\tcolumns\rand a line": "it would be a column, or a line, of its own",
    "\u202egnp.exe\u2066": "it would turn the line around",
    "\u65e5\u672c\u8a9e\u306e\u30b7\u30e7\u30c3\u30c8": "its characters are two columns wide",
    "--yes": "it would be an option",
    "\udcff not UTF-8": "it cannot be written",
    "n" * 240: "it is longer than a line",
    "=cmd|'calc'!A1": "it is what a spreadsheet runs",
}
"""Names of scenes, and what would be wrong with each."""


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    folder = tmp_path / "hostile"
    folder.mkdir()
    for number, name in enumerate(HOSTILE):
        write_scene(folder / f"{name}.blend", frame_end=1, samples=number + 1)
    return folder


def test_hostile_names_of_scenes_are_rendered_and_shown_as_names(
    terminal: Terminal, run: Run, hostile: Path, home: Path
) -> None:
    done = run("submit", hostile, "--download", home / "out", *DEFAULT)
    rendered = [line for line in done.lines if line[1] == "completed"]
    assert len(done.lines) == len(HOSTILE)
    assert (done.code, len(rendered)) == (2, len(HOSTILE) - 1), done.err
    assert "a name that is text" in done.err
    assert {len(line) for line in rendered} == {4}
    assert len(list((home / "out").rglob("*.png"))) == len(rendered)
    assert all(home / "out" in file.resolve().parents for file in (home / "out").rglob("*"))
    assert len(run("list", "--json").objects) == len(rendered)
    for written in (done.out, done.err, run("list").out, terminal("list")[1], terminal("watch", hostile, *EVERY)[1]):
        assert not set(written) & set("\x1b\x07\u202e\u2066\udcff"), written
    code, listed = terminal("list")
    rows = [line for line in listed.splitlines() if "completed" in line]
    assert (code, len(rows)) == (0, len(rendered))
    assert "[bold red]markup" in listed


def test_a_name_makes_no_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    Output().say("a\nrenderjuice: all is well: no file", "\u2028b")
    assert capsys.readouterr().err == "a renderjuice: all is well: no file\n b\n"


def test_wide_characters_keep_columns_aligned(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    Output().table([({}, ["\u65e5\u672c", "a"]), ({}, ["sh010", "a"])])
    assert {cell_len(line) for line in capsys.readouterr().out.splitlines()} == {8}


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
