"""`make matrix`: does what we claim hold on every Airflow and Python that we claim?

Exits with 1 if it does not.

    python -m proofs.matrix                  # every cell, some minutes each
    python -m proofs.matrix 3.1-py3.12 3.4   # these; without a Python, on the newest that is here
    python -m proofs.matrix --quick          # without the kills, about a minute each
    python -m proofs.matrix --pin            # choose again what the cells are made of

A cell is a version of Airflow on a version of Python, in an environment of its own. What else is in
it is what was there when that Airflow was released: with later libraries than it was tested with,
an Airflow of half a year ago does not even start.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".venv-matrix"
LOGS = ROOT / ".run" / "matrix"
CONSTRAINTS = Path(__file__).parent / "constraints"
UV = (sys.executable, "-m", "uv")

PYTHONS = ("3.11", "3.12", "3.13")
RELEASED = {
    "3.1": ("3.1.8", date(2026, 3, 11)),
    "3.2": ("3.2.2", date(2026, 5, 29)),
    "3.4": ("3.4.0b2", date(2026, 10, 20)),
}
"""The newest of each minor version, and its day. What 3.3 is made of is in constraints.txt, for
development runs on it."""
AIRFLOWS = ("3.1", "3.2", "3.3", "3.4")
CELLS = tuple(f"{airflow}-py{python}" for airflow in AIRFLOWS for python in (PYTHONS[0], PYTHONS[-1]))
"""By default each Airflow on the oldest and the newest Python: what holds on both is not lost
between them."""

DAGS = ("proofs.matrix.try_dags",)
KILLS = ("proofs.chaos", "--only=marked")


class Cell(NamedTuple):
    """One version of Airflow on one of Python."""

    airflow: str
    python: str

    @classmethod
    def parse(cls, text: str) -> Cell:
        """From `3.1-py3.12`, or from `3.1` on the newest Python that is here."""
        airflow, _, python = text.partition("-py")
        if airflow not in AIRFLOWS or python not in {"", *PYTHONS}:
            sys.exit(f"No cell {text!r}: Airflow is one of {', '.join(AIRFLOWS)}, Python one of {', '.join(PYTHONS)}.")
        return cls(airflow, python or next(filter(find_python, reversed(PYTHONS))))

    def __str__(self) -> str:
        return f"{self.airflow}-py{self.python}"

    @property
    def constraints(self) -> Path:
        """What it is made of."""
        return CONSTRAINTS / f"airflow-{self.airflow}.txt" if self.airflow in RELEASED else ROOT / "constraints.txt"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m proofs.matrix", description=__doc__.splitlines()[0])
    parser.add_argument("cells", nargs="*", help=f"by default {' '.join(CELLS)}")
    parser.add_argument("--quick", action="store_true", help="only import and run the example DAGs, no kills")
    parser.add_argument("--pin", action="store_true", help="write proofs/matrix/constraints again")
    options = parser.parse_args()
    if options.pin:
        pin()
        return
    checks = [DAGS] if options.quick else [DAGS, KILLS]
    results = {cell: try_cell(cell, checks) for cell in map(Cell.parse, options.cells or CELLS)}
    print("\n".join(f"{cell!s:12}{result}" for cell, result in results.items()))
    sys.exit(any(result.startswith("FAILED") for result in results.values()))


def try_cell(cell: Cell, checks: Sequence[Sequence[str]]) -> str:
    """What became of it, as a line for the table: `ok`, `SKIPPED` or `FAILED`, and more."""
    interpreter = find_python(cell.python)
    if not interpreter:
        return f"SKIPPED: there is no Python {cell.python} here"
    started = time.monotonic()
    done = []
    for command in ((), *checks):
        name = command[0] if command else "install"
        log = LOGS / f"{cell}-{name}.log"
        print(f"{cell}: {name} (log: {log.relative_to(ROOT)})", flush=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as output:
            failed = (
                run_check(cell, command, output.fileno()) if command else install(cell, interpreter, output.fileno())
            )
        if failed:
            tail = log.read_text(errors="replace").splitlines()[-15:]
            print("\n".join(f"    {line[:300]}" for line in tail), flush=True)
            return f"FAILED: {name}"
        done.append(name.rpartition(".")[2])
    return f"ok: {', '.join(done)} in {time.monotonic() - started:.0f} s"


def find_python(version: str) -> str:
    """The path of this version's interpreter.

    Empty when there is none. pyenv's are looked at too: they need not be active.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders = [str(path) for path in sorted(pyenv.glob(f"versions/{version}*/bin"))]
    command = [*UV, "python", "find", "--system", "--no-python-downloads", version]
    environment = os.environ | {"PATH": os.pathsep.join([*folders, os.environ["PATH"]])}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()


def install(cell: Cell, interpreter: str, output: int) -> int:
    """Make its environment, or see that it is up to date; 0 when all is well."""
    folder = ENVIRONMENTS / str(cell)
    make = [*UV, "venv", "--quiet", "--allow-existing", "--python", interpreter, str(folder)]
    fill = [*UV, "pip", "install", "--python", str(folder / "bin" / "python"), "--constraint", str(cell.constraints)]
    fill += [
        "--prerelease",
        "if-necessary-or-explicit",
        "--editable",
        ".[emulator,media]",
        f"apache-airflow{_pin(cell)}",
    ]
    for command in (make, fill):
        if code := subprocess.run(command, cwd=ROOT, stdout=output, stderr=output, check=False).returncode:
            return code
    return 0


def _pin(cell: Cell) -> str:
    return f"=={RELEASED[cell.airflow][0]}" if cell.airflow in RELEASED else f"~={cell.airflow}.0"


def run_check(cell: Cell, command: Sequence[str], output: int) -> int:
    """Run one of our modules in its environment; 0 when all is well."""
    python = ENVIRONMENTS / str(cell) / "bin" / "python"
    # Without bytecode every start of an Airflow takes three times as long.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    whole = [str(python), "-m", *command]
    return subprocess.run(whole, cwd=ROOT, env=environment, stdout=output, stderr=output, check=False).returncode


def pin() -> None:
    """Write for each Airflow what there was when it was released."""
    shutil.rmtree(CONSTRAINTS, ignore_errors=True)
    CONSTRAINTS.mkdir()
    for airflow, (release, day) in RELEASED.items():
        command = [*UV, "pip", "compile", "--quiet", "--universal", "--python-version", PYTHONS[0], "--strip-extras"]
        command += [
            "--no-header",
            "--no-annotate",
            "--exclude-newer",
            str(day),
            "--extra",
            "emulator",
            "--extra",
            "media",
        ]
        command += ["pyproject.toml", "-"]
        wanted = f"apache-airflow=={release}"
        done = subprocess.run(command, cwd=ROOT, input=wanted, capture_output=True, text=True, check=True)
        head = f"# What there was when Airflow {release} was released: python -m proofs.matrix --pin\n"
        (CONSTRAINTS / f"airflow-{airflow}.txt").write_text(head + done.stdout)


if __name__ == "__main__":
    main()
