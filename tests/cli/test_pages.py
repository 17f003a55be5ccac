"""What `docs/command-line.md` says of the command is so."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer

from renderjuice.cli import app
from renderjuice.exits import _GRAVEST, Exit
from tests.support.pages import ROOT, commands

PAGE = (ROOT / "docs" / "command-line.md").read_text()
GROUP: Any = typer.main.get_command(app)
TYPED = sorted(
    {
        (page, part.strip().partition(" > ")[0])
        for page, line in commands()
        for part in line.split(" | ")
        if part.strip().startswith("renderjuice ")
    }
)


def test_the_table_of_exit_codes_is_that_of_the_program() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(str(int(code)), code.meaning) for code in Exit]


def test_the_order_of_the_codes_is_that_of_the_program() -> None:
    said = re.search(r"gravest of their codes: ([\d, \n]+), in this order", PAGE)
    assert said is not None
    assert [int(code) for code in said[1].split(",")] == [int(code) for code in _GRAVEST]
    assert set(_GRAVEST) == set(Exit)


def test_every_command_has_a_row() -> None:
    commands = PAGE.partition("\n## Commands\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)[ `]", commands, re.MULTILINE)) == set(GROUP.commands)


def test_there_are_commands_to_be_typed() -> None:
    assert len(TYPED) >= 8


@pytest.mark.parametrize(("page", "line"), TYPED)
def test_the_program_understands_every_command_to_be_typed(page: str, line: str) -> None:
    name, *arguments = shlex.split(line)[1:]
    if name.startswith("-"):
        assert GROUP.make_context("renderjuice", [name, *arguments], resilient_parsing=True)
        return
    assert GROUP.commands[name].make_context(name, arguments)


def test_every_option_that_is_named_exists() -> None:
    options = {
        option for command in GROUP.commands.values() for parameter in command.params for option in parameter.opts
    } | {"--help", "--install-completion"}
    assert set(re.findall(r"`[^`]*?(--[a-z][a-z-]+)", PAGE)) - options == set()
