"""Every Python block of the documentation is a whole that runs: a copy of it works."""

from __future__ import annotations

import pytest

from tests.support.pages import blocks

pytestmark = pytest.mark.slow

BLOCKS = {block.name: block for block in blocks("python")}


@pytest.fixture(scope="module")
def outcomes(run_script):
    """By the name of the block, how it went."""
    return run_script("snippets")


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
