"""What CI runs: the same in the workflow as on this machine, on all that is claimed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from proofs.matrix.__main__ import AIRFLOWS, PYTHONS

ROOT = Path(__file__).parents[1]
SCRIPT = (ROOT / ".ci" / "run").read_text()


@pytest.fixture
def jobs() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text())
    found: dict[str, Any] = loaded["jobs"]
    return found


def targets(commands: str) -> list[str]:
    return re.findall(r"^make ([a-z-]+)", commands, re.MULTILINE)


def test_the_workflow_runs_the_steps_of_the_script(jobs: dict[str, Any]) -> None:
    steps = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert targets("\n".join(steps)) == targets(SCRIPT)


def test_the_readmes_test_command_is_what_runs() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "make test" in readme
    assert "test" in targets(SCRIPT)


def test_every_version_that_is_claimed_is_tried(jobs: dict[str, Any]) -> None:
    matrix = jobs["versions"]["strategy"]["matrix"]
    assert (tuple(matrix["airflow"]), tuple(matrix["python"])) == (AIRFLOWS, PYTHONS)
    assert tuple(jobs["tests"]["strategy"]["matrix"]["python"]) == PYTHONS


@pytest.mark.parametrize("target", ["blender", "blenders", "blender-extension"])
def test_a_blender_that_belongs_to_another_checkout_is_used_and_not_made_again(tmp_path: Path, target: str) -> None:
    for name in ("theirs", "theirs-4.2", "theirs-4.5", "venv"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "installed").touch()
    os.utime(tmp_path / "theirs" / "installed", (1.0, 1.0))
    for name in ("", "-4.2", "-4.5"):
        (tmp_path / f"ours{name}").symlink_to(tmp_path / f"theirs{name}")
    variables = [f"VENV={tmp_path / 'venv'}", f"BLENDER={tmp_path / 'ours'}"]
    made = subprocess.run(["make", "-n", *variables, target], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "-m venv" not in made.stdout
    assert "bpy" not in made.stdout


def test_what_runs_an_airflow_shares_one_worker(tmp_path: Path) -> None:
    (tmp_path / "test_grouped.py").write_text(
        "import os, pytest, time\n"
        "@pytest.mark.xdist_group('airflow')\n"
        "@pytest.mark.parametrize('number', range(4))\n"
        "def test_it(number):\n"
        "    time.sleep(0.2)\n"
        "    open(os.environ['PYTEST_XDIST_WORKER'], 'w').close()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "4 passed" in done.stdout
    assert [path.name for path in tmp_path.glob("gw*")] in (["gw0"], ["gw1"])
