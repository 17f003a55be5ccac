"""Memory does not grow with the size of a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from renderjuice_emulator.scenes import write_scene
from tests.support.both_clients import completed, connect

RAM_DISK = Path("/dev/shm")
MIB = 1 << 20
SIZE = 256 * MIB


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the high-water mark is read from /proc")
def test_256_mib_of_upload_and_download_stay_under_idle_and_60_mib(emulator, tmp_path):
    pytest.importorskip("benchmarks.transfer_child", reason="not part of a source distribution")
    # What is measured is the client's own memory; where there is a RAM disk, the test need not wait
    # for a real one.
    roomy = RAM_DISK.is_dir() and shutil.disk_usage(RAM_DISK).free > 16 * SIZE
    scene = write_scene(tmp_path / "large.blend", size=SIZE)
    with closing(connect("blocking", emulator)) as client:
        job = completed(client, tmp_path, {"colorManagementPreset": "default", "frameRanges": ["1"]})
    os.truncate(emulator.jobs[job.id].outputs[0].path, SIZE)
    with tempfile.TemporaryDirectory(dir=RAM_DISK if roomy else None) as folder:
        for kind in ("blocking", "asynchronous"):
            uploaded = transfer(kind, "upload", emulator, str(scene))
            downloaded = transfer(kind, "download", emulator, job.id, f"{folder}/{kind}")
            assert downloaded["bytes"] == SIZE
            assert max(uploaded["over_idle"], downloaded["over_idle"]) < 60


def transfer(kind, direction, emulator, *what):
    """What one transfer takes, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.transfer_child", kind, direction, emulator.base_url, *what]
    done = subprocess.run(
        [*command, "--api-key", emulator.api_key], check=True, capture_output=True, text=True, timeout=300
    )
    return json.loads(done.stdout)
