"""How many files are on their way at once: found out while they move, a pure decision.

A lane is one file on its way at a time. A store that is far away leaves each lane waiting most of
the time, so more of them are faster; on a wire, a disk or a processor that is full, each further
one makes all slower. So the files themselves are timed: as long as as many more lanes move
distinctly more, there is room for yet more. A store that refuses (429, 503) or drops connections
gets half of them. While this machine's own processors are the limit, no number is better, and how
fast files are says little, so there are no more lanes then.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

from renderjuice_provider.api._flow import NoResponse, Response

FEWEST = 4
"""Lanes at the beginning: enough to hide some latency, few enough for any rate limit."""
MOST = 64
"""Lanes at most, unless the client says otherwise: 80 ms away, 16 reach a third of it."""
_WIDER = 4
"""Times as many lanes, as long as they were worth it."""
_WORTH = 0.1
"""The part of what more lanes could move at best that they must move to stay."""
_QUIET_ROUNDS = 32
"""Rounds without more lanes after more were of no use, or too many."""
_BUSY = 0.4
"""The part of all processors that the lanes may use and still become more. Of two processors, the
store, the kernel and whatever else runs here then have the rest."""
_TOO_MANY = frozenset({429, 503})


class Began(NamedTuple):
    """When an attempt at a file began: by the clock, and by the processor time of its thread."""

    clock: float
    processor: float


class Lanes:
    """The number of lanes, for one gathering of files.

    A round is over when as many files have ended as there are lanes.

    Args:
        most: lanes at most, at least 1.
        clock: in seconds.
        processor: seconds of processor time that the calling thread has used.
        processors: of this machine.

    Attributes:
        width: how many lanes there may be now.
    """

    def __init__(
        self,
        most: int = MOST,
        clock: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.thread_time,
        processors: int | None = os.cpu_count(),
    ) -> None:
        self.width = min(FEWEST, most)
        self._processor, self._enough = processor, _BUSY * (processors or 1)
        self._fewest, self._most, self._clock = self.width, most, clock
        self._changed = clock()
        self._narrower = (self.width, 0.0, 0.0)  # fewer lanes, and what they moved in a second
        self._quiet = 0
        self._ended: list[tuple[float, float, int]] = []

    def begin(self) -> Began:
        """When a file began; to be given to `end`, by the same thread."""
        return Began(self._clock(), self._processor())

    def end(self, began: Began, outcome: Response | NoResponse) -> None:
        """Note what became of one attempt at a file that began at `began`."""
        if began.clock < self._changed:
            return  # it moved beside another number of files
        if _is_too_much(outcome):
            fewer = max(self._fewest, self.width // 2)
            self._narrower = (fewer, 0.0, 0.0)
            self._change(fewer, _QUIET_ROUNDS)
        elif isinstance(outcome, Response) and outcome.received:
            used = self._processor() - began.processor
            self._ended.append((max(self._clock() - began.clock, 1e-6), used, outcome.received.size))
            if len(self._ended) >= self.width:
                self._round()

    def _round(self) -> None:
        """Decide about the number, now that as many files have ended as there are lanes."""
        ended, self._ended = self._ended, []
        seconds, processor, moved = map(sum, zip(*ended, strict=True))
        files, size, busy = (self.width * amount / seconds for amount in (len(ended), moved, processor))
        narrower, fewer_files, less = self._narrower
        worth = 1 + _WORTH * (self.width / narrower - 1)
        if self._quiet:
            self._quiet -= 1
        elif files < worth * fewer_files and size < worth * less:
            self._narrower = (narrower, 0.0, 0.0)
            self._change(narrower, _QUIET_ROUNDS)
        elif self.width < self._most and busy < self._enough:
            self._narrower = (self.width, files, size)
            self._change(min(self._most, _WIDER * self.width))

    def _change(self, width: int, quiet: int = 0) -> None:
        if width != self.width:
            self.width, self._changed, self._ended = width, self._clock(), []
        self._quiet = quiet


def _is_too_much(outcome: Response | NoResponse) -> bool:
    if isinstance(outcome, Response):
        return outcome.status in _TOO_MANY
    return outcome.transient
