"""A real Airflow (scheduler, dag-processor, api-server, triggerer) and an emulator whose time the tests hold in their hands."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devtools.local_airflow import LocalAirflow
from renderjuice_emulator.testing import Emulator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(manual_clock=True) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def airflow(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    connection = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key}
    environment = {
        "AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(connection),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }
    airflow = LocalAirflow(tmp_path_factory.mktemp("airflow"), ROOT / "dags", environment)
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()


def until(found: Callable[[], Any], patience: float = 60, what: str = "it") -> Any:
    """What `found` returns, once that is true."""
    deadline = time.monotonic() + patience
    while not (result := found()):
        assert time.monotonic() < deadline, f"{what} did not happen within {patience:.0f} s"
        time.sleep(0.3)
    return result
