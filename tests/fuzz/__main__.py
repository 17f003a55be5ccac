"""`make fuzz`: prints a line for each target, and ends with 1 if anything was found.

PYTHONPATH=.:dags python -m tests.fuzz --inputs 200000 --seed 1
PYTHONPATH=.:dags python -m tests.fuzz config --seed 1 --first 4711 --inputs 1  # one finding again
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import sys
import tempfile
import time

os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="renderjuice-airflow-")  # not that of the user

from tests.fuzz.measure import fuzz
from tests.fuzz.targets import TARGETS

_ADDRESSES = 6 << 30
"""Bytes that the process may map: an input that would fill the machine gets a MemoryError, which is
a finding."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(target.name for target in TARGETS)}; all by default")
    parser.add_argument("--inputs", type=int, default=220_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    chosen = [target for target in TARGETS if not options.targets or target.name in options.targets]
    whole = sum(target.share for target in chosen)
    began, total, findings = time.monotonic(), 0, []
    for target in chosen:
        inputs = max(1, round(options.inputs * target.share / whole))
        report = fuzz(target, inputs, seed=options.seed, first=options.first)
        total += report.inputs
        findings += report.findings
        sys.stdout.write(
            f"{target.name:20} {report.inputs:7} inputs {report.refused:7} refused  slowest {report.slowest:.3f} s  "
            f"{len(report.findings)} found\n"
        )
        for finding in report.findings:
            sys.stdout.write(f"    {finding}\n")
        sys.stdout.flush()
    took = time.monotonic() - began
    sys.stdout.write(f"{total} inputs in {took:.0f} s: {len(findings)} findings\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
