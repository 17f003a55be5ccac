"""Faults in order, per operation, until a request meets them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping

from renderjuice_emulator.faults.base import Fault
from renderjuice_emulator.faults.responses import Ok
from renderjuice_emulator.routing import Operation


class Faults:
    """A queue of faults for each operation; each request takes the next. Safe from any thread.

    A file's own queue goes before the operation's: while it has faults, requests about that file
    take from it alone. So one of many jobs can be disturbed.

    Args:
        operations: what faults can be queued for, by name.
    """

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations
        self._queues: dict[tuple[str, str | None], deque[Fault]] = {}
        self._lock = threading.Lock()

    def add(self, operation: str, *faults: str, file_name: str | None = None) -> None:
        """Queue faults for an operation, in this order. All are checked before any is queued.

        Args:
            operation: the name of one of `renderjuice_emulator.operations.OPERATIONS`.
            faults: texts as `renderjuice_emulator.faults` reads them.
            file_name: only for requests that concern an upload of this name.

        Raises:
            ValueError: for an unknown operation or fault, or one that this operation cannot have.
        """
        if operation not in self._operations:
            raise ValueError(f"{operation!r} is not an operation; there are {', '.join(self._operations)}")
        if file_name is not None and not self._operations[operation].concerns_one_file:
            raise ValueError(f"{operation} concerns no single file")
        parsed = [Fault.parse(text) for text in faults]
        for fault in parsed:
            if fault.at_store_only and not self._operations[operation].at_store:
                raise ValueError(f"only URLs of the store expire, not {operation}")
            if operation == "webhook" and not fault.webhook:
                raise ValueError(f"a webhook cannot have the fault {fault.text!r}")
        with self._lock:
            self._queues.setdefault((operation, file_name), deque()).extend(parsed)

    def take(self, operation: str, file_name: str | None = None) -> Fault:
        """The next fault for a request; `ok` when none is queued."""
        with self._lock:
            queue = self._queues.get((operation, file_name)) or self._queues.get((operation, None))
            return queue.popleft() if queue else Ok("ok")

    def left(self) -> dict[str, list[str]]:
        """What has not been met yet, by operation, or by operation and file (`get_job shot.blend`).

        `{}` when every fault was met.
        """
        with self._lock:
            return {
                f"{operation} {name}" if name is not None else operation: [fault.text for fault in queue]
                for (operation, name), queue in self._queues.items()
                if queue
            }

    def clear(self) -> None:
        """Forget what has not been met."""
        with self._lock:
            self._queues.clear()
