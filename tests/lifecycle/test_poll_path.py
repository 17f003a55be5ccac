"""One poll of one job is easy to follow: it passes few functions, in few files."""

from __future__ import annotations

from pathlib import Path

from benchmarks.poll_path import MOST_FILES, MOST_FUNCTIONS, paths
from renderjuice_emulator.testing import Emulator


def test_one_poll_passes_few_functions_in_few_files(emulator: Emulator, tmp_path: Path) -> None:
    for passed in paths(emulator, tmp_path).values():
        assert len(passed) <= MOST_FUNCTIONS, passed
        assert len({file for file, _ in passed}) <= MOST_FILES, passed
