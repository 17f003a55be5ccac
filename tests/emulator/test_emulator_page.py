"""The tables of docs/emulator.md, held against what they describe."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from renderjuice_emulator.cli import _parser
from renderjuice_emulator.control import router
from renderjuice_emulator.faults import FAULTS, Fault
from renderjuice_emulator.operations import OPERATIONS
from renderjuice_emulator.routing import Operation
from renderjuice_emulator.switches import Switches

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text()
FAULTS_SECTION = PAGE.partition("\n## Faults\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", [*OPERATIONS, *Switches.model_fields])
def test_the_page_names_every_operation_and_switch(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_page_lists_the_operations_and_no_others() -> None:
    listed = FAULTS_SECTION.partition("Operations: ")[2].partition(".\n")[0]
    assert re.findall(r"`(\w+)`", listed) == list(OPERATIONS)


def test_the_page_has_a_row_for_each_fault_in_its_own_words() -> None:
    rows = [line for line in FAULTS_SECTION.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| {', '.join(f'`{text}`' for text in fault.examples)} | {fault.request} | {fault.webhook} |"
        for fault in FAULTS
    ]


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.__name__)
def test_a_fault_is_read_by_its_own_class_and_serves_what_its_row_says(kind: type[Fault]) -> None:
    for text in kind.examples:
        fault = Fault.parse(text)
        assert (type(fault), fault.text) == (kind, text)
    assert "serve" in vars(kind)
    assert ("deliver" in vars(kind)) == bool(kind.webhook)


def test_every_operation_is_declared_by_its_route() -> None:
    served = {operation for operation in OPERATIONS.values() if operation.name != "webhook"}
    assert all(operation.path.pattern.startswith("^/") for operation in served)
    assert {operation.name for operation in served if operation.at_store} == {"put_upload", "download_file"}
    assert OPERATIONS["webhook"] == Operation("webhook")


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
