"""The life of a job, as a table.

Renderjuice's lifecycle page: https://www.renderjuice.com/docs/api/job-lifecycle
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Status(StrEnum):
    """The statuses that the reference of create-job lists."""

    CREATED = "created"
    VALIDATING = "validating"
    VALIDATED = "validated"
    DEBUGGING = "debugging"
    BOOTING = "booting"
    RENDERING = "rendering"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    SUSPENDED = "suspended"


TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELED})
RENDER_RUNS = frozenset({Status.BOOTING, Status.RENDERING, Status.FINALIZING})
"""A render was started and goes on: what a studio pays for."""

_FORWARD: Mapping[Status, frozenset[Status]] = {
    Status.CREATED: frozenset({Status.VALIDATING}),
    Status.VALIDATING: frozenset({Status.VALIDATED}),
    Status.VALIDATED: frozenset({Status.BOOTING}),
    Status.BOOTING: frozenset({Status.RENDERING}),
    # Straight to completed only when the switch `skip_finalizing` says so.
    Status.RENDERING: frozenset({Status.FINALIZING, Status.COMPLETED}),
    Status.FINALIZING: frozenset({Status.COMPLETED}),
}


def may_become(current: Status, new: Status) -> bool:
    """Whether a job may go from `current` to `new`.

    Any status can become failed or canceled; the three ends are final.
    """
    if current in TERMINAL:
        return False
    return new in {Status.FAILED, Status.CANCELED} or new in _FORWARD.get(current, frozenset())
