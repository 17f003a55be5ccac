"""The example DAGs as they were when one run held all shots of a night."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

OLD = "a409cba37b70367757db432402041865a319c349"
"""The last commit in which the nightly held a mapped task group for each shot."""
ROOT = Path(__file__).parents[2]


def old_dags(folder: Path) -> Path | None:
    """Unpack the `dags` of `OLD` into `folder`; None, where this is no clone with that commit."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), "archive", OLD, "dags"], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    if done.returncode:
        return None
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "dags"
