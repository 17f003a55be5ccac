"""Performs flows that move files side by side, each lane in a thread of its own.

Both wires use it. `renderjuice_provider.api._lanes` says how many lanes there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

from renderjuice_provider.api._flow import Flow, NoResponse, Response
from renderjuice_provider.api._lanes import Lanes

T = TypeVar("T")


class StoppedError(Exception):
    """Ends a flow whose results nobody waits for any more."""


class LaneThreads(Generic[T]):
    """One gathering of files.

    Args:
        flows: each is taken from here when its turn comes.
        lanes: how many are performed at once.
        perform: performs one of them in the calling thread, and calls `transfer` and `pause`.
    """

    def __init__(self, flows: Iterable[Flow[T]], lanes: Lanes, perform: Callable[[Flow[T], LaneThreads[T]], T]) -> None:
        self._left = iter(enumerate(flows))
        self._lanes = lanes
        self._perform = perform
        self._lock = Lock()
        self._open = 0
        self._last_is_taken = False
        self._stopped = Event()
        self._failure: BaseException | None = None
        self._results: dict[int, T] = {}
        self._done: Future[list[T]] = Future()

    def start(self) -> Future[list[T]]:
        """Begin. Once no lane is left, the future holds the results in order, or a failure."""
        with self._lock:
            self._open_lanes()
        return self._done

    def stop(self) -> None:
        """Take no more flows, and end the pauses of those that run."""
        self._stopped.set()

    def transfer(self, move: Callable[[], Response | NoResponse]) -> Response | NoResponse:
        """The outcome of `move`, one attempt at a file; how it went decides about the lanes."""
        began = self._lanes.begin()
        outcome = move()
        with self._lock:
            self._lanes.end(began, outcome)
            self._open_lanes()
        return outcome

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            StoppedError: when the gathering was stopped meanwhile.
        """
        if self._stopped.wait(seconds):
            raise StoppedError

    def _open_lanes(self) -> None:
        while self._open < self._lanes.width and not self._is_over():
            self._open += 1
            Thread(target=self._lane, name="renderjuice-lane", daemon=True).start()

    def _is_over(self) -> bool:
        return self._last_is_taken or self._failure is not None or self._stopped.is_set()

    def _lane(self) -> None:
        while taken := self._next():
            place, flow = taken
            try:
                self._results[place] = self._perform(flow, self)
            except BaseException as error:  # noqa: BLE001 - it is raised where the results are awaited
                self._fail(error)

    def _next(self) -> tuple[int, Flow[T]] | None:
        """The next flow for a lane; None closes it."""
        with self._lock:
            if self._open <= self._lanes.width and not self._is_over():
                try:
                    taken = next(self._left, None)
                except BaseException as error:  # noqa: BLE001 - likewise
                    self._failure = error
                    taken = None
                if taken is not None:
                    return taken
                self._last_is_taken = True
            self._open -= 1
            over = self._open == 0
        if over:
            self._finish()
        return None

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._failure = self._failure or error
        self._stopped.set()

    def _finish(self) -> None:
        if self._failure is not None:
            self._done.set_exception(self._failure)
        elif self._stopped.is_set():
            self._done.set_exception(StoppedError())
        else:
            self._done.set_result([self._results[place] for place in range(len(self._results))])
