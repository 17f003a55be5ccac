"""What people decide while a shot renders, and what deadlines decide for them."""

from __future__ import annotations

from collections.abc import Iterator

from proofs.chaos.case import IN_TWO_ROUNDS, MODES, ONCE, OPERATORS, Figures, Mode, Operator
from proofs.chaos.moves import (
    clear,
    for_seconds,
    mark,
    run_again,
    until_job_is,
    until_jobs,
    until_over,
    until_request,
    until_task_is,
)
from proofs.chaos.scenario import Move, Scenario

ENDLESS = 60
"""Frames of a scene that nobody here sees completed."""
STOPPED = Figures(state="failed", result=False, canceled=1)
DISMISSED = Figures(state="success", result=False, canceled=1)
SKIPPED = Figures(state="skipped", result=False, canceled=1)
LEFT_ALONE = Figures(state="failed", result=False)


def user_actions() -> Iterator[Scenario]:
    """All of them, for both operators and in both modes."""
    for operator in OPERATORS:
        for mode in MODES:
            yield from _by_users(operator, mode)
            yield from _by_deadlines(operator, mode)
    for mode in MODES:
        yield from _of_frames(mode)
    yield from _before_there_is_a_job()
    yield from _clears_of_a_success()


def _by_users(operator: Operator, mode: Mode) -> Iterator[Scenario]:
    def scenario(name: str, expect: Figures, *moves: Move, variant: str = "plain", frames: int = ENDLESS) -> Scenario:
        return Scenario(
            f"{name}, {mode}",
            f"{operator}-{mode}-{name.replace(' ', '-')}",
            operator,
            mode,
            variant,
            frames=frames,
            moves=(until_job_is("rendering"), until_task_is("deferred" if mode == "deferred" else "running"), *moves),
            expect=expect,
        )

    yield scenario("marked failed", STOPPED, mark("failed"))
    yield scenario("marked success", DISMISSED, mark("success"))
    yield scenario("marked failed with cancel_on_kill off", LEFT_ALONE, mark("failed"), variant="spared", frames=12)
    yield scenario("cleared", Figures(), clear, frames=8)
    yield scenario("run of the DAG timed out", SKIPPED, variant="hurried")
    if operator == "run":
        yield scenario("cleared to resubmit", Figures(renders=2, canceled=1), clear, variant="resubmit", frames=8)


def _of_frames(mode: Mode) -> Iterator[Scenario]:
    """What ends all rounds, and what goes on with them."""
    rendering = (until_job_is("rendering"), until_task_is("deferred" if mode == "deferred" else "running"))

    def scenario(name: str, expect: Figures, *moves: Move, **more: object) -> Scenario:
        names = (f"{name}, {mode}", f"frames-{mode}-{name.replace(' ', '-')}")
        return Scenario(*names, "frames", mode, moves=(*rendering, *moves), expect=expect, **more)  # type: ignore[arg-type]

    second_round = (until_jobs(2), *rendering)
    yield scenario("marked failed", STOPPED, mark("failed"), frames=ENDLESS)
    yield scenario("cleared", ONCE, clear, frames=8)
    yield scenario("cleared in the second round", IN_TWO_ROUNDS, *second_round, clear, frames=12, lost_at=5)
    yield scenario("own timeout", STOPPED, variant="short", frames=ENDLESS)
    yield scenario("a success cleared", ONCE, until_over, clear)
    left = (mark("failed"), for_seconds(5), run_again)
    yield scenario("left rendering and run again", ONCE, *left, variant="spared", frames=20)


def _by_deadlines(operator: Operator, mode: Mode) -> Iterator[Scenario]:
    def scenario(name: str, variant: str, expect: Figures, frames: int, **more: object) -> Scenario:
        names = (f"{name}, {mode}", f"{operator}-{mode}-{name.replace(' ', '-')}")
        return Scenario(*names, operator, mode, variant, frames=frames, expect=expect, **more)  # type: ignore[arg-type]

    # The job is over without success: an operator that makes jobs orders a new one on retry, and
    # pays, as it says.
    orders = 2 if operator == "run" else 1
    stopped = Figures(state="failed", result=False, renders=orders, canceled=orders)
    yield scenario("own timeout", "short", stopped, ENDLESS)
    yield scenario("own timeout with cancel_on_timeout off", "lenient", Figures(), 30)
    # It completes later than the deadline, by as much as it began late, and before the cancel gets
    # through.
    delayed = (("cancel_job", ("429 retry-after=25", "stall 25")),)
    yield scenario("own timeout as the render completes", "short", Figures(), 20, faults=delayed)
    yield scenario("execution_timeout", "limited", STOPPED, ENDLESS)


def _before_there_is_a_job() -> Iterator[Scenario]:
    for mode in MODES:
        for call in ("put_upload", "create_job"):
            yield Scenario(
                f"marked failed during {call}, {mode}",
                f"run-{mode}-marked-failed-during-{call}",
                "run",
                mode,
                faults=((call, ("stall-after 3",)),),
                moves=(until_request(call), mark("failed")),
                expect=Figures(state="failed", result=False, renders=0),
            )


def _clears_of_a_success() -> Iterator[Scenario]:
    for variant, renders in (("plain", 1), ("resubmit", 2)):
        yield Scenario(
            f"a success cleared, on_clear: {variant}",
            f"run-deferred-success-cleared-{variant}",
            "run",
            "deferred",
            variant,
            moves=(until_over, clear),
            expect=Figures(renders=renders),
        )
    yield Scenario(
        "a success cleared, render operator",
        "render-deferred-success-cleared",
        "render",
        "deferred",
        moves=(until_over, clear),
    )
