"""Every Python block of the documentation is a whole that runs: whoever copies it has something that works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pages import blocks

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
BLOCKS = {block.name: block for block in blocks("python")}


@pytest.fixture(scope="module")
def outcomes(airflow_home, tmp_path_factory):
    """By the name of the block, how it went."""
    folder = tmp_path_factory.mktemp("snippets")
    result = folder / "result.json"
    done = subprocess.run(
        [sys.executable, str(HERE.parent / "support" / "snippets.py"), str(folder), str(result)],
        env=airflow_home | {"AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.exists(), done.stdout[-6000:] + done.stderr[-6000:]
    (folder / "log.txt").write_text(done.stdout + done.stderr)
    return json.loads(result.read_text()) | {"log": done.stdout + done.stderr}


def test_there_are_blocks_of_every_kind():
    assert {block.kind for block in BLOCKS.values()} == {"dag", "test", "script"}
    assert {"README.md", "pipelines.md", "emulator.md", "invariants.md"} <= {block.page for block in BLOCKS.values()}


@pytest.mark.parametrize("name", BLOCKS)
def test_the_block_runs_as_it_is_written(outcomes, name):
    outcome = outcomes[name]

    assert outcome["ok"], f"{outcome}\n{outcomes['log'][-6000:]}"
    assert outcome.get("warnings", []) == []


def test_no_block_leaves_a_render_running(outcomes):
    assert outcomes["jobs left running"] == []
