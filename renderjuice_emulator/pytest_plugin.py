"""The fixture `renderjuice_emulator`. Importing this module is cheap: it is loaded by every run of pytest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from renderjuice_emulator.testing import Emulator


@pytest.fixture
def renderjuice_emulator() -> Iterator[Emulator]:
    """An emulator of the test's own, on free ports, where jobs take milliseconds."""
    from renderjuice_emulator.testing import Emulator

    with Emulator() as emulator:
        yield emulator
