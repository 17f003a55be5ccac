"""What both distributions cost a machine: megabytes, packages, seconds to install and to start.

    python -m benchmarks.installations

Each goes into an environment of its own, from packages that were downloaded before: what is
measured is the machine, not its network.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = {"renderjuice": ROOT / "client", "airflow-provider-renderjuice": ROOT}
STARTS = 5
_UV = [sys.executable, "-m", "uv"]


def measure(source: Path, folder: Path) -> tuple[float, int, float, float]:
    """Megabytes and packages of an installation, seconds that it took, and seconds to start."""
    subprocess.run([*_UV, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [*_UV, "pip", "install", "--quiet", "--python", str(python), "--link-mode", "copy"]
    install += ["--compile-bytecode", "--constraint", str(ROOT / "constraints.txt"), str(source)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    subprocess.run(install, check=True, env=environment)
    installing = time.perf_counter() - began
    site = next(folder.glob("lib/python*/site-packages"))
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    packages = len(list(site.glob("*.dist-info")))
    start = min(started(python.with_name("renderjuice")) for _ in range(STARTS))
    return size / 1e6, packages, installing, start


def started(program: Path) -> float:
    """Seconds until the program has said its version."""
    began = time.perf_counter()
    subprocess.run([str(program), "--version"], check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure both, and print a table."""
    print("| distribution | MB | packages | s to install | s to start |")
    print("| --- | --- | --- | --- | --- |")
    for name, source in DISTRIBUTIONS.items():
        with tempfile.TemporaryDirectory() as folder:
            measure(source, Path(folder, "first"))  # what is downloaded is downloaded now
            size, packages, installing, start = measure(source, Path(folder, "second"))
        print(f"| `{name}` | {size:.0f} | {packages} | {installing:.1f} | {start:.2f} |")


if __name__ == "__main__":
    main()
