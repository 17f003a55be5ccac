"""An Airflow in this process: runs of the DAG of a shot, by `dag.test()`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proofs.nights.evidence import Entries
from renderjuice_emulator.testing import Emulator

DAGS = Path(__file__).parents[2] / "dags"


def environment(emulator: Emulator) -> dict[str, str]:
    """The connection to the emulator, and polls at the speed of its clock."""
    renderjuice = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key}
    return {"AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(renderjuice)}


class ShotDag:
    """The DAG of a shot, ready to run.

    It takes over the process: Airflow reads its settings once, and its log goes to a file.

    Args:
        home: its `AIRFLOW_HOME`, which it makes.
        emulator: what its connection leads to.
    """

    def __init__(self, home: Path, emulator: Emulator) -> None:
        home.mkdir(parents=True)
        # All that is here is parsed for each run.
        (home / "dags").mkdir()
        (home / "dags" / "renderjuice_shot.py").symlink_to(DAGS / "renderjuice_shot.py")
        os.environ |= environment(emulator) | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
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
        self._dag = DagBag(str(home / "dags")).dags["renderjuice_shot"]

    def run(self, conf: Mapping[str, Any]) -> str:
        """Run it to its end; the run's state."""
        return str(self._dag.test(run_conf=dict(conf), logical_date=None).state)

    @staticmethod
    def summary(destination: Path, night: str) -> Entries:
        """Write the summary of a night as its `report` does; its entries."""
        from stages import summary
        from stages.spending import add_costs

        where = destination / "nights" / night
        entries = add_costs(
            [json.loads(path.read_text()) for path in where.glob("shots/*.json")], "renderjuice_default"
        )
        summary.keep(str(destination), night, entries)
        found: Entries = json.loads((where / "summary.json").read_text())["shots"]
        return found
