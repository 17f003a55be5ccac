"""A real Airflow, and an emulator whose clock the tests move by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from renderjuice_emulator.testing import Emulator
from tests.support.night import tracking
from tests.support.painted import PaintingRenderer
from tools.local_airflow import LocalAirflow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(manual_clock=True, renderer=PaintingRenderer) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def tracker() -> Iterator[str]:
    """The URL of a production tracker that takes whatever is reported."""
    with tracking() as url:
        yield url


@pytest.fixture(scope="session")
def airflow(emulator: Emulator, tracker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    connection = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key}
    environment = {
        "AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(connection),
        "AIRFLOW_CONN_PRODUCTION_TRACKER": json.dumps({"conn_type": "http", "host": tracker}),
        "RENDERJUICE_ANSWER_HOURS": "0.04",  # two minutes and a half
        "RENDERJUICE_POLL_INTERVAL": "1",  # what passes is the emulator's time
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }
    airflow = LocalAirflow(tmp_path_factory.mktemp("airflow"), ROOT / "dags", environment)
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()
