"""Airflow's task state store: what a task instance keeps over its tries.

Airflow 3.3 keeps it through retries, crashes and deferrals. Before 3.3 there is none: a retry then
starts from nothing, which is logged once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from renderjuice_provider._task_state import RECORD_KEY
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.redact import storable
from renderjuice_provider.lifecycle.course import Past

if TYPE_CHECKING:
    from airflow.sdk import Context

    from renderjuice_provider.lifecycle.record import OnClear

_log = logging.getLogger(__name__)


class TaskStore:
    """What this task instance knows from earlier tries.

    Args:
        context: of the running task.
        key: of the entry in the task's state store.

    Attributes:
        lasts: whether there is a store: without one, the next try knows nothing.
        max_tries: Airflow's limit now; a user's clear raises it.
    """

    def __init__(self, context: Context, key: str = RECORD_KEY) -> None:
        self._store: Any = context.get("task_state_store")
        self._key = key
        self.lasts = self._store is not None
        self.max_tries: int = getattr(context.get("ti"), "max_tries", None) or 0
        if not self.lasts:
            _log_once_that_there_is_no_store()

    def load(self) -> Any:
        """What was saved last; None if nothing was."""
        return None if self._store is None else self._store.get(self._key)

    def save(self, value: Mapping[str, Any]) -> None:
        """Keep `value` as long as the DAG run is kept.

        What cannot be kept raises: money is only spent on record.
        """
        if self._store is not None:
            from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined, unused-ignore]

            self._store.set(self._key, storable(value), retention=NEVER_EXPIRE)

    def past(self) -> Past:
        """What a course needs to know of the earlier tries."""
        return Past(self.load(), self.lasts, self.max_tries)

    def recall(self, work: str) -> str | None:
        """What an earlier try of the same `work` arrived at. A clear by a user repeats the work."""
        kept = self.load()
        if not isinstance(kept, Mapping) or kept.get("work") != work or kept.get("max_tries") != self.max_tries:
            return None
        return str(kept["result"])

    def remember(self, work: str, result: str) -> None:
        """For `recall`."""
        self.save({"work": work, "result": result, "max_tries": self.max_tries})


def check_on_clear(value: str, name: str = "on_clear") -> OnClear:
    """`value`, if it is one of the two.

    Raises:
        RenderjuiceInputError: if it is not.
    """
    if value not in {"reattach", "resubmit"}:
        raise RenderjuiceInputError(f'{name} must be "reattach" or "resubmit", not {value!r}.')
    return value  # type: ignore[return-value]


@cache
def _log_once_that_there_is_no_store() -> None:
    _log.warning(
        "This Airflow keeps no state between the tries of a task (3.3 and later do): "
        "a retry after a crash may start a second job, so prefer retries=0 for rendering tasks."
    )
