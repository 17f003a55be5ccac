"""What happens to machines while tasks wait: they lose power, they stall, they come back."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from proofs.chaos.case import MODES
from proofs.chaos.moves import disturb, for_seconds, no_leaks, send, until_job_is, until_met, until_task_is
from proofs.chaos.scenario import Scenario

_WAITING = (until_job_is("rendering"), until_task_is("deferred"))
_RENDERING = (until_job_is("rendering"),)


def process_failures() -> Iterator[Scenario]:
    """Each disturbs everyone, so they are performed one after the other."""
    yield Scenario(
        "kill -9 of a triggerer while 50 tasks wait",
        "triggerer-killed",
        "render",
        "deferred",
        shots=50,
        frames=10,
        seconds=12,
        moves=(*_WAITING, no_leaks, send(signal.SIGKILL, "triggerer")),
    )
    yield Scenario(
        "kill -9 of both triggerers at the list of 24 jobs",
        "triggerers-killed-at-list",
        "render",
        "deferred",
        shots=24,
        frames=10,
        seconds=8,
        moves=(*_WAITING, disturb("list_jobs", "kill-before", "kill-after"), until_met("list_jobs")),
    )
    yield Scenario(
        "SIGSTOP of a triggerer for 40 s, takeover, SIGCONT",
        "triggerer-stalled",
        "run",
        "deferred",
        shots=8,
        frames=10,
        seconds=11,
        moves=(*_WAITING, send(signal.SIGSTOP, "triggerer"), for_seconds(40), send(signal.SIGCONT, "triggerer")),
    )
    yield Scenario(
        "kill -9 of both triggerers",
        "triggerers-killed",
        "run",
        "deferred",
        shots=4,
        frames=10,
        seconds=4,
        moves=(*_WAITING, send(signal.SIGKILL, "triggerer", "triggerer-2")),
    )
    yield Scenario(
        "SIGSTOP of the scheduler and its workers for 45 s, SIGCONT",
        "workers-stalled",
        "run",
        "sync",
        shots=4,
        frames=10,
        seconds=9,
        moves=(*_RENDERING, send(signal.SIGSTOP, "scheduler"), for_seconds(45), send(signal.SIGCONT, "scheduler")),
    )


def failures_of_both_modes() -> Iterator[Scenario]:
    """Deaths that tasks of both kinds suffer together: two at a time."""
    # With a LocalExecutor the scheduler's machine is the workers' machine: tasks on it die, too.
    parts = {"scheduler": "the scheduler and its workers", "execution-api": "the API that tasks speak to"}
    for component, what in parts.items():
        for mode in MODES:
            yield Scenario(
                f"kill -9 of {what}, {mode}",
                f"{component}-killed-{mode}",
                "run",
                mode,
                shots=4,
                frames=10,
                seconds=4,
                moves=(*_RENDERING, send(signal.SIGKILL, component)),
            )
