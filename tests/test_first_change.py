"""The recipes of docs/first-change.md.

Nothing that they name is missing, and no step of them was forgotten.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proofs.chaos.network import ANSWERS, LOSSES, NOT_IN_THE_STORM
from renderjuice_emulator.faults import FAULTS, Fault
from renderjuice_emulator.operations import OPERATIONS
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.client import AsyncRenderjuiceClient, RenderjuiceClient
from renderjuice_provider.operators.renderjuice import RenderjuiceRenderJobOperator, RenderjuiceRunJobOperator

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "first-change.md").read_text()
RECIPES = ("An endpoint", "An argument of an operator", "A fault of the emulator")
RENDERERS = (RenderjuiceRenderJobOperator, RenderjuiceRunJobOperator)


def tables(recipe: str) -> list[list[list[str]]]:
    """The tables of a recipe: rows of cells, without the head."""
    section = PAGE.partition(f"\n## {recipe}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\|.*\|\n\| --- .*\n((?:\|.*\|\n)+)", section, re.MULTILINE)
    return [[re.split(r"\s*\|\s*", row)[1:-1] for row in table.splitlines()] for table in found]


def files(recipe: str) -> list[str]:
    """The files that have to name everything of a kind: those of the first table."""
    return [re.findall(r"`([^`]+)`", row[0])[0] for row in tables(recipe)[0]]


def flows() -> dict[str, Callable[..., Any]]:
    """The operations of the API, as the provider has them."""
    methods = inspect.getmembers(Operations, inspect.isfunction)
    answers = {name: str(inspect.signature(method).return_annotation) for name, method in methods}
    return {
        name: method
        for name, method in methods
        if name[0] != "_" and name != "ask" and answers[name].startswith("Flow[")
    }


def arguments() -> set[str]:
    """What the operators that render take, without Airflow's own."""
    found = {name: each for kind in RENDERERS for name, each in inspect.signature(kind).parameters.items()}
    return {name for name, each in found.items() if each.kind is inspect.Parameter.KEYWORD_ONLY}


def first_word(kind: type[Fault]) -> str:
    """`stall` of `stall 5`; a status is named by one that it may be."""
    return kind.examples[0].split()[0]


def missing(names: Any, recipe: str, *, without: frozenset[str] = frozenset()) -> list[str]:
    """Where a name of these is not in a file that has to name it."""
    return [
        f"{file}: {name}"
        for file in files(recipe)
        if file not in without
        for name in sorted(names)
        if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", (ROOT / file).read_text())
    ]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_file_that_a_recipe_names_exists(recipe: str) -> None:
    named = set(re.findall(r"`((?:renderjuice_\w+|proofs|tests|docs|dags|tools)/[^` ]+)`", PAGE))
    assert len(named) > 20
    assert {file for file in named if not (ROOT / file).exists()} == set()
    assert len(files(recipe)) >= 3


# An endpoint


def test_there_are_operations() -> None:
    assert {"create_upload", "create_job", "get_job", "start_render", "get_downloads"} <= flows().keys()


@pytest.mark.parametrize("client", [RenderjuiceClient, AsyncRenderjuiceClient])
@pytest.mark.parametrize("name", flows())
def test_every_operation_is_a_method_of_both_clients(client: type, name: str) -> None:
    ours, theirs = inspect.signature(getattr(client, name)), inspect.signature(flows()[name])
    assert list(ours.parameters) == list(theirs.parameters)
    assert inspect.getdoc(getattr(client, name))


@pytest.mark.parametrize("name", flows())
def test_every_operation_is_served_by_the_emulator(name: str) -> None:
    assert name in OPERATIONS


def test_every_operation_of_the_emulators_api_is_a_method_of_the_clients() -> None:
    elsewhere = {"list_progress": "get_progress"}
    served = {name for name, operation in OPERATIONS.items() if not operation.at_store and name != "webhook"}
    assert {name for name in served if not hasattr(RenderjuiceClient, elsewhere.get(name, name))} == set()


def test_every_operation_is_named_wherever_the_recipe_says() -> None:
    assert missing(flows(), "An endpoint") == []


# An argument of an operator


def test_every_argument_is_named_wherever_the_recipe_says() -> None:
    assert missing(arguments(), "An argument of an operator") == []


def test_the_page_says_of_every_argument_whether_it_is_part_of_the_fingerprint() -> None:
    rows = tables("An argument of an operator")[-1]
    assert {row[0].strip("`") for row in rows} == arguments()
    assert all(re.match(r"yes|no|the (bytes|fields) ", row[1]) for row in rows)


# A fault


def test_every_fault_is_named_wherever_the_recipe_says() -> None:
    assert missing(map(first_word, FAULTS), "A fault of the emulator") == []


def test_every_fault_is_in_the_storm_or_has_a_reason_not_to_be() -> None:
    thrown = {type(Fault.parse(text)) for text in ANSWERS + LOSSES}
    left_out = {kind for kind in FAULTS if first_word(kind) in NOT_IN_THE_STORM}
    assert thrown & left_out == set()
    assert thrown | left_out == set(FAULTS)


def test_what_the_storm_throws_is_also_tried_one_by_one() -> None:
    singly = (ROOT / "tests" / "api" / "test_retries.py").read_text()
    assert {text for text in ANSWERS + LOSSES if f'"{text.split()[0]}' not in singly} <= {"500", "502"}


# That it would be noticed


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_step_that_was_forgotten_would_be_found(recipe: str) -> None:
    assert len(missing(["get_what_nobody_has"], recipe)) == len(files(recipe))
