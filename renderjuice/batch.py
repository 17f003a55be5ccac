"""Many walks side by side: a few threads move them on, one poll round looks after all that wait.

A walk that comes to a wait gives its thread back, as a deferred task does in Airflow, and goes on
in any thread once the wait is over. So hundreds of jobs cost a few threads and a few requests.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from renderjuice.budget import Budget
from renderjuice.walks import Walk
from renderjuice_provider.api._flow import Call, Flow, PutFile, Step
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceCeilingError, RenderjuiceError, RenderjuiceJobError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.lifecycle.job_poller import Done, JobPoller, PollDecision
from renderjuice_provider.lifecycle.outcome import Ending
from renderjuice_provider.lifecycle.poll_round import poll_round
from renderjuice_provider.lifecycle.steps import Found, Save, WaitFor, performed

AT_ONCE = 4
"""Walks that are moved on at once: uploads, mostly."""
POLL_INTERVAL = 15.0
"""Seconds between two polls of a job: a person waits."""
_VALIDATION_INTERVAL = 5.0
"""Seconds, for a validation: it is short, and holds up what follows."""
_LONGEST_SLEEP = 0.5
"""Seconds that the main thread sleeps at a time: Ctrl-C is heard between."""
_PATIENCE = 3.0
"""Seconds after Ctrl-C in which calls that are on their way may end, so that it is known what they
have started."""


@dataclass
class _Wait:
    """A walk that waits.

    Attributes:
        walk: which one.
        step: what it waits for.
        poller: decides after each poll.
        due: when to poll next, in seconds since the epoch.
        slack: seconds by which that may be earlier.
    """

    walk: Walk
    step: WaitFor
    poller: JobPoller
    due: float = 0.0
    slack: float = 0.0


@dataclass(frozen=True, order=True)
class _Ready:
    """A walk that can go on. Those with the lowest priority and turn go first."""

    priority: int
    turn: int
    walk: Walk = field(compare=False)
    flow: Callable[[], Flow[Job]] = field(compare=False)


_NEXT_STEP, _FIRST_STEP = range(2)
"""A validated job is rendered before the next scene is uploaded."""
_Result = WaitFor | Job | BaseException


class Batch:
    """Takes walks to their ends.

    Args:
        client: performs the calls.
        walks: in the order in which they begin.
        say: gets each line for people.
        at_once: how many are moved on at once.
        poll_interval: seconds between two polls of a job.
        budget: what all together may spend; None for any number.
        on_end: gets each walk that has ended, in the main thread.
    """

    def __init__(
        self,
        client: RenderjuiceClient,
        walks: Sequence[Walk],
        *,
        say: Callable[[str], None],
        on_end: Callable[[Walk], None],
        at_once: int = AT_ONCE,
        poll_interval: float = POLL_INTERVAL,
        budget: Budget | None = None,
    ) -> None:
        self._client = client
        self._walks = walks
        self._say = say
        self._on_end = on_end
        self._at_once = min(at_once, len(walks))
        self._poll_interval = poll_interval
        self._budget = budget
        self._ready: queue.PriorityQueue[_Ready] = queue.PriorityQueue()
        self._turn = itertools.count()
        self._results: queue.Queue[tuple[Walk, _Result]] = queue.Queue()
        self._waits: list[_Wait] = []
        self._silent_until = 0.0
        self._moving = 0
        self._stopping = threading.Event()

    def run(self) -> None:
        """Return when all have ended.

        Raises:
            KeyboardInterrupt: after Ctrl-C. No walk orders anything after it; what goes on at
                Renderjuice is seen from the walks.
        """
        for _ in range(self._at_once):
            # Not waited for when the program ends: an upload may take an hour.
            threading.Thread(target=self._move_on, daemon=True).start()
        for walk in self._walks:
            self._give(walk, walk.begin, _FIRST_STEP)
        try:
            while self._moving or self._waits:
                self._take_results()
                self._poll()
        except KeyboardInterrupt:
            self._stopping.set()
            until = time.monotonic() + _PATIENCE
            while self._is_ordering() and time.monotonic() < until:
                self._take_results()
            raise
        finally:
            for walk in self._walks:
                walk.end()

    def _give(self, walk: Walk, flow: Callable[[], Flow[Job]], priority: int) -> None:
        self._moving += 1
        self._ready.put(_Ready(priority, next(self._turn), walk, flow))

    # In the threads

    def _move_on(self) -> None:
        while True:
            ready = self._ready.get()
            walk = ready.walk
            result: _Result
            try:
                result = self._client.run(performed(ready.flow(), partial(self._perform, walk)))
            except _WaitsError as parked:
                result = parked.step
            except BaseException as error:  # noqa: BLE001 - the main thread decides about it
                result = error
            self._results.put((walk, result))

    def _perform(self, walk: Walk, step: Step[Any]) -> Flow[Any]:
        match step:
            case Save():
                walk.save(step.record.model_dump())
            case Found():
                walk.seen.job, walk.seen.is_ordering = step.job, False
            case WaitFor():
                raise _WaitsError(step)
            case _:
                if self._stopping.is_set() and not walk.seen.is_ordering:
                    raise _StoppedError
                if isinstance(step, PutFile):
                    walk.seen.doing = "uploading"
                if isinstance(step, Call) and step.path.endswith("/render"):
                    if self._budget is not None:
                        self._budget.check()
                    walk.seen.is_ordering = True
                return (yield from step)
        return None

    # In the main thread

    def _is_ordering(self) -> bool:
        return any(walk.seen.is_ordering and not walk.seen.is_over for walk in self._walks)

    def _take_results(self) -> None:
        due = min((wait.due for wait in self._waits), default=time.time() + _LONGEST_SLEEP)
        pause = min(_LONGEST_SLEEP, max(0.0, due - time.time(), self._silent_until - time.time()))
        try:
            walk, result = self._results.get(timeout=pause) if self._moving else self._sleep(pause)
        except queue.Empty:
            return
        while True:
            self._note(walk, result)
            try:
                walk, result = self._results.get_nowait()
            except queue.Empty:
                return

    @staticmethod
    def _sleep(pause: float) -> tuple[Walk, _Result]:
        time.sleep(pause)
        raise queue.Empty

    def _note(self, walk: Walk, result: _Result) -> None:
        self._moving -= 1
        if isinstance(result, WaitFor):
            poller = self._poller(walk, result)
            due = 0.0 if walk.seen.job is None else time.time() + poller.poll_interval
            self._waits.append(_Wait(walk, result, poller, due, poller.poll_interval / 2))
            return
        if isinstance(result, _StoppedError):
            return
        if isinstance(result, BaseException):
            if not isinstance(result, (RenderjuiceError, OSError)):
                raise result
            walk.seen.error = result
            if isinstance(result, RenderjuiceJobError):
                walk.seen.job = result.job or walk.seen.job
        else:
            walk.seen.job = result
        walk.seen.is_over = True
        if self._budget is not None:
            self._budget.ended(walk, walk.seen.job)
            if isinstance(walk.seen.error, RenderjuiceCeilingError):
                walk.seen.error = self._budget.worded(walk.seen.error, walk)
        walk.end()
        self._on_end(walk)

    def _poller(self, walk: Walk, step: WaitFor) -> JobPoller:
        interval = self._poll_interval
        if step.target == JobStatus.VALIDATED:
            interval = min(interval, _VALIDATION_INTERVAL)
        return _Watched(walk, self._budget, **asdict(step), poll_interval=interval)

    def _poll(self) -> None:
        now = time.time()
        if now < self._silent_until or all(wait.due > now for wait in self._waits):
            return
        due = {wait.poller: wait for wait in self._waits if wait.due - wait.slack <= now}
        for flow in poll_round(self._client.operations, list(due)):
            for poller, decision in self._client.run(flow):
                self._decided(due[poller], decision)

    def _decided(self, wait: _Wait, decision: PollDecision) -> None:
        left = wait.walk.seen.words_left(time.time())
        if decision.log_line:  # it names the job by its id, as the log of one task does
            line = decision.log_line.replace(f"Job {wait.step.job_id}", wait.walk.seen.name, 1)
            self._say(f"{line}, {left}" if left else line)
        if isinstance(decision, Done):
            self._waits.remove(wait)
            wait.walk.seen.timed_out = decision.outcome.ending is Ending.TIMED_OUT
            go_on = partial(wait.walk.resumed, decision.outcome, asdict(wait.step))
            self._give(wait.walk, go_on, _NEXT_STEP)
            return
        now = time.time()
        wait.due, wait.slack = now + decision.pause, decision.slack
        self._silent_until = max(self._silent_until, now + decision.retry_after)


class _Watched(JobPoller):
    """A poller whose job can be seen, and is stopped when all together have spent too much."""

    def __init__(self, walk: Walk, budget: Budget | None, job_id: str, target: str, **times: Any) -> None:
        if budget is not None:
            times["most"] = budget.most
        super().__init__(job_id, target, **times)
        self._walk = walk
        self._seen = walk.seen
        self._budget = budget

    def on_job(self, job: Job, progress: Progress | None, now: float) -> PollDecision:
        self._seen.job, self._seen.trouble = job, None
        self._seen.progress = progress or self._seen.progress
        self._seen.pace.note(progress.frames_done if progress else None, now)
        if self._budget is not None and self._ceiling is not None:
            self._budget.seen(self._walk, job, self._ceiling.spent(job, now))
            self._ceiling.most = self._budget.most_of(self._walk)
        return super().on_job(job, progress, now)

    def on_error(self, error: RenderjuiceError, now: float) -> PollDecision:
        self._seen.trouble = error
        return super().on_error(error, now)


class _WaitsError(BaseException):
    """The walk has come to a wait, and its thread is free."""

    def __init__(self, step: WaitFor) -> None:
        self.step = step


class _StoppedError(BaseException):
    """Nothing more is to be ordered."""
