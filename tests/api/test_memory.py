"""Memory does not grow with the size of a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RAM_DISK = Path("/dev/shm")
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "transfer_memory.py"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the high-water mark is read from /proc")
@pytest.mark.skipif(not BENCHMARK.exists(), reason="the benchmarks are not part of a source distribution")
def test_256_mib_of_upload_and_download_stay_under_idle_and_150_mib():
    command = [sys.executable, str(BENCHMARK), "--mib", "256", "--json"]
    # What is measured is the client's own memory; where there is a RAM disk, the test need not wait
    # for a real one.
    roomy = RAM_DISK.is_dir() and shutil.disk_usage(RAM_DISK).free > 4 * 1024**3
    environment = os.environ | ({"TMPDIR": str(RAM_DISK)} if roomy else {})
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300, env=environment)
    rows = json.loads(done.stdout)
    assert [(row["client"], row["transfer"]) for row in rows] == [
        ("blocking", "upload"),
        ("blocking", "download"),
        ("asynchronous", "upload"),
        ("asynchronous", "download"),
    ]
    assert [row for row in rows if row["over_idle"] >= 150] == []
    assert all(row["idle"] > 10 for row in rows)
