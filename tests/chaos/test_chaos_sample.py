"""A part of `make chaos` that is small enough for every day.

Real processes of a real Airflow die, and the bill is read.
"""

from __future__ import annotations

import itertools
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from proofs.chaos.accidents import accidents
from proofs.chaos.driver import Report, judge, perform
from proofs.chaos.events import events_on_their_way, receivers_that_fail
from proofs.chaos.harness import KEY, Harness
from proofs.chaos.kill_points import kill_points
from proofs.chaos.moves import for_seconds, mark, no_leaks, send, until_job_is, until_task_is
from proofs.chaos.scenario import Scenario
from proofs.chaos.user_actions import ENDLESS, STOPPED, user_actions

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

TRIGGERERS = ("triggerer", "triggerer-2")
EVERYTHING = {scenario.name: scenario for scenario in itertools.chain(kill_points(), user_actions(), accidents())}
SIDE_BY_SIDE = [
    replace(EVERYTHING[name], seconds=2)
    for name in (
        "run-deferred-start_render-1-kill-after",
        "run-sync-start_render-1-kill-after",
        "run-deferred-create_job-1-kill-after",
        "render-sync-get_job-1-kill-before",
        "run-deferred-marked-failed",
        "render-deferred-cleared",
        "run-deferred-DAG-deleted",
        "run-deferred-a-note-that-each-try-changes",
        "frames-deferred-start_render-2-kill-after",
        "render-deferred-already-renders-with-another-configuration",
    )
]
TRIGGERER_KILLED = Scenario(
    "kill -9 of a triggerer while tasks wait",
    "triggerer-killed",
    "render",
    "deferred",
    shots=3,
    frames=8,
    seconds=2,
    moves=(until_job_is("rendering"), until_task_is("deferred"), no_leaks, send(signal.SIGKILL, "triggerer")),
)
NOBODY_HEARS = Scenario(
    "marked failed while no triggerer is there, with a safety net",
    "nobody-hears",
    "run",
    "deferred",
    dag="chaos_netted",
    frames=ENDLESS,
    moves=(
        until_job_is("rendering"),
        until_task_is("deferred"),
        for_seconds(5),  # until a triggerer has taken the trigger
        send(signal.SIGKILL, *TRIGGERERS),
        mark("failed"),
    ),
    expect=STOPPED,
)
OF_EVENTS = {scenario.name: scenario for scenario in itertools.chain(events_on_their_way(), receivers_that_fail())}
EVENTS = [OF_EVENTS[name] for name in ("events-doubled", "events-lost", "events-forged")]
RECEIVER_KILLED = OF_EVENTS["events-receiver-killed-between-note-and-answer"]
SCENARIOS = [*SIDE_BY_SIDE, TRIGGERER_KILLED, NOBODY_HEARS, *EVENTS, RECEIVER_KILLED]


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    with Harness(tmp_path_factory.mktemp("chaos"), parallelism=6) as harness:
        yield harness


@pytest.fixture(scope="module")
def reports(harness: Harness) -> dict[str, Report]:
    reports = perform(harness, SIDE_BY_SIDE, len(SIDE_BY_SIDE)) + perform(harness, [TRIGGERER_KILLED, NOBODY_HEARS], 2)
    reports += perform(harness, EVENTS, len(EVENTS)) + perform(harness, [RECEIVER_KILLED], 1)
    return {report.scenario.name: report for report in judge(reports)}


@pytest.mark.parametrize("name", [scenario.name for scenario in SCENARIOS])
def test_nothing_renders_twice_is_left_running_or_is_lost(reports, name):
    assert reports[name].deviations == []


def test_nothing_secret_was_written_down_and_it_would_have_been_found(harness, reports):
    assert harness.leaks() == []
    with closing(sqlite3.connect(harness.airflow.home / "airflow.db", timeout=60)) as database:
        database.execute("INSERT INTO log (dttm, event, extra) VALUES ('2027-01-01', 'planted', ?)", (KEY,))
        database.commit()
    assert any("table log, column extra" in leak for leak in harness.leaks())
