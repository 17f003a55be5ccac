"""Runs every Python block of the documentation against an emulator.

Writes how each went as JSON, which `test_snippets.py` judges.

    python -m tests.support.snippets <folder for everything> <file for the result>

A process of its own, as `night.py`. Blocks with a DAG are loaded from a DAG folder (`dags` in the
folder for everything) and run by `dag.test()`; their params are filled in by name.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from renderjuice_emulator.testing import Emulator, write_scene
from renderjuice_provider.api.client import RenderjuiceClient
from tests.support.pages import Block, blocks


def rendered_job(emulator: Emulator, scene: Path) -> str:
    """The id of a job that someone else has started."""
    with RenderjuiceClient(emulator.api_key, base_url=emulator.base_url) as client:
        job = client.create_job(client.upload(scene).slug)
        client.validate_job(job.id)
        while client.get_job(job.id).status == "validating":
            time.sleep(0.01)
        client.start_render(job.id, {"colorManagementPreset": "default"})
        return str(job.id)


def run_dag(block: Block, folder: Path, emulator: Emulator) -> dict[str, Any]:
    """As a user would: into the DAG folder, and started with a form that is filled in."""
    from airflow.dag_processing.dagbag import DagBag

    from renderjuice_provider.triggers import renderjuice as triggers

    if hasattr(triggers, "FIRST_POLL"):
        triggers.FIRST_POLL = 0.0  # there is no scheduler that could lag
    bag = DagBag(str(folder / "dags" / f"{block.name}.py"))
    problems = {"errors": bag.import_errors, "warnings": list(map(str, bag.captured_warnings.values()))}
    if bag.import_errors or len(bag.dags) != 1:
        return problems | {"ok": False}
    (dag,) = bag.dags.values()
    for task in dag.tasks:
        if hasattr(task, "poll_interval"):
            task.poll_interval = 0.05
    scene = write_scene(folder / f"{block.name}.blend", frame_end=3, resolution=(16, 16))
    values = {
        "scene": lambda: str(scene),
        "destination": lambda: str(folder / block.name),
        "job_id": lambda: rendered_job(emulator, scene),
    }
    run = dag.test(run_conf={name: values[name]() for name in dag.params})
    states = {ti.task_id: str(ti.state) for ti in run.get_task_instances()}
    fetched = "destination" not in dag.params or any((folder / block.name).rglob("*.png"))
    return problems | {"ok": run.state == "success" and fetched, "states": states}


def run_script(block: Block, folder: Path) -> dict[str, Any]:
    """In a folder with a scene, and with the variables that the README speaks of."""
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            exec(compile(block.code, block.name, "exec"), {"__name__": "__main__"})
        except BaseException:  # noqa: BLE001 - whatever it is, the page is wrong
            return {"ok": False, "errors": traceback.format_exc()}
    return {"ok": True, "printed": printed.getvalue()}


def run_test(block: Block, folder: Path) -> dict[str, Any]:
    """By pytest, as a project that has installed the package would."""
    file = folder / f"test_{block.name}.py"
    file.write_text(block.code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, check=False)
    return {"ok": done.returncode == 0 and "passed" in done.stdout, "errors": done.stdout[-3000:]}


def main(folder: Path, result: Path) -> None:
    found: dict[str, Any] = {}
    with Emulator() as emulator:
        connection = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key}
        os.environ |= {
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(connection),
            "RENDERJUICE_API_KEY": emulator.api_key,
            "RENDERJUICE_BASE_URL": emulator.base_url,
        }
        write_scene(folder / "shot.blend", frame_end=3)
        (folder / "dags").mkdir()
        for block in blocks("python"):
            (folder / "dags" / f"{block.name}.py").write_text(block.code if block.kind == "dag" else "")
        for block in blocks("python"):
            if block.kind == "dag":
                found[block.name] = run_dag(block, folder, emulator)
            else:
                found[block.name] = (run_test if block.kind == "test" else run_script)(block, folder)
        found["jobs left running"] = emulator.ledger.jobs_left_running()
    result.write_text(json.dumps(found, default=str))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
