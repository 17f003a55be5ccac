from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import Studio


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def studio(emulator: Emulator, tmp_path: Path) -> Iterator[Studio]:
    with Studio(emulator, tmp_path) as studio:
        yield studio


@pytest.fixture
def slow_emulator() -> Iterator[Emulator]:
    """An emulator whose time the test moves by hand."""
    with Emulator(manual_clock=True) as emulator:
        yield emulator


@pytest.fixture
def slow_studio(slow_emulator: Emulator, tmp_path: Path) -> Iterator[Studio]:
    with Studio(slow_emulator, tmp_path) as studio:
        yield studio
