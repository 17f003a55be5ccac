"""What a DAG file that uses this provider costs to read, against one that uses the http provider.

Each is imported in fresh processes, after what every DAG file imports: `airflow.sdk`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.table import Row, at_most, median, ratio_of

OURS = "renderjuice_provider.operators.renderjuice"
HTTP = "airflow.providers.http.operators.http"
_CODE = """
import sys, time
import airflow.sdk
from airflow.sdk import BaseOperator
start = time.perf_counter()
__import__(sys.argv[1])
print(time.perf_counter() - start)
"""


def rows(pairs: int) -> Iterator[Row]:
    """One row: the ratio."""
    for module in (OURS, HTTP):
        _seconds(module)  # files that were never read are slow to read
    measured = [(_seconds(OURS), _seconds(HTTP)) for _ in range(pairs)]
    ours, http = (1000 * median(column) for column in zip(*measured, strict=True))
    note = f"{ours:.0f} ms against {http:.0f} ms, beyond airflow.sdk itself"
    work = "import of the operators' module, against the http provider's"
    yield at_most(work, ratio_of(measured), 0.2, note=note, digits=2)


def _seconds(module: str) -> float:
    done = subprocess.run([sys.executable, "-c", _CODE, module], capture_output=True, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1])
