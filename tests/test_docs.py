"""What the documentation says of the repository is so."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.support.pages import PAGES, ROOT, commands


@pytest.mark.parametrize("page", ["invariants.md", "security.md"])
def test_every_test_that_a_page_of_promises_names_exists(page):
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / page).read_text()))
    code = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 40
    assert named - set(re.findall(r"def (test_\w+)\(", code)) == set()


def test_every_promise_about_security_has_a_test():
    """Each promise is followed by what proves it.

    Not promises: the first paragraph of the page, and those that say who is not protected.
    """
    page = (ROOT / "docs" / "security.md").read_text()
    bare = []
    for section in page.split("\n## ")[1:]:
        title, *parts = (part.strip() for part in section.split("\n\n"))
        bare += [
            (title, part)
            for part, after in zip(parts, [*parts[1:], ""], strict=True)
            if not part.startswith("- ") and not after.startswith("- ")
        ]
    assert [title for title, _ in bare] == ["The emulator, and the scenes that it renders", "What is looked for"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)[^)]*\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_is_mentioned_exists(page):
    targets = set(re.findall(r"^(?:\w+: )?([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", page.read_text())) - targets == set()


@pytest.mark.parametrize(("page", "command"), [each for each in commands() if each[1].startswith("make ")])
def test_every_make_command_names_a_target(page, command):
    assert re.search(rf"^{command.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("page", "command"), [each for each in commands() if each[1].startswith("airflow ")])
def test_airflow_understands_every_command_to_be_typed(page, command, capsys):
    from airflow.cli.cli_parser import get_parser

    assert get_parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize(
    ("page", "command"), [each for each in commands() if each[1].startswith("renderjuice-emulator ")]
)
def test_the_emulator_understands_every_command_to_be_typed(page, command):
    from renderjuice_emulator.cli import _parser

    assert _parser().parse_args(shlex.split(command)[1:])
