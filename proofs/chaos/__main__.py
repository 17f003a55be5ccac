"""`make chaos`: every misfortune on a real Airflow, then the bill.

Exits with 1 if a figure is off or a secret is found.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from pathlib import Path

from proofs.chaos.accidents import accidents
from proofs.chaos.driver import Report, judge, perform
from proofs.chaos.events import events_on_their_way, receivers_that_fail
from proofs.chaos.harness import Harness
from proofs.chaos.kill_points import kill_points
from proofs.chaos.network import outages, storm
from proofs.chaos.night import night
from proofs.chaos.processes import failures_of_both_modes, process_failures
from proofs.chaos.scenario import Scenario
from proofs.chaos.table import deviations, table
from proofs.chaos.trials import trials
from proofs.chaos.user_actions import user_actions

FOLDER = Path(__file__).parents[2] / ".run" / "chaos"
BEFORE = FOLDER.with_name("chaos.before")
"""What the run before left: a deviation is understood from its logs."""
DEFAULT_SEED = 20261123


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m proofs.chaos", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="scenarios whose name contains this")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="of the storm (%(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # In the background of a shell it is ignored, and whatever is started here would ignore it, too:
    # Ctrl-C is one of the accidents.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    shutil.rmtree(BEFORE, ignore_errors=True)
    if FOLDER.exists():
        FOLDER.rename(BEFORE)
    FOLDER.mkdir(parents=True)
    log = _Clock()
    reports: list[Report] = []
    leaks: list[str] = []
    if phases := _phases(options.only, options.seed):
        with Harness(FOLDER / "scenarios") as harness:
            log(f"Airflow and the emulator are up. The storm's seed is {options.seed}.")
            reports = _perform_all(harness, phases, log)
            log("Reading the bill, and searching for secrets")
            judge(reports)
            leaks = harness.leaks()
    wrong = deviations(reports) + [f"a secret was written down: {leak}" for leak in leaks]
    if options.only in "night":
        log("A night of the example DAGs")
        wrong += night(FOLDER / "night")
    print(table(reports))
    print(f"secrets found in the database, the logs and all other files: {len(leaks)}")
    print("\n".join(wrong) or "Nothing deviates.")
    log("The end")
    sys.exit(bool(wrong))


Phase = tuple[str, list[Scenario], int]
"""Its name, its scenarios, and how many of them at once."""


def _phases(only: str, seed: int) -> list[Phase]:
    """Those that have scenarios of such a name.

    Scenarios that disturb only themselves run side by side; those that disturb all run one by one.
    """
    phases: list[Phase] = [
        ("Kill points", list(kill_points()), 24),
        ("User actions, deadlines, accidents and outages", [*outages(), *accidents(), *trials(), *user_actions()], 28),
        ("Failures of processes", list(process_failures()), 1),
        ("Failures of processes, with tasks of both modes", list(failures_of_both_modes()), 2),
        ("The storm", list(storm(seed)), 100),
        ("Events of renders", list(events_on_their_way()), 12),
        ("Receivers that fail", list(receivers_that_fail()), 1),
    ]
    wanted = [(name, [one for one in scenarios if only in one.name], at_once) for name, scenarios, at_once in phases]
    return [phase for phase in wanted if phase[1]]


def _perform_all(harness: Harness, phases: list[Phase], log: _Clock) -> list[Report]:
    reports: list[Report] = []
    for name, scenarios, at_once in phases:
        log(f"{name}: {len(scenarios)} scenarios, {sum(scenario.shots for scenario in scenarios)} shots")
        reports += perform(harness, scenarios, at_once)
    return reports


class _Clock:
    """Says things with the time since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, text: str) -> None:
        print(f"{time.monotonic() - self._start:6.0f} s  {text}", flush=True)


if __name__ == "__main__":
    main()
