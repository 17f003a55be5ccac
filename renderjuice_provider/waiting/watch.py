"""The wait as a flow: look, ask for a verdict, pause, look again. Either client performs it."""

from __future__ import annotations

from collections.abc import Callable

from renderjuice_provider.api.flow import Flow, Pause
from renderjuice_provider.api.protocol import Protocol
from renderjuice_provider.waiting.job_wait import JobWait, Over
from renderjuice_provider.waiting.look import look
from renderjuice_provider.waiting.outcome import Outcome


def watch(protocol: Protocol, wait: JobWait, say: Callable[[str], None]) -> Flow[Outcome]:
    """Watch the job until `wait` is over; `say` gets every line that belongs in the task's log."""
    while True:
        verdict = yield from look(protocol, wait)
        if verdict.news:
            say(verdict.news)
        if isinstance(verdict, Over):
            return verdict.outcome
        yield Pause(verdict.pause)
