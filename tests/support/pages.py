"""The documentation as tests see it: its pages, and the code and commands on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@dataclass(frozen=True)
class Block:
    """A block of code on a page."""

    page: str
    line: int
    code: str

    @property
    def name(self) -> str:
        """For files and test ids, such as `README_55`."""
        return f"{self.page.removesuffix('.md')}_{self.line}"

    @property
    def kind(self) -> str:
        """`dag`, `test`, or `script`: how it is run."""
        if "DAG(" in self.code or "@dag" in self.code:
            return "dag"
        return "test" if "def test_" in self.code else "script"


def blocks(language: str) -> list[Block]:
    """Every block of this language, on all pages."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in re.finditer(rf"^( *)```{language}\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE):
            code = re.sub(rf"^{match[1]}", "", match[2], flags=re.MULTILINE)
            found.append(Block(page.name, text[: match.start()].count("\n") + 1, code))
    return found


def commands() -> list[tuple[str, str]]:
    """Every command that a page asks the reader to type, with the page.

    In console blocks, and quoted in the text.
    """
    found = []
    for block in blocks("console"):
        lines = block.code.splitlines()
        typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")] or lines
        found += [(block.page, command.strip()) for line in typed for command in line.partition("  #")[0].split("&&")]
    for page in PAGES:
        prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        quoted = re.findall(r"`((?:airflow|make|renderjuice-emulator) [^`]+)`", prose)
        found += [(page.name, command) for command in quoted]
    return found
