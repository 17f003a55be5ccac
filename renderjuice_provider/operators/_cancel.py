"""Cancelling jobs: the safety net under tasks that render."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from renderjuice_provider._arguments import Argument, read_job_id
from renderjuice_provider._deferral import seconds
from renderjuice_provider.api._lenient import parsed
from renderjuice_provider.api._money import Money
from renderjuice_provider.api.errors import (
    Bill,
    RenderjuiceAuthenticationError,
    RenderjuiceError,
    RenderjuiceTimeoutError,
    RetryEffect,
)
from renderjuice_provider.api.models import Job
from renderjuice_provider.compat import XComNotFound
from renderjuice_provider.lifecycle.stopping import HOW_TO_STOP, Seen, stop_all
from renderjuice_provider.operators._base import RenderjuiceOperator
from renderjuice_provider.xcom_keys import JOB_ID

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.sdk import Context, XComArg

    from renderjuice_provider._operator_arguments import OperatorArguments

CANCEL_TIMEOUT = timedelta(minutes=10)
"""Long enough for a farm that finishes its frames first, short enough that a failure to stop is
noticed."""


class RenderjuiceCancelJobOperator(RenderjuiceOperator):
    """Cancel jobs and wait until they are over. A job that is over already is left as it is.

    Made to be a teardown: where a render failed before it had a job, there is nothing to do, and
    that is a success.

    Args:
        job_id: the id of one job, several ids, or None. `XComArg(render,
            key=renderjuice_provider.xcom_keys.JOB_ID)` is the job of the task `render`; where that
            task is mapped, all its jobs.
        poll_interval: seconds (or a timedelta) between two polls. 5 by default: a cancelled job is
            over within seconds, and the task holds a worker slot while it waits.
        timeout: seconds (or a timedelta) until all jobs must be over. Ten minutes by default: long
            enough for a farm that finishes its frames first, short enough that a job that does not
            stop is reported the same night.
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, with the API key and the
            base URL.
        **kwargs: the arguments of every Airflow operator, such as `task_id`.

    Returns:
        As XCom: the status after, which is `completed` when it was too late to cancel; for several
        jobs a dict, the status of each by its id; None when there was no job.

    Raises:
        RenderjuiceInputError: for a `job_id` that is not one, or a time that is not a number of
            seconds above 0.
        RenderjuiceAuthenticationError: at once, when the API key is refused. The jobs may be
            running, and cost money.
        RenderjuiceTimeoutError: when jobs were not over in time. They may be running, and cost
            money.
        RenderjuiceError: when a job could not be cancelled, after all others were.
    """

    template_fields = (*RenderjuiceOperator.template_fields, "job_id", "poll_interval", "timeout")
    poll_interval = Argument(seconds)
    timeout = Argument(seconds)

    def __init__(
        self,
        *,
        job_id: str | UUID | Iterable[str | UUID] | XComArg | None,
        poll_interval: float | timedelta | XComArg = 5.0,
        timeout: float | timedelta | XComArg = CANCEL_TIMEOUT,
        renderjuice_conn_id: str = "renderjuice_default",
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(renderjuice_conn_id=renderjuice_conn_id, **kwargs)
        self.job_id: Any = job_id
        self.poll_interval = poll_interval
        self.timeout = timeout

    @classmethod
    def partial(cls, **arguments: Any) -> Any:  # type: ignore[override, unused-ignore]
        """As for every operator; `expand` also takes the `job_id` of a mapped render."""
        return _Partial(cls, arguments)

    def render_template(self, content: Any, context: Context, *args: Any, **kwargs: Any) -> Any:
        """As for every operator, but the XCom of a render without a job is None."""
        try:
            return super().render_template(content, context, *args, **kwargs)
        except XComNotFound as error:
            if error.key != JOB_ID:
                raise
            return None

    def execute(self, context: Context) -> str | dict[str, str] | None:
        """Cancel all, then wait until they are over."""
        job_ids = ids_in(self.job_id)
        if not job_ids:
            self.log.info("There is no job to stop")
            return None
        until = time.time() + self.timeout
        operations = self.client.operations
        found = self.client.run(
            stop_all(operations, job_ids, poll_interval=self.poll_interval, until=until, log=self.log.info)
        )
        statuses = {job_id: seen.status for job_id, seen in found.items() if isinstance(seen, Job) and seen.is_over}
        if len(statuses) < len(found):
            raise _error({job_id: seen for job_id, seen in found.items() if job_id not in statuses})
        is_one = isinstance(parsed(self.job_id), (str, Mapping, UUID))
        return statuses[job_ids[0]] if is_one else statuses


def ids_in(value: Any) -> list[str]:
    """The job ids in an argument, an XCom or a rendered template: one, several, or none.

    Raises:
        RenderjuiceInputError: for anything that is not a job id.
    """
    found = parsed(value)
    if found is None or found in ("", "None"):
        return []
    if isinstance(found, (str, Mapping, UUID)):
        return [read_job_id(found)]
    return [job_id for item in found for job_id in ids_in(item)]


def _error(left: dict[str, Seen]) -> RenderjuiceError:
    errors = [seen for seen in left.values() if isinstance(seen, RenderjuiceError)]
    refused = next((error for error in errors if isinstance(error, RenderjuiceAuthenticationError)), None)
    money: Money = {"bill": Bill.MAY_RUN, "retry": RetryEffect.STOPS_AGAIN, "next_step": HOW_TO_STOP}
    money["job_id"] = next(iter(left)) if len(left) == 1 else ""
    if refused is not None:
        money["retry"] = RetryEffect.AFTER_CORRECTION
        return refused.settle(**money)
    if len(left) == len(errors) == 1:
        return errors[0].settle(**money)
    each = ", ".join(
        f"{job_id} ({seen.status if isinstance(seen, Job) else seen.what})" for job_id, seen in left.items()
    )
    kind = RenderjuiceError if errors else RenderjuiceTimeoutError
    return kind(f"Not stopped, and costs money while it runs: {each}", **money)


class _Partial:
    """What `partial` of the operator above returns.

    Airflow expands over what tasks return, not over an XCom with a key of its own. A render's job
    id has such a key, since it is known before the render returns anything. So one task takes all
    ids of a mapped render.
    """

    def __init__(self, operator: type[RenderjuiceCancelJobOperator], arguments: dict[str, Any]) -> None:
        self._operator = operator
        self._arguments = arguments

    def expand(self, **mapped: Any) -> Any:
        """One task for all ids of a mapped render; for anything else, what Airflow makes of it."""
        if mapped.keys() == {"job_id"} and getattr(mapped["job_id"], "key", None) == JOB_ID:
            return self._operator(**self._arguments, **mapped)
        return self._airflows().expand(**mapped)

    def expand_kwargs(self, kwargs: Any, **options: Any) -> Any:
        """What Airflow makes of it."""
        return self._airflows().expand_kwargs(kwargs, **options)

    def _airflows(self) -> Any:
        return super(RenderjuiceCancelJobOperator, self._operator).partial(**self._arguments)
