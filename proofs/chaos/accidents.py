"""Accidents around a render.

With the DAG, its pool, its rows in Airflow's database, its configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proofs.chaos.case import MODES, ONCE, OPERATORS, Figures, Mode, Operator
from proofs.chaos.moves import (
    clear,
    delete_dag,
    delete_task,
    fill_pool,
    free_pool,
    open_pool,
    pause_dag,
    unpause_dag,
    until_job_is,
    until_task_is,
)
from proofs.chaos.scenario import Move, Scenario
from proofs.chaos.shots import GONE
from proofs.chaos.user_actions import ENDLESS, LEFT_ALONE, STOPPED

VANISHED = Figures(state=GONE, result=False, canceled=1)
FEW_SAMPLES = {"colorManagementPreset": "default", "sampleCount": 4}
WITH_A_NOTE = {"colorManagementPreset": "default", "notes": "by hand"}


def accidents() -> Iterator[Scenario]:
    """All of them, in both modes where there is a difference.

    A task that waits on its worker keeps its slot of the pool; and Airflow deletes neither it nor
    its DAG while it runs.
    """
    for operator in OPERATORS:
        yield from _to_deferred(operator)
        for mode in MODES:
            yield _paused(operator, mode)
    yield _full_pool()
    for mode in MODES:
        yield from _notes(mode)
        yield _ordered("already renders with another configuration", mode, FEW_SAMPLES, LEFT_ALONE)
        yield _ordered("already renders the same with a note", mode, WITH_A_NOTE, ONCE)


def _scenario(name: str, operator: Operator, mode: Mode, variant: str, **more: Any) -> Scenario:
    return Scenario(f"{name}, {mode}", f"{operator}-{mode}-{name.replace(' ', '-')}", operator, mode, variant, **more)


def _waiting(mode: Mode) -> tuple[Move, ...]:
    return until_job_is("rendering"), until_task_is("deferred" if mode == "deferred" else "running")


def _paused(operator: Operator, mode: Mode) -> Scenario:
    # No task of a paused DAG is resumed, so it is not a task that stops the bill.
    moves = (*_waiting(mode), pause_dag, until_job_is("canceled"), unpause_dag)
    name = "own timeout while the DAG is paused"
    return _scenario(name, operator, mode, "paused", frames=ENDLESS, moves=moves, expect=STOPPED)


def _full_pool() -> Scenario:
    moves = (open_pool, *_waiting("deferred"), fill_pool, until_job_is("canceled"), free_pool)
    name = "own timeout while the pool is full"
    return _scenario(name, "run", "deferred", "crowded", frames=ENDLESS, moves=moves, expect=STOPPED)


def _to_deferred(operator: Operator) -> Iterator[Scenario]:
    def scenario(name: str, variant: str, *moves: Move, frames: int, expect: Figures = ONCE) -> Scenario:
        moves = (*_waiting("deferred"), *moves)
        return _scenario(name, operator, "deferred", variant, frames=frames, moves=moves, expect=expect)

    completes = (pause_dag, until_job_is("completed"), unpause_dag)
    yield scenario("completed while the DAG is paused", "resting", *completes, frames=8)
    yield scenario("DAG deleted", "deleted", delete_dag, frames=ENDLESS, expect=VANISHED)
    yield scenario("task instance deleted", "plain", delete_task, frames=20)


def _notes(mode: Mode) -> Iterator[Scenario]:
    name = "a note that each try changes"
    died = (("start_render", ("kill-after",)),)
    yield _scenario(name, "run", mode, "noted", seconds=5, faults=died)
    yield _scenario(f"{name} and cleared", "run", mode, "noted", frames=8, moves=(*_waiting(mode), clear))


def _ordered(name: str, mode: Mode, ordered: dict[str, Any], expect: Figures) -> Scenario:
    return _scenario(name, "render", mode, "once", ordered=ordered, expect=expect)
