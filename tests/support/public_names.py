"""The names that users may rely on: as the code has them, and as `docs/public-names.md` lists them.

    python -m tests.support.public_names  # rewrites the list, after it was changed on purpose

A module is public when neither its name nor that of a package above it begins with an underscore.
Its names are those in `__all__`, or where it has none, what it defines without an underscore. They
are read from the source: nothing is imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.pages import ROOT

PACKAGE = ROOT / "renderjuice_provider"
PAGE = ROOT / "docs" / "public-names.md"
NOT_FOR_USERS = ("renderjuice_provider.compat", "renderjuice_provider.lifecycle", "renderjuice_provider.wall")
"""Only other parts of the provider import these, and its own tests."""


def public_modules() -> dict[str, Path]:
    """Each with its file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        module = ".".join(parts).removesuffix(".__init__")
        if not any(part.startswith("_") for part in module.split(".")) and not module.startswith(NOT_FOR_USERS):
            found[module] = path
    return found


def names_of(path: Path) -> list[str]:
    """The public names of one module."""
    tree = ast.parse(path.read_text())
    listed = [
        node for node in tree.body if isinstance(node, (ast.Assign, ast.AnnAssign)) and "__all__" in targets(node)
    ]
    if listed and listed[0].value is not None:
        return sorted(ast.literal_eval(listed[0].value))
    return sorted({name for node in tree.body for name in defined(node) if not name.startswith("_")})


def targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    """The names that an assignment sets."""
    found = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in found if isinstance(target, ast.Name)]


def defined(node: ast.stmt) -> list[str]:
    """The names that a statement defines. A type variable is nothing that anybody imports."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return [node.name]
    if not isinstance(node, (ast.Assign, ast.AnnAssign)):
        return []
    made = node.value.func if isinstance(node.value, ast.Call) else None
    return [] if isinstance(made, ast.Name) and made.id in {"TypeVar", "ParamSpec"} else targets(node)


def public_names() -> list[str]:
    """All, as `module.name`."""
    return [f"{module}.{name}" for module, path in public_modules().items() for name in names_of(path)]


def listed_names() -> list[str]:
    """Those on the page."""
    return re.findall(r"^- `(renderjuice_provider\.[\w.]+)`$", PAGE.read_text(), re.MULTILINE)


def imported(code: str) -> Iterator[str]:
    """What a piece of code imports of the provider, as `module.name`, or as a module."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("renderjuice_provider"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("renderjuice_provider"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


if __name__ == "__main__":
    head = PAGE.read_text().partition("\n- `")[0]
    PAGE.write_text(head + "".join(f"\n- `{name}`" for name in public_names()) + "\n")
