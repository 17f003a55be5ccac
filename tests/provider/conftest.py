"""Operators, sensor, hook and trigger against an emulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider.triggers import renderjuice
from tests.support.runner import Runner, connect


@pytest.fixture(autouse=True)
def _no_scheduler_that_could_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renderjuice, "FIRST_POLL", 0.0)


@pytest.fixture
def runner() -> Runner:
    return Runner()


@pytest.fixture
def emulator(renderjuice_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """An emulator that the default connection leads to."""
    connect(monkeypatch, host=renderjuice_emulator.base_url, password=renderjuice_emulator.api_key)
    return renderjuice_emulator


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "shot.blend", frame_end=3)
