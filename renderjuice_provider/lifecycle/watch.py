"""The wait as a flow: look, ask for a decision, pause, look again. Either client performs it."""

from __future__ import annotations

from collections.abc import Callable

from renderjuice_provider.api._flow import Flow, Pause
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.lifecycle.job_poller import Done, JobPoller
from renderjuice_provider.lifecycle.outcome import Outcome
from renderjuice_provider.lifecycle.polling import poll


def watch(operations: Operations, wait: JobPoller, say: Callable[[str], None]) -> Flow[Outcome]:
    """Watch the job until `wait` is over; `say` gets every line that belongs in the task's log."""
    while True:
        decision = yield from poll(operations, wait)
        if decision.news:
            say(decision.news)
        if isinstance(decision, Done):
            return decision.outcome
        yield Pause(decision.pause)
