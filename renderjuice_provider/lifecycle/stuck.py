"""Stuck is not slow: a job of which no new frame is seen for many times the usual time per frame.

Pure, and one for each wait of a job. Time counts only between two looks that find it rendering,
with a count of its frames: never a queue, a pause, or an outage of the API; and not more for each
look than two poll intervals, so that a clock that jumps makes no job stuck.

What is usual is the longest of what is known: the time that the caller gives, the median of the
times between new frames, and the normalized seconds per frame. So frames that are reported in
bursts, and many machines of which the last one still renders, are not stuck.

Source: the job-lifecycle page, on progress. A Renderjuice that counts no frames has no stuck jobs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.progress import Progress

LOADING = 600.0
"""Seconds before the first frame in which no job is stuck: the farm loads its scene first."""
FEWEST = 3
"""Times between new frames, or frames of a job that is first seen half-way, from which it is known
what is usual for it."""
_LOOK = 2.0
"""Poll intervals that one look counts, at most."""


@dataclass(frozen=True)
class Patience:
    """How long a job may go without a new frame.

    Attributes:
        times: of the usual time per frame.
        seconds_per_frame: what a frame of this shot usually takes one machine; None where nobody
            knows.
        cancels: whether a stuck job is cancelled, or only reported.
    """

    times: float
    seconds_per_frame: float | None = None
    cancels: bool = False


class Silence(NamedTuple):
    """For how many seconds no new frame was seen, and after how many one usually is."""

    seconds: float
    usual: float


@dataclass
class FrameWatch:
    """Sees whether one job is stuck.

    Attributes:
        patience: of the task.
        poll_interval: seconds between two looks: nothing is known more finely.
        started: when the wait began, in seconds since the epoch. By it a job is judged that is
            first seen half-way, since the process before has died: it may be silent as long as all
            its frames have taken.
    """

    patience: Patience
    poll_interval: float
    started: float
    _looked: float | None = None
    _silent: float = 0.0
    _most: int | None = None
    _seen: set[int] = field(default_factory=set)
    _gaps: list[float] = field(default_factory=list)
    _first: float = 0.0
    _on_average: float | None = None
    _by_machine: float | None = None

    def look(self, job: Job, progress: Progress | None, now: float) -> Silence | None:
        """The silence of a job that is stuck; None of one that is not.

        Args:
            job: as it is.
            progress: its counters; None where there are none.
            now: in seconds since the epoch.
        """
        passed = 0.0 if self._looked is None else now - self._looked
        self._looked = now
        done = progress.frames_done if progress else None
        if job.status != JobStatus.RENDERING or progress is None or done is None:
            return None
        self._silent += min(max(0.0, passed), _LOOK * self.poll_interval)
        self._count(job, done, now)
        if progress.frames_total is not None and done >= progress.frames_total:
            return None
        usual = self._usual()
        longest = 0.0 if self._most else LOADING
        is_stuck = usual is not None and self._silent > max(self.patience.times * usual, longest)
        return Silence(self._silent, usual) if usual is not None and is_stuck else None

    def _count(self, job: Job, done: int, now: float) -> None:
        """A count that goes back is a sign of life, too, but each number only once.

        Of two servers one may lag behind.
        """
        if self._most is not None and done <= self._most:
            if done not in self._seen:
                self._seen.add(done)
                self._silent = 0.0
            return
        if self._most is None and done >= FEWEST:
            self._on_average = max(0.0, now - self.started) / min(done, self.patience.times)
        elif self._most:
            self._gaps.append(self._silent)
        else:
            self._first = self._silent
        if done and job.normalized_seconds is not None:
            self._by_machine = job.normalized_seconds / done
        self._most, self._seen, self._silent = done, {done}, 0.0

    def _usual(self) -> float | None:
        is_shown = len(self._gaps) >= FEWEST
        own = median(self._gaps) if is_shown else self._on_average
        known = [each for each in (self.patience.seconds_per_frame, own, self._by_machine) if each is not None]
        few = 0.0 if is_shown else max(self._first, *self._gaps, 0.0)  # this night may be a slow one
        return max(*known, few, self.poll_interval) if known else None
