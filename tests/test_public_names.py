"""What users may import is written down, and is all that the examples import."""

from __future__ import annotations

import pytest

from tests.support.pages import ROOT, blocks
from tests.support.public_names import imported, listed_names, public_modules, public_names

DAGS = sorted((ROOT / "dags").rglob("*.py"))
BLOCKS = {block.name: block for block in blocks("python")}
PUBLIC = {*public_names(), *public_modules()}
HOW = "If that is meant, run `python -m tests.support.public_names` and say it in CHANGELOG.md"


def test_no_public_name_appears_or_disappears_unseen():
    assert listed_names() == public_names(), HOW


def test_the_example_dags_are_found():
    assert len(DAGS) > 20
    assert any(
        name.startswith("renderjuice_provider.operators.") for path in DAGS for name in imported(path.read_text())
    )


@pytest.mark.parametrize("path", DAGS, ids=lambda path: path.name)
def test_an_example_dag_imports_only_public_names(path):
    assert sorted(set(imported(path.read_text())) - PUBLIC) == []


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_of_the_documentation_imports_only_public_names(name):
    assert sorted(set(imported(BLOCKS[name].code)) - PUBLIC) == []


def test_the_front_door_opens_on_every_name_and_on_every_error():
    import renderjuice_provider.api as api
    from renderjuice_provider.api import errors

    assert [name for name in api.__all__ if not hasattr(api, name)] == []
    assert {name for name in vars(errors) if name.startswith("Renderjuice")} <= set(api.__all__)
