"""A farm of the wall's, an emulator, and somebody who watches."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from renderjuice_emulator.testing import Emulator, write_scene
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.wall import _connections, _farm_state, _watch
from renderjuice_provider.wall._picture_folder import PictureFolder
from renderjuice_provider.wall.facts import Look
from renderjuice_provider.wall.farm import RenderjuiceFarm
from tests.plugin.conftest import database, engine

__all__ = [
    "CONN",
    "KEY",
    "Connect",
    "asked",
    "connect",
    "database",
    "emulator",
    "engine",
    "farm",
    "looked",
    "new_farm",
    "soon",
    "start",
]

CONN = "farm"
CONFIG = {"colorManagementPreset": "default", "frameRanges": ["1-6"]}
KEY = "RJ-the-key-of-these-tests"
Connect = Callable[..., None]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(manual_clock=True, api_keys=(KEY, "RJ-of-somebody-else")) as found:
        yield found


@pytest.fixture
def connect(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Connect:
    def set_connection(password: str = KEY, host: str | None = None, **extra: Any) -> None:
        fields = {"conn_type": "renderjuice", "host": host or emulator.base_url, "password": password, "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN.upper()}", json.dumps(fields))

    set_connection()
    return set_connection


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds for people takes a few hundredths here."""
    monkeypatch.setattr(_farm_state, "INTERVAL", 0.05)
    monkeypatch.setattr(_farm_state, "_AFTER_A_FAILURE", 0.05)
    monkeypatch.setattr(_farm_state, "_TOLERANCE", 0.0)
    monkeypatch.setattr(_watch, "_BREATH", 0.02)
    monkeypatch.setattr(_connections, "LIFETIME_OF_A_PROBLEM", 0.05)
    monkeypatch.setattr(_watch, "LIFETIME_OF_A_PROBLEM", 0.05)


@pytest.fixture
async def new_farm(database: Engine, connect: Connect, tmp_path: Path) -> AsyncIterator[Callable[[], RenderjuiceFarm]]:
    """Makes farms: each stands for a process of an API server."""
    farms: list[RenderjuiceFarm] = []

    def make() -> RenderjuiceFarm:
        farms.append(RenderjuiceFarm(PictureFolder(tmp_path / "pictures")))
        return farms[-1]

    yield make
    for farm in farms:
        await farm.close()


@pytest.fixture
def farm(new_farm: Callable[[], RenderjuiceFarm]) -> RenderjuiceFarm:
    return new_farm()


def start(
    emulator: Emulator, folder: Path, count: int = 1, *, config: Mapping[str, Any] | None = None, **scene: Any
) -> list[str]:
    """Jobs whose renders were ordered."""
    path = write_scene(folder / "shot.blend", **{"frame_end": 6, "seconds_per_frame": 10.0} | scene)
    jobs = []
    with RenderjuiceClient(KEY, base_url=emulator.base_url) as client:
        for _ in range(count):
            job = client.create_job(client.upload(path).slug)
            client.validate_job(job.id)
            jobs.append(job.id)
        emulator.clock.advance(5)
        for job_id in jobs:
            client.start_render(job_id, CONFIG | dict(config or {}))
    return jobs


async def looked(
    farm: RenderjuiceFarm,
    jobs: list[str],
    found: Callable[[Look], Any],
    conn: str = CONN,
    *,
    over: Collection[str] = (),
    patience: float = 10,
) -> Look:
    """The look of somebody who watches until something is to be seen."""
    deadline = time.monotonic() + patience
    while True:
        look = await farm.look({conn: jobs}, over)
        if found(look):
            return look
        assert time.monotonic() < deadline, look
        await asyncio.sleep(0.02)


def asked(emulator: Emulator) -> list[str]:
    """The operations that were asked for, in their order."""
    return [entry.operation for entry in emulator.ledger.entries]
