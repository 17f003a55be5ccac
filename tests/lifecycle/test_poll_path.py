"""One poll of one job is easy to follow: it passes few functions, in few files."""

from __future__ import annotations

from pathlib import Path

from benchmarks.poll_path import paths
from renderjuice_emulator.testing import Emulator

MOST = {"validated": (56, 14), "rendering": (64, 15)}
"""Functions, and files. While the job renders, its progress is read too."""


def test_one_poll_passes_few_functions_in_few_files(emulator: Emulator, tmp_path: Path) -> None:
    for status, functions in paths(emulator, tmp_path).items():
        files = {file for file, _ in functions}
        assert (len(functions), len(files)) <= MOST[status], functions
        assert len(files) <= MOST[status][1], files
