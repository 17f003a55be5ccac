from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RunScript = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
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
def run_script(airflow_home: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> RunScript:
    """Runs a module of `tests.support` in a folder of its own, and returns its result.

    The result is what it wrote into its result file, with `folder`, and `log`: all that it printed.
    """

    def run(name: str) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp(name)
        result = folder / "result.json"
        done = subprocess.run(
            [sys.executable, "-m", f"tests.support.{name}", str(folder), str(result)],
            env=airflow_home,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        log = done.stdout + done.stderr
        assert result.exists(), log[-12_000:]
        (folder / "log.txt").write_text(log)
        return json.loads(result.read_text()) | {"folder": str(folder), "log": log}

    return run


@pytest.fixture(scope="session")
def runs(run_script: RunScript) -> dict[str, Any]:
    """What `tests.support.night` did: by name, the outcome of each run."""
    return run_script("night")
