"""What was asked of the emulator, and what it would have cost."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import Any

from renderjuice_emulator.clock import Clock
from renderjuice_emulator.states import RENDER_RUNS


@dataclass
class Entry:
    """One request. Queries, bodies and keys are never kept: a signed URL is a secret."""

    sequence: int
    time: float
    """Emulated seconds since 1970."""
    operation: str
    method: str
    path: str
    had_authorization: bool
    job_id: str | None = None
    file_name: str | None = None
    """The name under which the file was uploaded, where the request concerns one."""
    status: int | None = None
    """What was answered; None while the work goes on, or when the answer never left."""
    fault: str | None = None
    peer_pid: int | None = None
    """The process that sent it, known only where a fault had to find it."""


@dataclass
class Account:
    """The money view of one job."""

    job_id: str
    file_name: str
    sha256: str
    """Of the uploaded content."""
    status: str = "created"
    renders_started: int = 0
    """Real starts; a replay starts nothing."""
    replays: int = 0
    canceled: bool = False
    frames_rendered: int = 0
    """Frames that were billed, also those that a mishap dropped or damaged."""
    normalized_seconds: float = 0.0


class Ledger:
    """Every request in the order of arrival, and an account for every job."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sequence = itertools.count(1)
        self.entries: list[Entry] = []
        self.accounts: dict[str, Account] = {}

    def open(self, operation: str, method: str, path: str, *, had_authorization: bool) -> Entry:
        """Note a request that has just arrived."""
        entry = Entry(next(self._sequence), self._clock.timestamp(), operation, method, path, had_authorization)
        self.entries.append(entry)
        return entry

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self.accounts.clear()

    def count(self, operation: str, *, job_id: str | None = None, status: int | None = None) -> int:
        """How many requests there were for an operation, of one job or status where given."""
        return sum(
            entry.operation == operation and job_id in {None, entry.job_id} and status in {None, entry.status}
            for entry in list(self.entries)
        )

    def renders_started(
        self, job_id: str | None = None, *, file_name: str | None = None, sha256: str | None = None
    ) -> int:
        """How many paid renders were started.

        Of all jobs, of one job, or of all jobs made from one file: by its name, its content, or
        both.
        """
        return sum(
            account.renders_started
            for account in list(self.accounts.values())
            if job_id in {None, account.job_id}
            and file_name in {None, account.file_name}
            and sha256 in {None, account.sha256}
        )

    def jobs_left_running(self) -> list[str]:
        """The ids of jobs whose render was started and has not ended: what still costs money."""
        return [account.job_id for account in list(self.accounts.values()) if account.status in RENDER_RUNS]

    def to_json(self) -> dict[str, Any]:
        """The whole ledger, for the control routes."""
        return {
            "requests": [asdict(entry) for entry in self.entries],
            "jobs": [asdict(account) for account in self.accounts.values()],
            "rendersStarted": self.renders_started(),
            "jobsLeftRunning": self.jobs_left_running(),
        }
