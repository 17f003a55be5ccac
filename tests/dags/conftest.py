from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory):
    """Variables of an Airflow with a database of its own."""
    home = tmp_path_factory.mktemp("airflow")
    environment = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "dags")]),
    }
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=environment,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return environment


@pytest.fixture(scope="session")
def runs(airflow_home, tmp_path_factory):
    """What `night.py` did: by name, the outcome of each run."""
    folder = tmp_path_factory.mktemp("studio")
    result = folder / "result.json"
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "support" / "night.py"), str(folder), str(result)],
        env=airflow_home,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.exists(), done.stdout[-6000:] + done.stderr[-6000:]
    (folder / "log.txt").write_text(done.stdout + done.stderr)
    return json.loads(result.read_text()) | {"folder": str(folder)}
