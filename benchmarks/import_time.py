"""What reading a DAG file that uses this provider costs, beside what Airflow itself costs.

Run with `make bench`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 7
CODE = """
import time
start = time.perf_counter()
import airflow.sdk
from airflow.sdk import BaseOperator
airflow = time.perf_counter()
import renderjuice_provider.operators.renderjuice
ours = time.perf_counter()
print(airflow - start, ours - airflow)
"""


def main() -> None:
    """Print the medians of some fresh processes, and their ratio."""
    runs = [tuple(map(float, _run().split())) for _ in range(RUNS)]
    airflow, ours = (statistics.median(column) for column in zip(*runs, strict=True))
    print(f"import airflow.sdk                        {airflow * 1000:7.0f} ms")
    print(f"then renderjuice_provider.operators       {ours * 1000:7.0f} ms   {ours / airflow:.3f} of Airflow's own")


def _run() -> str:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


if __name__ == "__main__":
    main()
