"""A task instance's memory over its tries, and what is done with what it finds there.

Airflow 3.3 keeps a store for every task instance that survives retries, crashes and deferrals. Before 3.3 there is none: a retry
then starts anew, which is said once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from renderjuice_provider.api.errors import RenderjuiceInputError, RenderjuiceNotFoundError
from renderjuice_provider.api.models import Job
from renderjuice_provider.api.redact import storable
from renderjuice_provider.lifecycle.order import renders
from renderjuice_provider.lifecycle.record import JobRecord, Work

if TYPE_CHECKING:
    from airflow.sdk import Context

    from renderjuice_provider.api.client import RenderjuiceClient

OnClear = Literal["reattach", "resubmit"]
KEY = "renderjuice"
_log = logging.getLogger(__name__)


class TaskStore:
    """What this task instance knows from earlier tries.

    Args:
        context: of the running task.
        key: of the entry in the task's state store.

    Attributes:
        lasts: whether there is a store: without one, the next try knows nothing.
    """

    def __init__(self, context: Context, key: str = KEY) -> None:
        self._store: Any = context.get("task_state_store")
        self._key = key
        self.lasts = self._store is not None
        self.max_tries: int = getattr(context.get("ti"), "max_tries", None) or 0
        if not self.lasts:
            _say_once_that_there_is_no_store()

    def load(self) -> Any:
        """What was saved last; None if nothing was."""
        return None if self._store is None else self._store.get(self._key)

    def save(self, value: Mapping[str, Any]) -> None:
        """Keep `value` as long as the DAG run is kept. What cannot be kept raises: money is only spent on record."""
        if self._store is not None:
            from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined, unused-ignore]

            self._store.set(self._key, storable(value), retention=NEVER_EXPIRE)

    def recall(self, work: str) -> str | None:
        """What an earlier try of the same `work` arrived at, unless a user has cleared the task since: then they want it anew."""
        kept = self.load()
        if not isinstance(kept, Mapping) or kept.get("work") != work or kept.get("max_tries") != self.max_tries:
            return None
        return str(kept["result"])

    def remember(self, work: str, result: str) -> None:
        """For `recall`."""
        self.save({"work": work, "result": result, "max_tries": self.max_tries})


class JobState:
    """The record of the job that a task instance spends money on.

    Args:
        context: of the running task.
        client: for stopping a job that is not wanted any more.
        on_clear: what a user's clear means: go on with the job that there is, or stop it and start again.
    """

    def __init__(self, context: Context, client: RenderjuiceClient, on_clear: OnClear) -> None:
        self._memory = TaskStore(context)
        self._client = client
        self._on_clear = on_clear
        self.record: JobRecord

    def knows(self, work: Work) -> bool:
        """Whether an earlier try was about the same work, or may have been: without a store nobody can say."""
        old = JobRecord.read(self._memory.load())
        return not self._memory.lasts or (old is not None and old.is_about(work))

    def begin(self, work: Work, timeout: float) -> None:
        """Take up what an earlier try left of the same work, or begin anew.

        A job that an earlier try left of other work (an edited DAG, a mapped task whose list has changed), or that a user's clear
        is to replace, is stopped first: one task instance never pays for two renders at a time.

        Args:
            work: what is ordered.
            timeout: seconds until the deadline of new work.
        """
        old, now, max_tries = JobRecord.read(self._memory.load()), time.time(), self._memory.max_tries
        is_same = old is not None and (old.is_about(work) or self._renders(old, work))
        if old is not None and is_same and not self._is_to_be_replaced(old, work.job_id):
            old = old.model_copy(update={"work": work.mark, "source": work.source})
            goes_on = old.job_id is not None and not old.was_cleared(max_tries)
            self.keep(old if goes_on else old.extended(now, timeout, max_tries))
            return
        if old is not None and old.job_id not in {None, work.job_id}:
            self._stop(str(old.job_id))
        new = JobRecord(work=work.mark, started=now, deadline=now + timeout, max_tries=max_tries)
        about = {"content": work.content, "source": work.source, "job_id": work.job_id}
        self.keep(new.model_copy(update=about))

    def renew(self, timeout: float) -> None:
        """A deadline for this try, if that of the earlier ones has passed."""
        self.keep(self.record.extended(time.time(), timeout, self._memory.max_tries))

    def keep(self, record: JobRecord) -> None:
        """Write `record` down, before what it says is acted upon."""
        self._memory.save(record.model_dump())
        self.record = record

    def note(self, **changes: Any) -> None:
        """Write down what has changed."""
        self.keep(self.record.model_copy(update=changes))

    def job(self) -> Job | None:
        """The job on record as it is now; None when there is none, or Renderjuice knows it no more."""
        if self.record.job_id is None:
            return None
        try:
            return self._client.get_job(self.record.job_id)
        except RenderjuiceNotFoundError:
            _tell_that_it_is_unknown(self.record.job_id)
            return None

    def _renders(self, old: JobRecord, work: Work) -> bool:
        """Whether the job on record renders what is ordered now, although the order has changed: see `renders`."""
        if old.job_id is None or work.content is None or old.content != work.content:
            return False
        try:
            job = self._client.get_job(old.job_id)
        except RenderjuiceNotFoundError:
            return False
        return renders(work.order, job.requested_config, job.final_config)

    def _is_to_be_replaced(self, old: JobRecord, job_id: str | None) -> bool:
        return job_id is None and self._on_clear == "resubmit" and old.was_cleared(self._memory.max_tries)

    def _stop(self, job_id: str) -> None:
        try:
            job = self._client.cancel_job(job_id)
        except RenderjuiceNotFoundError:
            _tell_that_it_is_unknown(job_id)
            return
        _log.info("Job %s of an earlier try is not wanted any more; it is %s", job.id, job.status)


def _tell_that_it_is_unknown(job_id: str) -> None:
    _log.warning(
        "Job %s of an earlier try is unknown to this connection. If it belongs to another account, look there whether it runs.",
        job_id,
    )


def check_on_clear(value: str, name: str = "on_clear") -> OnClear:
    """`value`, if it is one of the two.

    Raises:
        RenderjuiceInputError: if it is not.
    """
    if value not in {"reattach", "resubmit"}:
        raise RenderjuiceInputError(f'{name} must be "reattach" or "resubmit", not {value!r}.')
    return value  # type: ignore[return-value]


@cache
def _say_once_that_there_is_no_store() -> None:
    _log.warning(
        "This Airflow keeps no state between the tries of a task (3.3 and later do): "
        "a retry after a crash may start a second job, so prefer retries=0 for rendering tasks."
    )
