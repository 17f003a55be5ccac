"""Fixtures of the tests that speak to an emulator without the provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import RawClient


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def raw_client(emulator: Emulator, tmp_path: Path) -> Iterator[RawClient]:
    with RawClient(emulator, tmp_path) as raw_client:
        yield raw_client


@pytest.fixture
def manual_emulator() -> Iterator[Emulator]:
    """An emulator whose time the test moves by hand."""
    with Emulator(manual_clock=True) as emulator:
        yield emulator


@pytest.fixture
def manual_raw_client(manual_emulator: Emulator, tmp_path: Path) -> Iterator[RawClient]:
    with RawClient(manual_emulator, tmp_path) as raw_client:
        yield raw_client
