"""What somebody does to the shots of a scenario, and what is waited for first."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from proofs.chaos.harness import Harness
from proofs.chaos.scenario import Move
from proofs.chaos.shots import GONE, OVER, TASK, Shot

_PATIENCE = 300.0
_TO_TAKE_A_TRIGGER = 5.0
"""Seconds that a triggerer needs at most, when it is not busy."""
_POOL, _OCCUPANT = "chaos_narrow", "chaos_occupant"


def until_job_is(status: str) -> Move:
    """Wait until the newest job of each shot has this status."""
    return _until_each(lambda shot: shot.status() == status, f"a {status} job")


def until_jobs(number: int) -> Move:
    """Wait until this many jobs were made of each shot."""
    return _until_each(lambda shot: len(shot.accounts()) >= number, f"{number} jobs")


def until_task_is(*states: str) -> Move:
    """Wait until the task of each shot is in one of these states."""
    return _until_each(lambda shot: shot.state() in states, f"a {' or '.join(states)} task")


def until_request(operation: str) -> Move:
    """Wait until a request for each shot has come in."""

    def came(shot: Shot) -> bool:
        entries = list(shot.harness.emulator.ledger.entries)
        return any(one.operation == operation and one.file_name == shot.file_name for one in entries)

    return _until_each(came, operation)


def until_over(harness: Harness, shots: Sequence[Shot]) -> None:
    """Wait until Airflow is done with each shot."""
    _until_each(lambda shot: shot.is_over(), "the end")(harness, shots)


def _until_each(condition: Callable[[Shot], bool], what: str) -> Move:
    def wait(harness: Harness, shots: Sequence[Shot]) -> None:
        for shot in shots:
            harness.until(partial(condition, shot), _PATIENCE, f"{what} of {shot.file_name}")

    return wait


def for_seconds(seconds: float) -> Move:
    """Let time pass."""

    def wait(_harness: Harness, _shots: Sequence[Shot]) -> None:
        time.sleep(seconds)

    return wait


def send(number: signal.Signals, *components: str) -> Move:
    """A signal for every process of these components.

    SIGKILL is a machine without power, SIGSTOP one that is paused.
    """

    def act(harness: Harness, _shots: Sequence[Shot]) -> None:
        for component in components:
            harness.send(number, component)

    return act


def disturb(operation: str, *faults: str) -> Move:
    """Faults for the requests of an operation that is not about one file."""

    def act(harness: Harness, _shots: Sequence[Shot]) -> None:
        harness.emulator.faults.add(operation, *faults)

    return act


def until_met(operation: str) -> Move:
    """Wait until no such fault is left."""

    def wait(harness: Harness, _shots: Sequence[Shot]) -> None:
        harness.until(lambda: operation not in harness.emulator.faults.left(), _PATIENCE, f"all faults of {operation}")

    return wait


Outage = Literal["refuse", "freeze"]


def outage(kind: Outage, seconds: float) -> Move:
    """Renderjuice cannot be reached through the connection of these shots.

    Nobody is there, or somebody who says nothing.
    """

    def act(harness: Harness, shots: Sequence[Shot]) -> None:
        relay = harness.relays[shots[0].case.connection]
        getattr(relay, kind)()
        time.sleep(seconds)
        relay.heal()

    return act


def no_leaks(harness: Harness, _shots: Sequence[Shot]) -> None:
    """Search now, while tasks wait: a trigger's arguments are gone when it has fired."""
    if leaks := harness.leaks():
        raise AssertionError(f"a secret was written down: {leaks}")


def mark(state: Literal["success", "failed"]) -> Move:
    """As the buttons "mark as" do."""

    def act(harness: Harness, shots: Sequence[Shot]) -> None:
        for shot in shots:
            harness.change("PATCH", shot.path, {"new_state": state})

    return act


def pause_dag(harness: Harness, shots: Sequence[Shot]) -> None:
    """As the switch beside the DAG does."""
    _pause(harness, shots, paused=True)


def unpause_dag(harness: Harness, shots: Sequence[Shot]) -> None:
    """The same switch, in the other direction."""
    _pause(harness, shots, paused=False)


def _pause(harness: Harness, shots: Sequence[Shot], *, paused: bool) -> None:
    for dag_id in {shot.case.dag_id for shot in shots}:
        harness.change("PATCH", f"/dags/{dag_id}", {"is_paused": paused})


def delete_dag(harness: Harness, shots: Sequence[Shot]) -> None:
    """As the button "delete DAG" does, once a triggerer has the trigger."""
    time.sleep(_TO_TAKE_A_TRIGGER)
    for dag_id in {shot.case.dag_id for shot in shots}:
        harness.change("DELETE", f"/dags/{dag_id}", {})


def delete_task(harness: Harness, shots: Sequence[Shot]) -> None:
    """As the button "delete task instance" does, once a triggerer has the trigger.

    Returns when Airflow has made it again.
    """
    time.sleep(_TO_TAKE_A_TRIGGER)
    for shot in shots:
        harness.change("DELETE", shot.path, {})
    _until_each(lambda shot: shot.state() != GONE, "the task instance made again")(harness, shots)


def open_pool(harness: Harness, _shots: Sequence[Shot]) -> None:
    """A pool of one slot, in which tasks that are deferred do not count."""
    harness.make("/pools", {"name": _POOL, "slots": 1, "include_deferred": False})


def fill_pool(harness: Harness, _shots: Sequence[Shot]) -> None:
    """Another task takes the slot for a long time."""
    harness.make(f"/dags/{_OCCUPANT}/dagRuns", {"dag_run_id": _OCCUPANT, "logical_date": None})
    running = partial(harness.airflow.tasks, _OCCUPANT, _OCCUPANT, "running")
    harness.until(running, _PATIENCE, "a full pool")


def free_pool(harness: Harness, _shots: Sequence[Shot]) -> None:
    """The task that has the slot ends."""
    harness.change("PATCH", f"/dags/{_OCCUPANT}/dagRuns/{_OCCUPANT}/taskInstances/occupy", {"new_state": "success"})


def run_again(_harness: Harness, shots: Sequence[Shot]) -> None:
    """Start another run about the same shot."""
    for shot in shots:
        shot.start_run(f"{shot.run_id}-again")


def clear(harness: Harness, shots: Sequence[Shot]) -> None:
    """As the button "clear" does; returns when Airflow has taken the task up again."""
    for shot in shots:
        body = {"dry_run": False, "dag_run_id": shot.run_id, "task_ids": [TASK], "only_failed": False}
        harness.change("POST", f"/dags/{shot.case.dag_id}/clearTaskInstances", body)
    _until_each(lambda shot: shot.state() not in OVER, "a cleared task")(harness, shots)
