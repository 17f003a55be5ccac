"""An Airflow in this process: runs of the nightly DAG, by `dag.test()`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from renderjuice_emulator.testing import Emulator
from tools.started_runs import performed

DAGS = Path(__file__).parents[2] / "dags"
DAG, SHOT_DAG = "renderjuice_nightly", "renderjuice_shot"


def environment(emulator: Emulator) -> dict[str, str]:
    """The connection to the emulator, and polls at the speed of its clock."""
    renderjuice = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key}
    return {"AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(renderjuice)}


class Nightly:
    """The nightly DAG and that of a shot, ready to run.

    They take over the process: Airflow reads its settings once.

    Args:
        home: its `AIRFLOW_HOME`, which it makes.
        emulator: what its connection leads to.
    """

    def __init__(self, home: Path, emulator: Emulator) -> None:
        # All that is here is parsed for each run.
        folder = home / "dags"
        folder.mkdir(parents=True)
        for name in (DAG, SHOT_DAG):
            (folder / f"{name}.py").symlink_to(DAGS / f"{name}.py")
        os.environ |= environment(emulator) | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "RENDERJUICE_POLL_INTERVAL": "0.05",
        }
        sys.path.append(str(DAGS))
        subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
        from airflow.dag_processing.dagbag import DagBag

        from renderjuice_provider.triggers import renderjuice as triggers

        triggers.FIRST_POLL = 0.0  # there is no scheduler that could lag
        self._dags = DagBag(str(folder)).dags

    def run(self, conf: Mapping[str, Any]) -> str:
        """Run a night to its end; the run's state."""
        with performed(self._dags):
            return str(self._dags[DAG].test(run_conf=dict(conf)).state)
