"""What CI runs: the same in the workflow as on this machine, on all that is claimed."""

from __future__ import annotations

import re
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
