"""Driving flows by hand: no wire, no time."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from renderjuice_provider.api._flow import (
    Call,
    FetchFile,
    Gather,
    NoResponse,
    Pause,
    PutFile,
    Received,
    Response,
    RunInThread,
)
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.retry import RetryPolicy

KEY = "RJ-key"
START = datetime(2026, 1, 1, tzinfo=UTC)
MOST_STEPS = 20_000


class Clock:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def operations_of(clock: Callable[[], datetime] | None = None, attempts: int = 3) -> Operations:
    policy = RetryPolicy(attempts, jitter=random.Random(0).random)
    return Operations(KEY, policy, now=clock or Clock())


def drive(
    flow: Any, reply: Callable[[Any], Response | NoResponse], clock: Clock | None = None
) -> tuple[Any, list[Any]]:
    """The flow's result, and the steps it took.

    Files are not moved, pauses take no time, and no flow goes on for ever.
    """
    steps: list[Any] = []

    def perform(step: Any) -> Any:
        steps.append(step)
        assert len(steps) < MOST_STEPS, "this flow does not end"
        match step:
            case Call() | PutFile():
                return reply(step)
            case FetchFile():
                return _fetched(reply(step))
            case RunInThread():
                return step.work()
            case Gather():
                return [run(inner) for inner in step.flows]
        assert isinstance(step, Pause)
        assert step.seconds >= 0
        if clock:
            clock.now += timedelta(seconds=step.seconds)
        return None

    def run(flow: Any) -> Any:
        outcome = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as stop:
                return stop.value
            outcome = perform(step)

    return run(flow), steps


def _fetched(answer: Response | NoResponse) -> Response | NoResponse:
    if isinstance(answer, Response) and answer.status == 200:
        return Response(200, answer.headers, received=Received(1, "00"))
    return answer


class Nowhere:
    """A destination that keeps nothing."""

    def partial_file(self, place: Any) -> Path:
        return Path("/nonexistent-renderjuice") / place

    def keep(self, partial_file: Path, place: Any) -> None:
        pass
