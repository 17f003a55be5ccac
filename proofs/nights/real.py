"""The same nights by a real scheduler: runs of `renderjuice_nightly`, one after the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from proofs.nights import studio
from proofs.nights.evidence import Entries
from proofs.nights.night import Outcome, judge
from proofs.nights.pictures import Pictures
from proofs.nights.studio import DAG, DAGS, Night
from renderjuice_emulator.testing import Emulator
from tools.airflow_api import STATES_AT_END
from tools.local_airflow import LocalAirflow

SPEED, SECONDS_PER_FRAME = 60.0, 30.0
"""Emulated seconds in one, and for a frame: a render takes some seconds, as the tasks around it."""
POLL_INTERVAL = "5"
PATIENCE = 30 * 60
"""Seconds for a night: far more than it takes."""


def nights(planned: Sequence[Night], folder: Path, right: Pictures) -> Iterator[Outcome]:
    """Run the nights, and judge each by what shots have to show."""
    sys.path.append(str(DAGS))  # the stages, with which pictures are compared
    with ExitStack() as cleanup:
        emulator = cleanup.enter_context(Emulator(speed=SPEED))
        variables = studio.environment(emulator) | {
            "RENDERJUICE_POLL_INTERVAL": POLL_INTERVAL,
            "AIRFLOW__CORE__PARALLELISM": "8",
        }
        airflow = LocalAirflow(folder / "airflow", DAGS, variables)
        cleanup.callback(airflow.stop)
        airflow.start()
        for night in planned:
            began = time.monotonic()
            entries = _run(airflow, emulator, night, folder)
            yield judge(night, emulator, entries, right, began)


def _run(airflow: LocalAirflow, emulator: Emulator, night: Night, parent: Path) -> Entries:
    """One run of the nightly DAG to its end; the entries of its summary."""
    emulator.reset()
    emulator.switches.mishaps = night.mishaps
    folder = parent / night.date
    shot_list = studio.write(night, folder / "scenes", seconds_per_frame=SECONDS_PER_FRAME)
    run_id = airflow.trigger(DAG, studio.params(shot_list, night))
    deadline = time.monotonic() + PATIENCE
    while airflow.run_state(DAG, run_id) not in STATES_AT_END:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the night of {night.date} did not end within {PATIENCE // 60} minutes; see {folder}")
        time.sleep(2)
    return studio.summary(night, folder)
