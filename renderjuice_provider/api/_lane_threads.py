"""Performs flows that move files side by side, each lane in a thread of its own.

Both wires use it. `renderjuice_provider.api._lanes` says how many lanes there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from threading import Event, Lock, Thread, current_thread
from typing import Generic, TypeVar

from renderjuice_provider.api._attempt import Breakable
from renderjuice_provider.api._flow import Flow, NoResponse, Response
from renderjuice_provider.api._lanes import Lanes

T = TypeVar("T")


class StoppedError(Exception):
    """Ends a flow whose result nobody waits for any more."""


class LaneThreads(Generic[T]):
    """One gathering of files. A first failure ends it.

    Args:
        flows: each is taken from here when its turn comes.
        lanes: how many are performed at once.
        perform: performs one of them in the calling thread, by way of `transfer` and `pause`.
    """

    def __init__(self, flows: Iterable[Flow[T]], lanes: Lanes, perform: Callable[[Flow[T], LaneThreads[T]], T]) -> None:
        self._left = iter(enumerate(flows))
        self._lanes = lanes
        self._perform = perform
        self._lock = Lock()
        self._open: set[Thread] = set()
        self._moving: dict[Thread, Breakable] = {}
        self._last_is_taken = self._is_over = False
        self._stopped = Event()
        self._failure: BaseException | None = None
        self._results: dict[int, T] = {}
        self._done: Future[list[T]] = Future()

    def start(self) -> Future[list[T]]:
        """Begin. Once no lane is left, the future holds the results in order, or a failure."""
        with self._lock:
            self._open_lanes()
        return self._done

    def stop(self) -> bool:
        """Take no more flows, and break off those that run.

        Returns:
            Whether to wait for the future: a thread that still connects is left to itself.
        """
        self._stopped.set()
        with self._lock:
            self._open -= {lane for lane, current in self._moving.items() if not current.break_off()}
            return bool(self._open)

    def transfer(self, move: Callable[[], Response | NoResponse], current: Breakable) -> Response | NoResponse:
        """The outcome of `move`, one attempt at a file; how it went decides about the lanes.

        Raises:
            StoppedError: when the gathering was stopped.
        """
        lane = current_thread()
        with self._lock:
            if self._stopped.is_set():
                raise StoppedError
            self._moving[lane] = current
            began = self._lanes.begin()
        try:
            outcome = move()
        finally:
            with self._lock:
                del self._moving[lane]
        with self._lock:
            self._lanes.end(began, outcome)
            self._open_lanes()
        return outcome

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            StoppedError: when the gathering was stopped.
        """
        if self._stopped.wait(seconds):
            raise StoppedError

    def _open_lanes(self) -> None:
        while len(self._open) < self._lanes.width and not (self._last_is_taken or self._stopped.is_set()):
            lane = Thread(target=self._lane, name="renderjuice-lane", daemon=True)
            self._open.add(lane)
            try:
                lane.start()
            except RuntimeError:  # this machine allows no more threads
                self._open.discard(lane)
                if not self._open:
                    raise
                return

    def _lane(self) -> None:
        lane = current_thread()
        try:
            while taken := self._next():
                place, flow = taken
                self._results[place] = self._perform(flow, self)
        except BaseException as error:  # noqa: BLE001 - it is raised where the results are awaited
            with self._lock:
                self._failure = self._failure or error
            self.stop()
        with self._lock:
            self._open.discard(lane)
            over = not (self._open or self._is_over)
            self._is_over |= over
        if over:
            self._finish()

    def _next(self) -> tuple[int, Flow[T]] | None:
        """The next flow for a lane; None when there is none, or one lane too many."""
        with self._lock:
            if self._last_is_taken or self._stopped.is_set():
                return None
            if len(self._open) > self._lanes.width:
                self._open.discard(current_thread())  # at once, or all lanes would close
                return None
            taken = next(self._left, None)
            self._last_is_taken = taken is None
            return taken

    def _finish(self) -> None:
        if self._failure is not None:
            self._done.set_exception(self._failure)
        elif self._stopped.is_set():
            self._done.set_exception(StoppedError())
        else:
            self._done.set_result([self._results[place] for place in range(len(self._results))])
