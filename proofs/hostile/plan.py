"""What each task waits for: each wait is one task, and says what has to become of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from proofs.hostile import answers

CONNECTIONS = tuple(f"hostile_{number}" for number in range(4))
"""Each has a poll loop of its own in the triggerer."""
INNOCENT = "innocent"
DEADLINE = 40.0
"""Seconds until the end of those waits that only their deadline ends."""
_LONG = 900.0


@dataclass(frozen=True)
class Wait:
    """One task.

    Attributes:
        task: the arguments of its operator, and its `kind`.
        kinds: what is answered about its job.
        ends: the state that it has to end with.
    """

    task: Mapping[str, Any]
    kinds: tuple[tuple[str, answers.Answer], ...]
    ends: str

    @property
    def job_id(self) -> str:
        """Its job."""
        return str(self.task["job_id"])


def waits() -> dict[str, list[Wait]]:
    """All that are hostile, by how they end.

    Long after an answer, with it, with the deadline, or on the worker.
    """
    passing = list(answers.PASSING.items())
    number = len(CONNECTIONS)
    return {
        "passing": [_wait(f"passing_{at}", passing[at::number], "success", at) for at in range(number)],
        "ending": [_wait(f"ending_{at}", [kind], "failed", at) for at, kind in _numbered(answers.ENDING)],
        "late": [_wait(f"late_{at}", [kind], "failed", at, timeout=DEADLINE) for at, kind in _numbered(answers.LATE)],
        "found": [
            _wait(f"found_{at}", [kind], "success", at, kind="validate", deferrable=False)
            for at, kind in _numbered(answers.FOUND)
        ],
    }


def innocent(job_id: str, number: int) -> Wait:
    """A wait for a job of the emulator."""
    task = {"task_id": f"innocent_{number}", "job_id": job_id, "renderjuice_conn_id": INNOCENT, "kind": "wait"}
    return Wait(task | {"timeout": _LONG, "deferrable": True}, (), "success")


def _numbered(kinds: Mapping[str, answers.Answer]) -> Iterable[tuple[int, tuple[str, answers.Answer]]]:
    return enumerate(kinds.items())


def _wait(name: str, kinds: list[tuple[str, answers.Answer]], ends: str, number: int, **more: Any) -> Wait:
    task = {
        "task_id": name,
        "job_id": str(uuid4()),
        "renderjuice_conn_id": CONNECTIONS[number % len(CONNECTIONS)],
        "kind": "wait",
        "timeout": _LONG,
        "deferrable": True,
    }
    return Wait(task | more, tuple(kinds), ends)
