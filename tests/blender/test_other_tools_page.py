"""Every command of the page on other tools does what the page says."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import RenderjuiceClient
from tests.support.pages import Block, blocks

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "curl", "jq"))), reason="the page needs bash, curl and jq"
)
BLOCKS = [block for block in blocks("bash") if block.page == "other-tools.md"]
PIPELINE, STOP_RUN, JOB, STOP_JOB = BLOCKS


def run(block: Block, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As a script of its own, which ends at the first command that fails."""
    command = ["bash", "-euo", "pipefail", "-c", block.code]
    return subprocess.run(
        command, cwd=folder, env=os.environ | variables, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_job_goes_from_scene_to_frames(emulator: Emulator, scene: Path, tmp_path: Path) -> None:
    done = run(
        JOB, tmp_path, API=emulator.base_url, SCENE=str(scene), RENDERJUICE_API_KEY=emulator.api_key, PAUSE="0.05"
    )

    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == ["0001.png", "0002.png", "0003.png"]
    assert emulator.ledger.renders_started() == 1
    assert (tmp_path / "sh010.job").read_text().strip() in emulator.jobs


def test_a_job_that_fails_ends_the_script(emulator: Emulator, tmp_path: Path) -> None:
    from renderjuice_emulator.scenes import write_scene

    scene = write_scene(tmp_path / "broken.blend", fail_validation=("cannot be opened", "SCENE_UNREADABLE"))
    done = run(
        JOB, tmp_path, API=emulator.base_url, SCENE=str(scene), RENDERJUICE_API_KEY=emulator.api_key, PAUSE="0.05"
    )

    assert done.returncode != 0
    assert "cannot be opened" in done.stdout
    assert emulator.ledger.renders_started() == 0


def test_a_job_is_stopped(scene: Path, tmp_path: Path) -> None:
    with Emulator(manual_clock=True) as emulator:
        client = RenderjuiceClient(emulator.api_key, base_url=emulator.base_url)
        job = client.create_job(client.upload(scene).slug)
        done = run(STOP_JOB, tmp_path, API=emulator.base_url, JOB=job.id, RENDERJUICE_API_KEY=emulator.api_key)

        assert done.stdout.strip() == "canceled", done.stderr
        assert client.get_job(job.id).status == "canceled"
        client.close()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_no_secret_is_an_argument_of_a_command(block: Block) -> None:
    """`printf` is the shell's own: no process has it as an argument."""
    for line in block.code.splitlines():
        secret = next((name for name in ("$TOKEN", 'KEY"', 'PASSWORD"', "uploadUrl") if name in line), None)
        assert secret is None or "printf" in line or line.startswith(("TOKEN=", "jq ", "    jq ", ": "))
