"""The shape of the emulator, beside what `tests/test_modules.py` asks of every package.

No circle even by imports inside functions, nothing of the provider, and small modules of tests.
"""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.test_modules import MOST_LINES, modules

MODULES = modules("renderjuice_emulator")
TESTS = sorted(Path(__file__).parent.glob("*.py"))


def imported(module: Path) -> set[str]:
    """The modules of ours that one imports, wherever in its text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_no_module_of_its_tests_is_long(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_imports_make_no_circle() -> None:
    sorter = TopologicalSorter({name: imported(path) & MODULES.keys() - {name} for name, path in MODULES.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", MODULES)
def test_the_emulator_never_imports_the_provider(module: str) -> None:
    assert not [name for name in imported(MODULES[module]) if name.startswith("renderjuice_provider")]
