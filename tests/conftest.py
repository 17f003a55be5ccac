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


_HEAVY = frozenset({"airflow_home"})
"""Fixtures outside of `airflow` tests that take a minute or more."""
_LONG = 60
"""Characters of a value in the name of a test."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep in one worker whatever runs an Airflow, when tests run in several.

    Each of these fixtures is made once, and one Airflow keeps two cores busy: the other worker does
    all other tests meanwhile.
    """
    if item.get_closest_marker("airflow") or not _HEAVY.isdisjoint(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.xdist_group("airflow"))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long values by their argument, so that all workers collect the same tests.

    Zips hold the time at which they were made, and signed URLs are new in each process.
    """
    return argname if isinstance(val, (str, bytes)) and len(val) > _LONG else None
