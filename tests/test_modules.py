"""Modules stay small, and none imports itself by a detour."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "renderjuice": ROOT,
    "renderjuice_provider": ROOT,
    "renderjuice_emulator": ROOT,
    "proofs": ROOT,
    "tools": ROOT,
    "blender_extension": ROOT,
    "stages": ROOT / "dags",
}
MOST_LINES = 300


def modules(package: str) -> dict[str, Path]:
    """By name, each module of a package."""
    found = {}
    for path in sorted((PACKAGES[package] / package).rglob("*.py")):
        parts = path.relative_to(PACKAGES[package]).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(statements: list[ast.stmt], known: set[str]) -> Iterator[str]:
    """The modules that are imported when a module is.

    Not inside functions, not for type checkers only.
    """
    for statement in statements:
        match statement:
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name in known)
            case ast.ImportFrom(module=module, names=names):
                for name in names:
                    whole = f"{module}.{name.name}"
                    yield from [whole] if whole in known else [module] if module in known else []
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=orelse):
                yield from imported(orelse, known)
            case ast.If(body=body, orelse=orelse):
                yield from imported(body + orelse, known)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
                yield from imported(body + orelse + finalbody, known)
                for handler in handlers:
                    yield from imported(handler.body, known)
            case ast.With(body=body) | ast.ClassDef(body=body):
                yield from imported(body, known)


def circle(code: dict[str, str]) -> list[str]:
    """The modules of an import circle, or none."""
    graph = {name: set(imported(ast.parse(text).body, set(code))) for name, text in code.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_package_has_an_import_circle(package: str) -> None:
    assert circle({name: path.read_text() for name, path in modules(package).items()}) == []


def test_a_circle_would_be_found() -> None:
    code = {"p": "", "p.a": "from p import b", "p.b": "try:\n  from p.c import x\nexcept ImportError: pass"}
    assert circle(code | {"p.c": "def late():\n  import p.a"}) == []
    assert circle(code | {"p.c": "if TYPE_CHECKING:\n  import p.a"}) == []
    assert set(circle(code | {"p.c": "class X:\n  import p.a"})) == {"p.a", "p.b", "p.c"}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_outgrows_what_can_be_read_at_once(package: str) -> None:
    lines = {name: path.read_text().count("\n") for name, path in modules(package).items()}
    assert lines
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
