"""Creating and validating a job: what costs nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import read_job_id
from renderjuice_provider.api.errors import RenderjuiceNotFoundError
from renderjuice_provider.api.models import Job
from renderjuice_provider.api.redact import storable
from renderjuice_provider.lifecycle.record import fingerprint
from renderjuice_provider.lifecycle.status import Action, action_to_validated
from renderjuice_provider.operators._base import RenderjuiceOperator
from renderjuice_provider.operators._task_store import TaskStore
from renderjuice_provider.operators._validation import shortened, tell
from renderjuice_provider.operators._waiting import JobOperator

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.sdk import Context, XComArg

    from renderjuice_provider._operator_arguments import OperatorArguments

VALIDATION_TIMEOUT = timedelta(hours=1)
ANALYSIS_LIMIT = 16 * 1024
"""Bytes of JSON; a longer analysis stays out of XCom."""


class RenderjuiceCreateJobOperator(RenderjuiceOperator):
    """Create a job from an uploaded scene, and return its id. A job costs nothing until it renders.

    A retry returns the job of the try before it, if that had created one from the same slug and Renderjuice still knows it.

    Args:
        slug: what `RenderjuiceUploadOperator` returned.
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, with the API key and the base URL.
        **kwargs: the arguments of every Airflow operator, such as `task_id`.

    Returns:
        As XCom: the job's id, a UUID.

    Raises:
        RenderjuiceInputError: for a slug that cannot be one, before anything is sent.
        RenderjuiceAmbiguousError: when the answer was lost, so that nobody knows whether there is a job now. It costs
            nothing; a retry creates another.
        RenderjuiceError: when Renderjuice refuses the slug, or gives no answer. A retry may succeed.
    """

    template_fields = (*RenderjuiceOperator.template_fields, "slug")

    def __init__(
        self,
        *,
        slug: str | XComArg,
        renderjuice_conn_id: str = "renderjuice_default",
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(renderjuice_conn_id=renderjuice_conn_id, **kwargs)
        self.slug: Any = slug

    def execute(self, context: Context) -> str:
        """The job's id: that of an earlier try, if it got so far with the same slug."""
        slug = (
            str(self.slug) if type(self.slug) is int else self.slug
        )  # native rendering makes a number of a text of digits
        memory, work = TaskStore(context), fingerprint(slug, self.renderjuice_conn_id, self.client.base_url)
        known = memory.recall(work)
        if known is not None and self._exists(known):
            return known
        job_id = self.client.create_job(slug).id
        memory.remember(work, job_id)
        return job_id

    def _exists(self, job_id: str) -> bool:
        try:
            self.client.get_job(job_id)
        except RenderjuiceNotFoundError:
            return False
        return True


class RenderjuiceValidateJobOperator(JobOperator):
    """Have Renderjuice open the scene and report what it found.

    Args:
        job_id: a job; one that is past validation already is no error.
        wait: see `JobOperator`, as for `deferrable` and `poll_interval`.
        timeout: seconds (or a timedelta); an hour by default.
        renderjuice_conn_id: see `RenderjuiceHook`.

    Returns (XCom): `job_id`, `status`, and `analysis`, which is None when it is absent or longer than 16 KiB,
    even with only the first of its long lists.

    Raises:
        RenderjuiceJobOverError: when validation failed; the message holds Renderjuice's reason.
    """

    template_fields = (*JobOperator.template_fields, "job_id")

    def __init__(
        self, *, job_id: str | XComArg, timeout: float | timedelta = VALIDATION_TIMEOUT, **kwargs: Any
    ) -> None:
        super().__init__(timeout=timeout, **kwargs)
        self.job_id: Any = job_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Validate, and wait."""
        return self.start(context, self.client.validate_job(read_job_id(self.job_id)))

    def next_step(self, job: Job) -> Action:
        """See `JobOperator`."""
        return action_to_validated(job.status)

    def take(self, step: Action, job: Job) -> Job:
        """See `JobOperator`."""
        return self.client.validate_job(job.id)

    def summary(self, job: Job) -> dict[str, Any]:
        """See the class."""
        analysis = storable(job.analysis)
        tell(self.log, job)
        if len(json.dumps(analysis)) > ANALYSIS_LIMIT:
            analysis = shortened(analysis)
        if analysis is not None and len(json.dumps(analysis)) > ANALYSIS_LIMIT:
            self.log.info(
                "The analysis is longer than %d bytes and stays out of XCom; read it with the hook", ANALYSIS_LIMIT
            )
            analysis = None
        return {"job_id": job.id, "status": job.status, "analysis": analysis}
