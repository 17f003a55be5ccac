"""The fixture `renderjuice_emulator`. Every run of pytest imports this: it is cheap."""

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
