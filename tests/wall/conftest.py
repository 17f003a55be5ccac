"""The wall on Airflow's own API and a database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.wall.served_airflow import ServedAirflow, served_airflow


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedAirflow]:
    """Airflow's API on a database of its own, without anything that runs tasks."""
    with served_airflow(tmp_path_factory.mktemp("airflow")) as airflow:
        yield airflow
