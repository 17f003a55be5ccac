"""How many files are on their way at once: found out while they move, a pure decision.

A lane is one file on its way at a time. A store that is far away leaves each lane waiting most of
the time, so more of them are faster; on a wire, a disk or a processor that is full, each further
one makes all slower. So the files themselves are timed: as long as as many more lanes move
distinctly more, there is room for yet more. A store that refuses (429, 503) or drops connections
gets half of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

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
_TOO_MANY = frozenset({429, 503})


class Lanes:
    """The number of lanes, for one gathering of files.

    A round is over when as many files have ended as there are lanes.

    Args:
        most: lanes at most, at least 1.
        clock: in seconds.

    Attributes:
        width: how many lanes there may be now.
    """

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self.width = min(FEWEST, most)
        self._fewest, self._most, self._clock = self.width, most, clock
        self._changed = clock()
        self._narrower = (self.width, 0.0, 0.0)  # fewer lanes, and what they moved in a second
        self._quiet = 0
        self._ended: list[tuple[float, int]] = []

    def begin(self) -> float:
        """When a file began; to be given to `end`."""
        return self._clock()

    def end(self, began: float, outcome: Response | NoResponse) -> None:
        """Note what became of one attempt at a file that began at `began`."""
        if began < self._changed:
            return  # it moved beside another number of files
        if _is_too_much(outcome):
            fewer = max(self._fewest, self.width // 2)
            self._narrower = (fewer, 0.0, 0.0)
            self._change(fewer, _QUIET_ROUNDS)
        elif isinstance(outcome, Response) and outcome.received:
            self._ended.append((max(self._clock() - began, 1e-6), outcome.received.size))
            if len(self._ended) >= self.width:
                self._round()

    def _round(self) -> None:
        """Decide about the number, now that as many files have ended as there are lanes."""
        ended, self._ended = self._ended, []
        seconds = sum(each for each, _ in ended)
        files, size = self.width * len(ended) / seconds, self.width * sum(each for _, each in ended) / seconds
        narrower, fewer_files, less = self._narrower
        worth = 1 + _WORTH * (self.width / narrower - 1)
        if self._quiet:
            self._quiet -= 1
        elif files < worth * fewer_files and size < worth * less:
            self._narrower = (narrower, 0.0, 0.0)
            self._change(narrower, _QUIET_ROUNDS)
        elif self.width < self._most:
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
