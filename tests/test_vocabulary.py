"""Words that were given up stay away: `docs/vocabulary.md` has the one that each gave way to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXEMPT = {"CHANGELOG.md", "tests/test_vocabulary.py"}
RETIRED = {
    "whoever": "anyone who, or the one that is meant",
    "anew": "again",
    "tell": "report, log, or distinguish",
    "tells": "reports",
    "telling": "reporting",
    "told": "reported",
    "untold": "unknown",
    "mend": "repair, or cure",
    "mends": "repairs, or cures",
    "mended": "repaired",
    "so many": "that many",
    "that is none": "the word for what it is: malformed, damaged",
    "lookout": "poller",
    "lookouts": "pollers",
    "seat": "subscription",
    "seats": "subscriptions",
    "verdict": "decision",
    "verdicts": "decisions",
    "weather": "transient errors, or faults",
    "ask for each": "poll each",
    "look at job": "poll job",
    "first look": "first poll",
}
"""Each with what to write instead. A space stands for any of those between words, and for `_`."""
KEPT = ("tell_tracker", ".tell", "is None")
"""A task's id, which Airflow has stored, and Python's own words."""
_PATTERN = re.compile(
    rf"(?<![a-z])({'|'.join(word.replace(' ', 'PLACE') for word in RETIRED)})(?![a-z])".replace("PLACE", r"[\s_]+"),
    re.IGNORECASE,
)


def retired(text: str) -> list[tuple[int, str]]:
    """The retired words in `text`, each with its line."""
    for word in KEPT:
        text = text.replace(word, "")
    return [
        (text.count("\n", 0, found.start()) + 1, re.sub(r"[\s_]+", " ", found[0].lower()))
        for found in _PATTERN.finditer(text)
    ]


def test_no_retired_word_is_in_use() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout: what belongs to the project is unknown")
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.ts", "*.tsx", "*.css"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    found = [
        f"{name}:{line}: {word!r}: write {RETIRED[word]}"
        for name in listed
        if name not in EXEMPT and (ROOT / name).is_file()
        for line, word in retired((ROOT / name).read_text(encoding="utf-8"))
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "text", ["It is told", "def test_it_is_told(x):", "found.untold", "Whoever\nasks", "that is\nnone"]
)
def test_a_retired_word_is_found_in_prose_and_in_names(text: str) -> None:
    assert len(retired(text)) == 1


@pytest.mark.parametrize("text", ["file.tell()", "tell_tracker", "a seating plan", "recommend", "a field that is None"])
def test_words_that_only_resemble_one_are_not(text: str) -> None:
    assert retired(text) == []
