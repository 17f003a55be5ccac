"""Jobs that are stuck: what an operator is to do about them, and reporting them once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import Argument, above_zero, truth
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.redact import redact
from renderjuice_provider.lifecycle.stuck import Patience
from renderjuice_provider.operators._task_store import TaskStore

if TYPE_CHECKING:
    from airflow.sdk import Context

_NONE = (None, "None")
"""As a template renders it, too."""


def _times(value: Any, name: str) -> float | None:
    found = None if value in _NONE else above_zero(value)
    if value not in _NONE and (found is None or found <= 1):
        raise RenderjuiceInputError(
            f"{name} must be a number above 1, of usual times per frame, or None; got {value!r}."
        )
    return found


def _seconds(value: Any, name: str) -> float | None:
    found = None if value in _NONE else above_zero(value)
    if value not in _NONE and found is None:
        raise RenderjuiceInputError(f"{name} must be a number of seconds above 0, or None; got {value!r}.")
    return found


def callback(value: Any) -> Callable[[Context], Any] | None:
    """`on_stuck_callback`, if it can be called.

    Raises:
        RenderjuiceInputError: if it cannot.
    """
    if value is not None and not callable(value):
        raise RenderjuiceInputError(f"on_stuck_callback must be a function that takes the context; got {value!r}.")
    return value  # type: ignore[no-any-return]


class WatchesFrames:
    """The arguments of an operator whose job may be stuck."""

    STUCK_FIELDS = ("stuck_after", "seconds_per_frame", "cancel_stuck")
    stuck_after = Argument(_times)
    seconds_per_frame = Argument(_seconds)
    cancel_stuck = Argument(truth)
    on_stuck_callback: Callable[[Context], Any] | None

    @property
    def patience(self) -> Patience | None:
        """How long the job may go without a new frame."""
        if self.stuck_after is None:
            return None
        return Patience(self.stuck_after, self.seconds_per_frame, self.cancel_stuck)


class StuckReports:
    """What a task has reported: each job once, whichever process does it.

    It is noted after it is logged, and before the callback is called: wherever a process dies, the
    log says it, and no callback is called twice.

    Args:
        task: the operator, with its log and, where it has one, its `on_stuck_callback`.
        context: of the running task.
        key: of the record in the task's state store.
    """

    def __init__(self, task: Any, context: Context, key: str) -> None:
        self._task = task
        self._context = context
        self._key = f"{key}_stuck"

    def is_reported(self, job_id: str) -> bool:
        """Whether some process of this task has reported the job."""
        kept = TaskStore(self._context, self._key).load()
        return isinstance(kept, dict) and kept.get("job_id") == job_id

    def report(self, job_id: str, message: str) -> None:
        """Write it into the log, and call the callback, which fails nothing."""
        if self.is_reported(job_id):
            return
        self._task.log.warning("Job %s %s", job_id, message)
        TaskStore(self._context, self._key).save({"job_id": job_id})
        on_stuck = getattr(self._task, "on_stuck_callback", None)
        if on_stuck is None:
            return
        try:
            on_stuck({**self._context, "reason": f"Job {job_id} {message}"})
        except Exception as error:  # noqa: BLE001 - the render goes on, whatever a callback meets
            self._task.log.warning("on_stuck_callback failed: %s: %s", type(error).__name__, redact(str(error)))
