"""Runs a DAG whose tasks fail, by `dag.test()`, and writes what became of them as JSON.

`tests/dags/test_retries.py` judges it.

    python -m tests.support.retried <folder for everything> <file for the result>
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from renderjuice_emulator.testing import Emulator, write_scene

DAG = """\
from datetime import timedelta

from airflow.sdk import DAG

from renderjuice_provider.operators.renderjuice import RenderjuiceRunJobOperator
from renderjuice_provider.retry_policy import RenderjuiceRetryPolicy

policy = RenderjuiceRetryPolicy(delay=timedelta(seconds=0.1))
default_args = {"retries": 4, "retry_policy": policy, "poll_interval": 0.05}

with DAG("retried", schedule=None, default_args=default_args):
    RenderjuiceRunJobOperator(
        task_id="render",
        file_path="FOLDER/shot.blend",
        render_config={"colorManagementPreset": "default", "frameRanges": ["1-2"]},
    )
    RenderjuiceRunJobOperator(
        task_id="no_scene",
        file_path="FOLDER/text.blend",
        render_config={"colorManagementPreset": "default", "frameRanges": ["1-2"]},
    )
"""


def main(folder: Path, result: Path) -> None:
    """Two tasks: one that nobody can pay for at first, one with a file of text as its scene."""
    dags = folder / "dags"
    dags.mkdir()
    (dags / "retried.py").write_text(DAG.replace("FOLDER", str(folder)))
    write_scene(folder / "shot.blend", frame_end=2, resolution=(16, 16))
    (folder / "text.blend").write_text("This is no scene.")
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(dags)
    with Emulator() as emulator:
        renderjuice = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key}
        os.environ["AIRFLOW_CONN_RENDERJUICE_DEFAULT"] = json.dumps(renderjuice)
        emulator.faults.add("start_render", "402", "402", "503", "503", "503", "503", "503")
        from airflow.dag_processing.dagbag import DagBag

        from renderjuice_provider.triggers import renderjuice as triggers

        triggers.FIRST_POLL = 0.0  # there is no scheduler that could lag
        run = DagBag(str(dags)).dags["retried"].test()
        done: dict[str, Any] = {
            "tasks": {ti.task_id: [ti.state, ti.try_number] for ti in run.get_task_instances()},
            "orders": emulator.ledger.count("start_render"),
            "renders": emulator.ledger.renders_started(),
            "jobs": len(emulator.jobs),
            "faults_left": emulator.faults.left(),
        }
    result.write_text(json.dumps(done))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
