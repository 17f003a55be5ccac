"""Before anything imports Airflow: a home of the tests' own, and nothing from the machine's."""

import os
import tempfile

import pytest
from hypothesis import settings

os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="renderjuice-airflow-")
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

# What takes long on a busy machine is not wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep what shares an expensive fixture in one process when tests run in several.

    Airflows ask for free ports one after the other: two that start at the same moment could be given the same.
    """
    if item.get_closest_marker("airflow"):
        item.add_marker(pytest.mark.xdist_group("airflow"))
    elif item.path.parent.name == "dags":
        item.add_marker(pytest.mark.xdist_group("dags"))
