"""Performs scenarios, several at a time, and judges them when everything is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from proofs.chaos.case import Case, Figures
from proofs.chaos.harness import Harness
from proofs.chaos.scenario import Scenario
from proofs.chaos.shots import Shot
from proofs.chaos.trials import shot_of

MakeShot = Callable[[Harness, Case, int], Shot]
_AT_ONCE = 8
"""Shots of one scenario that are started side by side: a job may have to be validated first."""
_SETTLING = 60.0
"""Seconds that a kill has to reach Renderjuice after Airflow calls a task over: the trigger's
`on_kill` comes later."""


@dataclass
class Report:
    """What came of a scenario."""

    scenario: Scenario
    shots: list[Shot] = field(default_factory=list)
    figures: list[Figures] = field(default_factory=list)
    planned: int = 0
    met: int = 0
    """Faults that requests were to meet, and those that they met."""
    seconds: float = 0.0
    deviations: list[str] = field(default_factory=list)


def perform(harness: Harness, scenarios: Sequence[Scenario], at_once: int, make: MakeShot = shot_of) -> list[Report]:
    """Perform all of them with shots made in this way, at most `at_once` at the same time."""
    with ThreadPoolExecutor(at_once) as pool:
        try:
            return list(pool.map(lambda scenario: _perform(harness, scenario, make), scenarios))
        except BaseException:
            harness.give_up()  # or the pool would wait for everyone who waits
            pool.shutdown(cancel_futures=True)
            raise


def judge(reports: Iterable[Report]) -> list[Report]:
    """Compare figures with expectations.

    Call it last: what a late process does to an early shot counts too.
    """
    judged = list(reports)
    for report in judged:
        report.figures = [shot.figures() for shot in report.shots]
        for shot, figures in zip(report.shots, report.figures, strict=True):
            report.deviations += [f"{_where(shot)}: {text}" for text in _differences(report.scenario.expect, figures)]
            report.deviations += _unmet(report, shot)
    return judged


def _unmet(report: Report, shot: Shot) -> list[str]:
    """Counts the faults of a shot, and returns what is wrong with their number."""
    planned, left = sum(len(texts) for _, texts in report.scenario.faults), shot.faults_left()
    report.planned += planned
    report.met += planned - len(left)
    if report.scenario.unsure:
        return [f"{_where(shot)}: no request met a fault"] if planned and len(left) == planned else []
    return [f"{_where(shot)}: no request met {fault!r}" for fault in left]


def _perform(harness: Harness, scenario: Scenario, make: MakeShot) -> Report:
    report, started = Report(scenario), time.monotonic()
    try:
        harness.connect(scenario.connection, relayed=scenario.relayed)
        report.shots += [make(harness, scenario, number) for number in range(scenario.shots)]
        with ThreadPoolExecutor(_AT_ONCE) as starters:
            list(starters.map(lambda shot: shot.start(), report.shots))
        for move in scenario.moves:
            move(harness, report.shots)
        for shot in report.shots:
            harness.until(shot.is_over, scenario.patience, f"the end of {shot.file_name}", pause=1)
        _settle(report.shots, scenario)
    except Exception as error:  # noqa: BLE001 - one scenario that breaks is a line in the table, not the end of the run
        report.deviations.append(f"{scenario.name}: {error!r}")
    report.seconds = time.monotonic() - started
    return report


def _settle(shots: Iterable[Shot], scenario: Scenario) -> None:
    """Wait for what still happens at Renderjuice, but not for ever: what it then is, it is."""
    deadline = time.monotonic() + _SETTLING
    for shot in shots:
        while shot.bill() != scenario.expect.bill and time.monotonic() < deadline:
            time.sleep(1)


def _differences(expected: Figures, found: Figures) -> list[str]:
    return [
        f"{name} is {value}, not {wanted}"
        for (name, value), wanted in zip(vars(found).items(), vars(expected).values(), strict=True)
        if value != wanted
    ]


def _where(shot: Shot) -> str:
    return f"{shot.file_name} ({shot.case.dag_id}, {shot.run_id}; {shot.logs()})"
