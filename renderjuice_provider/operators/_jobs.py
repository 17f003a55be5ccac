"""Creating and validating a job: what costs nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import read_job_id
from renderjuice_provider._deferral import DEFAULT_POLL_INTERVAL, is_deferrable, try_ends
from renderjuice_provider.api.errors import RenderjuiceNotFoundError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.redact import storable
from renderjuice_provider.lifecycle.findings import log_findings, shortened
from renderjuice_provider.lifecycle.record import Order, fingerprint
from renderjuice_provider.lineage import Lineage, of_job, of_upload
from renderjuice_provider.operators._base import RenderjuiceOperator
from renderjuice_provider.operators._driver import shot_name
from renderjuice_provider.operators._job_operator import JobOperator
from renderjuice_provider.operators._task_store import TaskStore

if TYPE_CHECKING:
    from typing import Unpack
    from uuid import UUID

    from airflow.sdk import Context, XComArg

    from renderjuice_provider._operator_arguments import OperatorArguments

VALIDATION_TIMEOUT = timedelta(hours=1)
ANALYSIS_LIMIT = 16 * 1024
"""Bytes of JSON; a longer analysis stays out of XCom."""


class RenderjuiceCreateJobOperator(RenderjuiceOperator):
    """Create a job from an uploaded scene, and return its id. It costs nothing until it renders.

    A retry returns the job of the try before it, if that had created one from the same slug and
    Renderjuice still knows it.

    Args:
        slug: what `RenderjuiceUploadOperator` returned.
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, with the API key and the
            base URL.
        **kwargs: the arguments of every Airflow operator, such as `task_id`.

    Returns:
        As XCom: the job's id, a UUID.

    Raises:
        RenderjuiceInputError: for a slug that cannot be one, before anything is sent.
        RenderjuiceAmbiguousError: when the answer was lost, so that nobody knows whether there is a
            job now. It costs nothing; a retry creates another.
        RenderjuiceError: when Renderjuice refuses the slug, or gives no answer. A retry may
            succeed.
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
        """Create a job, or return that of an earlier try with the same slug."""
        # Native rendering makes a number of a text of digits.
        slug = str(self.slug) if type(self.slug) is int else self.slug
        store, work = TaskStore(context), fingerprint(slug, self.renderjuice_conn_id, self.client.base_url)
        known = store.recall(work)
        if known is not None and self._exists(known):
            return known
        job_id = self.client.create_job(slug).id
        store.remember(work, job_id)
        return job_id

    def lineage(self, result: Any) -> Lineage:
        """Of an upload, a job."""
        made = (of_job(self.renderjuice_conn_id, result),) if result else ()
        return Lineage((of_upload(self.renderjuice_conn_id, str(self.slug)),), made)

    def _exists(self, job_id: str) -> bool:
        try:
            self.client.get_job(job_id)
        except RenderjuiceNotFoundError:
            return False
        return True


class RenderjuiceValidateJobOperator(JobOperator):
    """Have Renderjuice open the scene and report what it found. It costs nothing.

    A job that is past validation already is a success, so a retry is harmless.

    Args:
        job_id: the id of a job, or what our operators return.
        wait: wait until validation is over. True by default; False returns as soon as it is
            ordered.
        deferrable: wait in the triggerer, without a worker slot. None, the default, means True: a
            farm that is busy may take long. Only `[operators] default_deferrable`, set to false in
            the environment, overrules that.
        poll_interval: seconds (or a timedelta) between two polls. 30 by default, as for renders. Up
            to a tenth is added at random, so that many tasks spread out.
        timeout: seconds (or a timedelta) from the start of the try to the deadline. An hour by
            default: validation takes minutes, also for large scenes. Airflow's `execution_timeout`
            may end it sooner.
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, with the API key and the
            base URL.
        **kwargs: the arguments of every Airflow operator, such as `task_id`.

    Returns:
        As XCom, a dict: `job_id`, `status`, and `analysis`, which is None when it is absent or
        longer than 16 KiB, even with only the first of its long lists.

    Raises:
        RenderjuiceInputError: for a job id that cannot be one, before anything is sent.
        RenderjuiceJobOverError: when validation failed, or the job was canceled; the message holds
            Renderjuice's reason. Not retried: the same job cannot succeed any more.
        RenderjuiceTimeoutError: at the deadline. The job goes on, and costs nothing until it
            renders; a retry takes it up.
        RenderjuiceJobError: when Renderjuice refuses to show the job. A retry reads it again.
        RenderjuiceError: when a call fails. A retry takes up what there is.
    """

    template_fields = (*JobOperator.template_fields, "job_id")

    def __init__(
        self,
        *,
        job_id: str | UUID | XComArg,
        wait: bool | XComArg = True,
        deferrable: bool | None = None,
        poll_interval: float | timedelta | XComArg = DEFAULT_POLL_INTERVAL,
        timeout: float | timedelta | XComArg = VALIDATION_TIMEOUT,
        renderjuice_conn_id: str = "renderjuice_default",
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(renderjuice_conn_id=renderjuice_conn_id, **kwargs)
        self.wait = wait
        self.deferrable = is_deferrable(deferrable)
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.job_id: Any = job_id

    def order(self, context: Context) -> Order:
        """A validated job."""
        return Order(
            JobStatus.VALIDATED,
            self.timeout,
            job_id=read_job_id(self.job_id),
            wait=self.wait,
            try_ends=try_ends(self, context),
            name=shot_name(context),
        )

    def summary(self, job: Job) -> dict[str, Any]:
        """The job as it is, and what validation found, as far as it fits into an XCom."""
        analysis = storable(job.analysis)
        log_findings(self.log, job)
        if len(json.dumps(analysis)) > ANALYSIS_LIMIT:
            analysis = shortened(analysis)
        if analysis is not None and len(json.dumps(analysis)) > ANALYSIS_LIMIT:
            self.log.info(
                "The analysis is longer than %d bytes and stays out of XCom; read it with the hook", ANALYSIS_LIMIT
            )
            analysis = None
        return {"job_id": job.id, "status": job.status, "analysis": analysis}
