"""What the scheduler and the API server go through during a run."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Self

import httpx

LOUD = {"AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow.jobs.scheduler_job_runner=DEBUG"}
"""Setting with which a scheduler logs how long each of its rounds took."""
_ROUND = re.compile(r"Ran scheduling loop in ([\d.]+) ms")
_DEATHS = re.compile(
    r"Detected a task instance without a heartbeat|Task stuck in queued|Reset the following \d+ orphaned"
    r"|finished with state \w+, but the task instance's state attribute is"
)
"""What a scheduler logs when it takes a task for dead, lost, or ended from outside."""


def scheduler_rounds(log: Path) -> list[float]:
    """Seconds that each round of the scheduler took, in order."""
    return [float(found) / 1000 for found in _ROUND.findall(log.read_text(errors="replace"))]


def tasks_taken_for_dead(log: Path) -> list[str]:
    """The lines of the scheduler's log that say so; each of them also goes to the task's log."""
    lines = log.read_text(errors="replace").splitlines()
    return [line for line in lines if _DEATHS.search(line) and "[airflow.task]" not in line]


class Asking:
    """Asks an Airflow every second whether it is well. A context manager.

    Attributes:
        longest: seconds that an answer took at most. One that did not come within `PATIENCE` counts
            with that.
        asked: how often it was asked.
    """

    PATIENCE = 120.0

    def __init__(self, url: str) -> None:
        self.longest = 0.0
        self.asked = 0
        self._url = f"{url}/api/v2/monitor/health"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="asking", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _ask(self) -> None:
        with httpx.Client(timeout=self.PATIENCE) as http:
            while not self._over.wait(1):
                began = time.monotonic()
                try:
                    http.get(self._url)
                    took = time.monotonic() - began
                except httpx.HTTPError:
                    took = max(time.monotonic() - began, self.PATIENCE)
                if not self._over.is_set():  # what is cut off at the end is no stall
                    self.longest, self.asked = max(self.longest, took), self.asked + 1
