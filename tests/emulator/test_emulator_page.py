from __future__ import annotations

from pathlib import Path

import pytest

from renderjuice_emulator.cli import _parser
from renderjuice_emulator.control import router
from renderjuice_emulator.operations import OPERATIONS
from renderjuice_emulator.switches import Switches

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text()


@pytest.mark.parametrize("name", [*OPERATIONS, *Switches.model_fields])
def test_the_page_names_every_operation_and_switch(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_page_names_every_control() -> None:
    controls = {
        f"{method} {route.path.removeprefix('/_emulator')}"  # type: ignore[attr-defined]
        for route in router.routes
        for method in route.methods  # type: ignore[attr-defined]
    }
    assert {control for control in controls if f"`{control}`" not in PAGE} == set()


def test_the_page_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parser().parse_args(["serve", "--help"])
    options = {word.strip(",[]") for word in capsys.readouterr().out.split() if word.startswith(("--", "[--"))}
    assert {option for option in options - {"--help"} if f"`{option}" not in PAGE} == set()
