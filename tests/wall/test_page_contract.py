"""The page and the routes mean the same JSON: `web/src/model.ts` has the fields of the models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from renderjuice_provider.wall import models
from renderjuice_provider.wall._detail_models import FrameState

TYPES = (Path(__file__).parents[2] / "web" / "src" / "model.ts").read_text(encoding="utf-8")
INTERFACES = dict(re.findall(r"export interface (\w+) \{\n(.*?)\n\}", TYPES, re.DOTALL))


def choices(name: str) -> set[str]:
    """The texts of a union."""
    (union,) = re.findall(rf"export type {name} =([^;]*);", TYPES)
    return set(re.findall(r'"(\w+)"', union))


def test_the_pages_types_are_found() -> None:
    assert len(INTERFACES) > 12


@pytest.mark.parametrize("name", sorted(INTERFACES))
def test_a_type_of_the_page_has_the_fields_of_its_model(name: str) -> None:
    fields = set(re.findall(r"^  (\w+): ", INTERFACES[name], re.MULTILINE))
    assert fields == set(getattr(models, name).model_fields)


def test_the_page_knows_every_state_and_every_action() -> None:
    assert choices("RowState") == set(models.RowState)
    assert choices("Action") == set(models.Action)
    assert choices("StageState") == set(get_args(models.StageState))
    assert choices("FrameState") == set(get_args(FrameState))
