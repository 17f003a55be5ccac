"""Accidents around a render that nobody meant: with the DAG, its pool, its rows in Airflow's database, its configuration."""

from __future__ import annotations

from collections.abc import Iterator

from devtools.chaos.decisions import ENDLESS, LEFT_ALONE, STOPPED
from devtools.chaos.scenario import MODES, OPERATORS, Figures, Mode, Operator, Scenario, Step
from devtools.chaos.shots import GONE
from devtools.chaos.steps import (
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

VANISHED = Figures(state=GONE, result=False, canceled=1)
FEW_SAMPLES = {"colorManagementPreset": "default", "sampleCount": 4}
SAME_PICTURES = {"colorManagementPreset": "default", "notes": "by hand"}


def accidents() -> Iterator[Scenario]:
    """All of them, in both modes where there is a difference: a task that holds its worker also holds its slot in the pool."""
    for operator in OPERATORS:
        yield from _of_waits(operator)
        for mode in MODES:
            yield from _of_both_modes(operator, mode)
    for mode in MODES:
        yield from _of_configurations(mode)


def _of_both_modes(operator: Operator, mode: Mode) -> Iterator[Scenario]:
    def scenario(name: str, variant: str, *steps: Step, expect: Figures = STOPPED, frames: int = ENDLESS) -> Scenario:
        rendering = (until_job_is("rendering"), until_task_is("deferred" if mode == "deferred" else "running"))
        names = (f"{name}, {mode}", f"{operator}-{mode}-{name.replace(' ', '-')}")
        return Scenario(*names, operator, mode, variant, frames=frames, steps=(*rendering, *steps), expect=expect)

    # While the DAG is paused no task of it is resumed, so whoever stops the bill is no task.
    yield scenario("own timeout while the DAG is paused", "paused", pause_dag, until_job_is("canceled"), unpause_dag)


def _of_waits(operator: Operator) -> Iterator[Scenario]:
    def scenario(name: str, variant: str, *steps: Step, expect: Figures = STOPPED, frames: int = ENDLESS) -> Scenario:
        return Scenario(
            name,
            f"{operator}-deferred-{name.replace(' ', '-')}",
            operator,
            "deferred",
            variant,
            frames=frames,
            steps=(until_job_is("rendering"), until_task_is("deferred"), *steps),
            expect=expect,
        )

    completes = (pause_dag, until_job_is("completed"), unpause_dag)
    yield scenario("completed while the DAG is paused", "resting", *completes, expect=Figures(), frames=8)
    yield scenario("DAG deleted", "deleted", delete_dag, expect=VANISHED)
    yield scenario("task instance deleted", "plain", delete_task, expect=Figures(), frames=20)
    if operator == "run":  # one pool, one task that fills it
        full = (open_pool, until_job_is("rendering"), until_task_is("deferred"), fill_pool)
        yield Scenario(
            "own timeout while the pool is full",
            "run-deferred-own-timeout-while-the-pool-is-full",
            "run",
            "deferred",
            "crowded",
            frames=ENDLESS,
            steps=(*full, until_job_is("canceled"), free_pool),
            expect=STOPPED,
        )


def _of_configurations(mode: Mode) -> Iterator[Scenario]:
    yield Scenario(
        f"a note that each try changes, {mode}",
        f"run-{mode}-note",
        "run",
        mode,
        "noted",
        seconds=5,
        faults=(("start_render", ("kill-after",)),),
    )
    yield Scenario(
        f"a note that each try changes, cleared, {mode}",
        f"run-{mode}-note-cleared",
        "run",
        mode,
        "noted",
        frames=8,
        steps=(until_job_is("rendering"), until_task_is("deferred" if mode == "deferred" else "running"), clear),
    )
    for name, ordered, expect in (
        ("with another configuration", FEW_SAMPLES, LEFT_ALONE),
        ("with the same pictures ordered in other words", SAME_PICTURES, Figures()),
    ):
        yield Scenario(
            f"renders already {name}, {mode}",
            f"render-{mode}-{name.replace(' ', '-')}",
            "render",
            mode,
            "once",
            ordered=ordered,
            expect=expect,
        )
