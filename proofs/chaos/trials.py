"""Shots of people who try out a DAG in a terminal, and press Ctrl-C."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from proofs.chaos.case import DIRECT, MODES, Case, Figures
from proofs.chaos.harness import DAGS, KEY, Harness
from proofs.chaos.moves import for_seconds, until_job_is
from proofs.chaos.scenario import Scenario
from proofs.chaos.shots import Shot
from tools.local_airflow import LocalAirflow
from tools.processes import Program, signal_sessions

ENDED = "ended"


class Trial(Shot):
    """`airflow dags test` of a shot, with a database of its own.

    No scheduler, no triggerer, nobody who would take it up again.
    """

    program: Program

    def start(self) -> None:
        """Make the database, and start the command."""
        connection = {"conn_type": "renderjuice", "host": self.harness.emulator.base_url, "password": KEY}
        environment = {
            f"AIRFLOW_CONN_{DIRECT.upper()}": json.dumps(connection),
            "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        }
        airflow = LocalAirflow(self._home, DAGS, environment)
        airflow.prepare()
        airflow.close()
        conf = json.dumps({"connection": DIRECT} | self.subject())
        command = [sys.executable, "-m", "airflow", "dags", "test", self.case.dag_id, "--conf", conf]
        self.program = Program(self.case.name, command, self.logs(), airflow.environment)
        self.run_id = "in a terminal"

    @property
    def _home(self) -> Path:
        """Inside the home of the other Airflow, where secrets are searched for."""
        return self.harness.airflow.home / "trials" / self.case.name

    def state(self) -> str:
        """Of the command."""
        return "running" if self.program.process.poll() is None else ENDED

    def is_over(self) -> bool:
        """Whether the command has ended."""
        return self.state() == ENDED

    def logs(self) -> Path:
        """What the terminal shows."""
        return self._home / "terminal.log"

    def has_result(self) -> bool:
        """Nobody keeps one."""
        return False


def shot_of(harness: Harness, case: Case, number: int = 0) -> Shot:
    """A shot of the kind that the case wants."""
    return (Trial if case.in_terminal else Shot)(harness, case, number)


def ctrl_c(_harness: Harness, shots: Sequence[Shot]) -> None:
    """As a terminal does it: for every process in it."""
    for shot in shots:
        if isinstance(shot, Trial):
            signal_sessions([shot.program.pid], signal.SIGINT)


def trials() -> Iterator[Scenario]:
    """Ctrl-C while it renders, of a task that has tries left.

    `dags test` would go on with the next one, and order again.
    """
    for mode in MODES:
        yield Scenario(
            f"Ctrl-C in a terminal, {mode}",
            f"run-{mode}-ctrl-c",
            "run",
            mode,
            frames=60,
            in_terminal=True,
            moves=(until_job_is("rendering"), for_seconds(4), ctrl_c),
            expect=Figures(state=ENDED, result=False, canceled=1),
            patience=60,
        )
