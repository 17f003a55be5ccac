"""What mypy strict says of the constructors and of the code in the documentation, in one run."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import ROOT, blocks

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("mypy")]

HERE = Path(__file__).parent
BLOCKS = {block.name: block for block in blocks("python")}
WRONG = HERE / "wrong.py"


def rows() -> list[tuple[int, str, str]]:
    """Line, construction and expected error of each row in wrong.py."""
    lines = WRONG.read_text().splitlines()
    calls = [node for node in ast.parse(WRONG.read_text()).body if isinstance(node, ast.Expr) and node.lineno > 1]
    return [(call.lineno, *map(str.strip, lines[call.lineno - 1].split("  # "))) for call in calls]  # type: ignore[misc]


ROWS = rows()


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, set[str]]]:
    """The codes of the errors that mypy found, by line, in each file that has any."""
    folder = tmp_path_factory.mktemp("snippets")
    for block in BLOCKS.values():
        (folder / f"{block.name}.py").write_text(block.code)
    files = map(str, [WRONG, HERE / "right.py", *sorted(folder.glob("*.py"))])
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--show-error-codes", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found: dict[str, dict[int, set[str]]] = {}
    for file, line, text in re.findall(r"^(.+?):(\d+): error: (.+)$", done.stdout, re.MULTILINE):
        code = text.rpartition("[")[2].rstrip("]")
        found.setdefault(Path(file).stem, {}).setdefault(int(line), set()).add(code)
    return found


def test_there_are_wrong_constructions_of_everything_that_is_constructed():
    made = {construction.partition("(")[0] for _, construction, _ in ROWS}
    operators = {"Upload", "Create", "Validate", "Render", "Frames", "Run", "Cancel", "Download"}
    assert made == operators | {"Sensor", "Trigger", "RenderjuiceHook", "RenderjuiceClient", "AsyncRenderjuiceClient"}
    assert len(ROWS) >= 20


@pytest.mark.parametrize(("line", "construction", "code"), ROWS, ids=[row[1] for row in ROWS])
def test_a_wrong_construction_is_refused(errors, line, construction, code):
    assert errors["wrong"].get(line) == {code}


def test_nothing_else_in_that_file_is_refused(errors):
    assert errors["wrong"].keys() <= {line for line, _, _ in ROWS}


def test_every_right_construction_is_accepted(errors):
    assert "right" not in errors


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_of_the_documentation_is_right(errors, name):
    assert name not in errors
