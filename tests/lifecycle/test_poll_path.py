"""One poll of one job is easy to follow: it passes few functions, in few files."""

from __future__ import annotations

from pathlib import Path

from benchmarks.poll_path import paths
from renderjuice_emulator.testing import Emulator

MOST = {"validated": (34, 10), "rendering": (40, 11)}
"""Functions, and files. While a job renders, its progress is read too."""


def test_one_poll_passes_few_functions_in_few_files(emulator: Emulator, tmp_path: Path) -> None:
    for status, passed in paths(emulator, tmp_path).items():
        most_functions, most_files = MOST[status]
        assert len(passed) <= most_functions, passed
        assert len({file for file, _ in passed}) <= most_files, passed
