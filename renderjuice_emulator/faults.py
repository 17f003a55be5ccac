"""Faults in order, per operation: short texts, parsed strictly.

| text | what happens |
| --- | --- |
| `ok` | nothing: this request is spared |
| `429`, `503`, any 4xx or 5xx | that answer, the work is not done |
| `429 retry-after=2` | the same with a `Retry-After` header: seconds, or an HTTP date |
| `html 502` | that answer with a page of HTML, as a proxy gives |
| `nonsense` | 200 with a page of HTML; the work is not done |
| `json {"a": 1}` | 200 with this JSON; the work is not done |
| `redirect https://elsewhere.test/` | 307 to that address |
| `expired` | what the store says of an expired URL; storage operations only |
| `reset-before`, `reset-after` | a TCP reset instead of an answer, before or after the work was done |
| `stall 5`, `stall-after 5` | so many real seconds before the work, or between the work and the answer |
| `truncate` | the work is done; the answer's Content-Length promises more than is sent |
| `kill-before`, `kill-after` | SIGKILL for the local process that asked, before or after the work was done |

Faults may be limited to the requests that concern one uploaded file, by its name: of many jobs at once, one is disturbed.

For the operation `webhook`, which the emulator sends rather than answers: `429`, `503` and so on count the delivery as
refused after it was made, `reset-before` loses it, `reset-after` loses the receiver's answer, `stall 5` delays it, and
`nonsense` delivers a body that is no JSON.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from dataclasses import dataclass
from typing import Literal

from renderjuice_emulator.operations import OPERATIONS, STORAGE_OPERATIONS

_ABOUT_NO_FILE = frozenset({"list_jobs", "list_progress"})

FaultKind = Literal[
    "ok",
    "status",
    "html",
    "nonsense",
    "json",
    "redirect",
    "expired",
    "reset-before",
    "reset-after",
    "stall",
    "stall-after",
    "truncate",
    "kill-before",
    "kill-after",
]
_PLAIN: frozenset[FaultKind] = frozenset(
    {"ok", "nonsense", "expired", "reset-before", "reset-after", "truncate", "kill-before", "kill-after"}
)
_WEBHOOK_KINDS = frozenset({"ok", "status", "reset-before", "reset-after", "stall", "nonsense"})
_STATUS = re.compile(r"([45]\d\d)(?: retry-after=(\S.*))?")
_HTML = re.compile(r"html ([45]\d\d)")
_STALL = re.compile(r"(stall|stall-after) (\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Fault:
    """One fault, parsed. `text` is how it was written."""

    kind: FaultKind
    text: str
    status: int = 200
    retry_after: str | None = None
    seconds: float = 0.0
    """Real seconds."""
    body: str = ""
    """The JSON, or the address of a redirect."""

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read one fault; `ValueError` for what is none."""
        for kind in _PLAIN:
            if text == kind:
                return cls(kind, text)
        if match := _STATUS.fullmatch(text):
            return cls("status", text, int(match[1]), match[2])
        if match := _HTML.fullmatch(text):
            return cls("html", text, int(match[1]))
        if match := _STALL.fullmatch(text):
            return cls("stall" if match[1] == "stall" else "stall-after", text, seconds=float(match[2]))
        if text.startswith("json "):
            _check_json(text)
            return cls("json", text, body=text[5:])
        if text.startswith("redirect ") and text[9:].startswith(("http://", "https://")):
            return cls("redirect", text, 307, body=text[9:])
        raise ValueError(f"{text!r} is no fault; see renderjuice_emulator.faults")


def _check_json(text: str) -> None:
    try:
        json.loads(text[5:])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{text[:80]!r} is followed by no JSON: {error}") from None


class Faults:
    """A queue of faults for each operation; each request takes the next of its operation's. Safe from any thread.

    A file's own queue goes before the operation's: while it has faults, requests about that file take from it alone.
    """

    def __init__(self) -> None:
        self._queues: dict[tuple[str, str | None], deque[Fault]] = {}
        self._lock = threading.Lock()

    def add(self, operation: str, *faults: str, file_name: str | None = None) -> None:
        """Queue faults for an operation, in this order. All are checked before any is queued.

        Args:
            operation: one of `OPERATIONS`.
            faults: see this module.
            file_name: only for requests that concern an upload of this name.

        Raises:
            ValueError: for an unknown operation or fault, or one that this operation cannot have.
        """
        if operation not in OPERATIONS:
            raise ValueError(f"{operation!r} is no operation; there are {', '.join(OPERATIONS)}")
        if file_name is not None and operation in _ABOUT_NO_FILE:
            raise ValueError(f"{operation} concerns no single file")
        parsed = [Fault.parse(text) for text in faults]
        for fault in parsed:
            if fault.kind == "expired" and operation not in STORAGE_OPERATIONS:
                raise ValueError(f"only URLs of the store expire, not {operation}")
            if operation == "webhook" and fault.kind not in _WEBHOOK_KINDS:
                raise ValueError(f"a webhook cannot have the fault {fault.text!r}")
        with self._lock:
            self._queues.setdefault((operation, file_name), deque()).extend(parsed)

    def take(self, operation: str, file_name: str | None = None) -> Fault | None:
        """The next fault for a request; None when it is spared."""
        with self._lock:
            queue = self._queues.get((operation, file_name)) or self._queues.get((operation, None))
            fault = queue.popleft() if queue else None
        return None if fault is None or fault.kind == "ok" else fault

    def left(self) -> dict[str, list[str]]:
        """What has not been met yet, by operation, or by operation and file (`get_job shot.blend`): `{}` when every fault was."""
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
