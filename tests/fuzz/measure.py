"""One input: what came of it, how long it took, how much memory."""

from __future__ import annotations

import linecache
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.inputs import Chance

SECONDS = 1.0
"""Of processor time for one input. Wall time would count what else the machine does."""
MEMORY = 200 << 20
"""Bytes over what the process has before the first input."""
_ENDLESS = 5.0
"""Seconds of processor time after which an input is broken off."""
_ROOT = str(Path(__file__).parents[2])
_OURS = ("renderjuice_provider", "renderjuice_emulator", "stages")


@dataclass(frozen=True)
class Target:
    """A function of ours, or a few that belong together.

    Attributes:
        name: for the report, and to choose it.
        run: makes an input from chance, hands it over, and asserts what must hold of the result.
        words: whether a `ValueError` that our own code raises is an error of ours, too (stages,
            validators).
        share: of the inputs, in relation to the others: files take longer than texts.
    """

    name: str
    run: Callable[[Chance], Any]
    words: bool = False
    share: float = 1.0


@dataclass
class Report:
    """What came of the inputs of one target."""

    name: str
    inputs: int = 0
    refused: int = 0
    slowest: float = 0.0
    findings: list[str] = field(default_factory=list)


class _Endless(BaseException):
    """Broken off."""


def fuzz(target: Target, inputs: int, *, seed: int = 0, first: int = 0, most: int = 5) -> Report:
    """Hand over `inputs` inputs; the search ends after `most` findings."""
    report = Report(target.name)
    idle = _forget_peak(0)  # whatever ran before in this process
    for number in range(first, first + inputs):
        chance = Chance(f"{target.name} {seed} {number}")
        began = time.process_time()
        problem = ""
        try:
            with _end():
                target.run(chance)
        except _Endless:
            problem = "does not end"
        except Exception as error:  # noqa: BLE001 - which of them are ours is the question
            report.refused += 1
            if not _is_ours(error, words=target.words):
                problem = _described(error)
        report.inputs += 1
        took = time.process_time() - began
        report.slowest = max(report.slowest, took)
        if not problem and took > SECONDS:
            problem = f"took {took:.1f} s"
        if _peak() > idle + MEMORY:
            problem = problem or f"took {(_peak() - idle) >> 20} MiB"
            idle = _forget_peak(idle)
        if problem:
            report.findings.append(f"{target.name} {seed} {number}: {problem}")
            if len(report.findings) >= most:
                break
    return report


def _is_ours(error: Exception, *, words: bool) -> bool:
    """Whether it is of our tree, or, with `words`, a sentence that a `raise` of ours says."""
    if type(error).__module__.startswith(_OURS):
        return True
    where = error.__traceback__
    while where and where.tb_next:
        where = where.tb_next
    if where is None or not words or type(error) is not ValueError:
        return False
    code = where.tb_frame.f_code.co_filename
    line = linecache.getline(code, where.tb_lineno).strip()
    return code.startswith(_ROOT) and "/.venv" not in code and line.startswith("raise ")


def _described(error: Exception) -> str:
    where, lines = error.__traceback__, []
    while where:
        lines.append(f"{Path(where.tb_frame.f_code.co_filename).name}:{where.tb_lineno}")
        where = where.tb_next
    return f"{type(error).__name__}: {str(error)[:150]!a} at {' '.join(lines[-4:])}"


@contextmanager
def _end() -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise _Endless

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, _ENDLESS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _forget_peak(idle: int) -> int:
    """Where the system lets us, the next input begins at what is in use now."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return max(idle, _peak())
