"""A death at every HTTP call of the operators that spend.

Of the worker or of the triggerer, the one that makes the call.

At `kill-before` the request is lost with the process that sent it. At `kill-after` Renderjuice has
done the work, and nobody is left to learn of it. The nth poll of a job is made by the triggerer or
by the worker, before the render or during it: all are tried. Renders last longer than it takes to
notice a death, so that the next try finds them running.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from proofs.chaos.case import IN_TWO_ROUNDS, MODES, OPERATORS, Figures, Mode, Operator
from proofs.chaos.scenario import Scenario

POINTS = ("kill-before", "kill-after")
CALLS: dict[Operator, tuple[tuple[str, int], ...]] = {
    "run": (
        ("create_upload", 1),
        ("put_upload", 1),
        ("create_job", 1),
        ("validate_job", 1),
        *(("get_job", nth) for nth in range(1, 6)),
        ("start_render", 1),
        ("get_progress", 1),
        ("get_downloads", 1),
    ),
    "render": (
        *(("get_job", nth) for nth in range(1, 4)),
        ("start_render", 1),
        ("get_progress", 1),
        ("get_downloads", 1),
    ),
}
OF_ROUNDS = (
    ("start_render", 1),
    ("get_downloads", 1),
    ("download_file", 1),
    ("create_job", 2),
    ("start_render", 2),
    ("get_downloads", 2),
    ("download_file", 4),
)
"""Calls around the two boundaries of a round: what the failed job left is fetched, and the rest is
ordered."""
ENDLESS = 60
"""Frames of a scene that no deadline here sees completed."""


def kill_points() -> Iterator[Scenario]:
    """All of them, interleaved.

    Consecutive scenarios do not all wait for one triggerer to restart.
    """
    kinds = [list(_of_kind(*kind)) for kind in itertools.product(OPERATORS, MODES, POINTS)]
    kinds += [list(_of_rounds(*kind)) for kind in itertools.product(MODES, POINTS)]
    for neighbours in itertools.zip_longest(*kinds):
        yield from filter(None, neighbours)
    for mode in MODES:
        orders = ("create_upload", "create_job", "validate_job", "start_render")
        yield Scenario(
            f"run, {mode}: four deaths of one shot",
            f"run-{mode}-four-deaths",
            "run",
            mode,
            seconds=5,
            faults=tuple((order, ("kill-after",)) for order in orders),
        )


def _of_kind(operator: Operator, mode: Mode, point: str) -> Iterator[Scenario]:
    """The calls of a success, and the cancel of a deadline that passed."""
    for call, nth in CALLS[operator]:
        name = f"{operator}-{mode}-{call}-{nth}-{point}"
        yield Scenario(
            f"{operator}, {mode}: {point}",
            name,
            operator,
            mode,
            # The later polls have to come while it renders, also when Airflow takes its time, and
            # other deaths take the triggerers.
            seconds=20 if call == "get_progress" else 10 if nth > 3 else 5,
            faults=((call, ("ok",) * (nth - 1) + (point,)),),
            connection=name,  # the nth poll has to be of this job alone, not a list of all
        )
    yield _killed_cancel(operator, mode, point)


def _of_rounds(mode: Mode, point: str) -> Iterator[Scenario]:
    for call, nth in OF_ROUNDS:
        yield Scenario(
            f"frames in two rounds, {mode}: {point}",
            f"frames-{mode}-{call}-{nth}-{point}",
            "frames",
            mode,
            frames=6,
            lost_at=4,
            faults=((call, ("ok",) * (nth - 1) + (point,)),),
            expect=IN_TWO_ROUNDS,
        )


def _killed_cancel(operator: Operator, mode: Mode, point: str) -> Scenario:
    # Once the deadline has cancelled a job, the retry of an operator that makes jobs orders it
    # again: that is its contract. The trigger keeps a deferred task's deadline, and the death of a
    # triggerer takes no try from the task.
    again = operator == "run" and (point == "kill-after" or mode == "deferred")
    orders = 2 if again else 1
    return Scenario(
        f"{operator}, {mode}: {point}" + (" (cancelled, ordered again)" if again else " (own timeout)"),
        f"{operator}-{mode}-cancel_job-{point}",
        operator,
        mode,
        "short",
        frames=ENDLESS,
        faults=(("cancel_job", (point,)),),
        expect=Figures(state="failed", result=False, renders=orders, canceled=orders),
    )
