"""A part of `make nights` that is small enough for every day."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def nights(tmp_path: Path, *options: str) -> tuple[int, str, list[int]]:
    """Exit code, what was printed, and the last line: shots, delivered by round, named."""
    done = subprocess.run(
        [sys.executable, "-m", "proofs.nights", "--workers", "1", *options],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    printed = done.stdout + done.stderr
    total = re.search(r"^ +all" + r" +(\d+)" * 5, printed, re.MULTILINE)
    assert total, printed
    return done.returncode, printed, list(map(int, total.groups()))


def test_in_two_nights_every_shot_becomes_whole_and_nothing_is_paid_twice(tmp_path: Path) -> None:
    code, printed, (shots, *delivered, named) = nights(tmp_path, "--nights", "2", "--shots", "5")
    assert code == 0, printed
    assert (shots, sum(delivered) + named) == (10, 10)
    assert delivered[1], "without a second round, this shows nothing"


def test_shots_that_do_not_become_whole_are_named_and_nothing_else_is_wrong(tmp_path: Path) -> None:
    options = ("--nights", "1", "--shots", "4", "--mishaps", "drop=30% damage=10% fail=30%")
    code, printed, (shots, *delivered, named) = nights(tmp_path, *options)
    assert (shots, sum(delivered) + named) == (4, 4)
    assert len(re.findall(r"^n01_s\d+: Frames .* are missing after 3 rounds", printed, re.MULTILINE)) == named > 0
    wrong = re.findall(r"^WRONG: (.*)$", printed, re.MULTILINE)
    assert (code, len(wrong)) == (1, 1), printed
    assert "frames were rendered for" in wrong[0]
