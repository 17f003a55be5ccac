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


def test_in_two_nights_every_shot_becomes_whole_and_nothing_is_paid_twice(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "proofs.nights", "--nights", "2", "--shots", "5", "--workers", "1"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shots, first, second, third, named = map(int, re.findall(r"^ +all" + r" +(\d+)" * 5, done.stdout, re.MULTILINE)[0])
    assert (shots, first + second + third + named) == (10, 10)
    assert second, "without a second round, this shows nothing"
