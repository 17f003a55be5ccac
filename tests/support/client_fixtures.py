"""Fixtures of the tests that run for both clients against an emulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from tests.support.both_clients import KINDS, Client, connect


@pytest.fixture
def emulator(renderjuice_emulator: Emulator) -> Iterator[Emulator]:
    """An emulator that is asked, at the end, whether every fault was met."""
    yield renderjuice_emulator
    assert renderjuice_emulator.faults.left() == {}


@pytest.fixture(params=KINDS)
def new_client(request: pytest.FixtureRequest, emulator: Emulator) -> Iterator[Callable[..., Client]]:
    """Makes clients of one kind; a test that asks for it runs for both."""
    clients: list[Client] = []

    def make(**options: Any) -> Client:
        clients.append(connect(request.param, emulator, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(new_client: Callable[..., Client]) -> Client:
    """A client of the emulator; the test runs with the blocking and with the asynchronous one."""
    return new_client()


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "shot.blend", frame_end=3)
