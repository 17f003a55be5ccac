"""Rendering a job, or a whole scene: what costs money."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import Argument, ceiling, plain_config, plain_path, read_job_id, truth
from renderjuice_provider._deferral import DEFAULT_POLL_INTERVAL, is_deferrable, try_ends
from renderjuice_provider.api._paths import plan
from renderjuice_provider.api.config import RenderConfig, check_render_config
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.frames import count_outputs
from renderjuice_provider.lifecycle.record import OnClear, Order
from renderjuice_provider.lineage import Lineage, of_job, of_render
from renderjuice_provider.operators._base import scene_path
from renderjuice_provider.operators._driver import shot_name
from renderjuice_provider.operators._job_operator import JobOperator
from renderjuice_provider.operators._task_store import check_on_clear

if TYPE_CHECKING:
    from typing import Unpack
    from uuid import UUID

    from airflow.sdk import Context, ObjectStoragePath, XComArg

    from renderjuice_provider._operator_arguments import OperatorArguments

RENDER_TIMEOUT = timedelta(hours=24)
"""Long enough for a night that runs late, short enough that a forgotten job costs no week."""


class _RenderOperator(JobOperator):
    """The arguments, and the result, of rendering a given job and of running a whole scene."""

    template_fields = (
        *JobOperator.template_fields,
        *("render_config", "cancel_on_kill", "cancel_on_timeout", "max_normalized_seconds"),
    )
    template_fields_renderers = {"render_config": "json"}  # noqa: RUF012
    render_config = Argument(plain_config)
    cancel_on_kill = Argument(truth)
    cancel_on_timeout = Argument(truth)
    max_normalized_seconds = Argument(ceiling)

    def order(self, context: Context) -> Order:
        """A completed render, of which job the subclass says."""
        return Order(
            JobStatus.COMPLETED,
            self.timeout,
            render_config=self.render_config,
            account=(self.renderjuice_conn_id, self.client.base_url),
            wait=self.wait,
            cancel_on_kill=self.cancel_on_kill,
            cancel_on_timeout=self.cancel_on_timeout,
            most=self.max_normalized_seconds,
            try_ends=try_ends(self, context),
            name=shot_name(context),
        )

    def summary(self, job: Job) -> dict[str, Any]:
        """The job as it is, and once it is over the account of its frames."""
        found = {"job_id": job.id, "status": job.status, "normalized_seconds": job.normalized_seconds}
        return found | self._frames(job)

    def _frames(self, job: Job) -> dict[str, Any]:
        if not job.is_over:
            return {}
        try:
            downloads = self.client.get_downloads(job.id)
        except RenderjuiceError as error:  # a render that is paid must not fail for a count
            self.log.warning("Frames could not be counted: %s", error.what)
            return {}
        order = check_render_config(self.render_config).to_json()
        count = count_outputs((order, job.final_config), plan(downloads), analysis=job.analysis)
        requested = None if count.requested is None else len(count.requested)
        self.signals.frames(len(downloads.frame_files), len(count.missing))
        return {
            "frames_requested": requested,
            "frames_delivered": len(downloads.frame_files),
            "frames_missing": list(count.missing),
            "missing": [gap.to_json() for gap in count.gaps],
            "complete": count.complete,
        }


class RenderjuiceRenderJobOperator(_RenderOperator):
    """Render a validated job: from here on it costs money.

    Starting is idempotent at Renderjuice, so a retry of this task takes up the render that runs,
    and a retry after success returns it. The deadline is that of the first try.

    Args:
        job_id: the id of a job that is `validated`, or being validated; or what our operators
            return.
        render_config: what to render and how; at least `{"colorManagementPreset": "default"}`. A
            `RenderConfig`, or a dict or JSON text of its fields; templates are rendered in both.
        wait: wait until the render is over. True by default; False returns as soon as it is
            ordered.
        deferrable: wait in the triggerer, without a worker slot. None, the default, means True: a
            render takes hours. Only `[operators] default_deferrable`, set to false in the
            environment, overrules that.
        poll_interval: seconds (or a timedelta) between two polls. 30 by default: renders take
            minutes to hours. Up to a tenth is added at random, so that many tasks spread out.
        timeout: seconds (or a timedelta) from the start of the first try to the deadline. A day by
            default: long enough for a night that runs late, short enough that a forgotten job does
            not cost a week. Airflow's `execution_timeout`, which counts for each try, may end it
            sooner.
        cancel_on_kill: cancel the job when the task is killed, or marked failed or successful. True
            by default: nobody waits for it any more, and it costs money.
        cancel_on_timeout: cancel the job when the deadline has passed. True by default. With False
            it goes on, and a retry takes it up with a new deadline.
        max_normalized_seconds: what the task may spend, all its jobs together. None by default: any
            number. Over it, the job is cancelled, and no retry spends more. What one poll's delay
            costs comes on top. Where Renderjuice gives no seconds before the end, the time in which
            the job renders counts.
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, with the API key and the
            base URL.
        **kwargs: the arguments of every Airflow operator, such as `task_id`.

    Returns:
        As XCom, a dict: `job_id`, `status`, `normalized_seconds` (what is billed), and once the job
        is over `frames_requested` (None when nobody knows), `frames_delivered` (a number of files),
        `frames_missing` (their numbers), `missing` (the same by view and compositor node) and
        `complete` (None when nobody knows what was ordered).

    Raises:
        RenderjuiceInputError: for a job id or a configuration that cannot be right, before anything
            is sent; for a job that nobody has validated, before anything is spent.
        RenderjuiceOtherOrderError: when the job already renders, or has rendered, another
            configuration; it is left as it is. Not retried.
        RenderjuiceCeilingError: when it was cancelled at `max_normalized_seconds`. Not retried.
        RenderjuiceJobOverError: when the job failed, was canceled, or was cancelled at the
            deadline. Not retried: the same job cannot succeed any more.
        RenderjuiceTimeoutError: at the deadline, when the job was left running or could not be
            cancelled. A retry takes it up.
        RenderjuiceJobError: when Renderjuice refuses to show the job. It may be running; a retry
            reads it again.
        RenderjuiceError: when a call fails. A retry takes up what there is.
    """

    template_fields = (*_RenderOperator.template_fields, "job_id")

    def __init__(
        self,
        *,
        job_id: str | UUID | XComArg,
        render_config: RenderConfig | Mapping[str, Any] | str | XComArg,
        wait: bool | XComArg = True,
        deferrable: bool | None = None,
        poll_interval: float | timedelta | XComArg = DEFAULT_POLL_INTERVAL,
        timeout: float | timedelta | XComArg = RENDER_TIMEOUT,
        cancel_on_kill: bool | XComArg = True,
        cancel_on_timeout: bool | XComArg = True,
        max_normalized_seconds: float | XComArg | None = None,
        renderjuice_conn_id: str = "renderjuice_default",
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(renderjuice_conn_id=renderjuice_conn_id, **kwargs)
        self.render_config = render_config
        self.wait = wait
        self.deferrable = is_deferrable(deferrable)
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.max_normalized_seconds = max_normalized_seconds
        self.job_id: Any = job_id

    def lineage(self, result: Any) -> Lineage:
        """The job itself: it has its outputs afterwards."""
        return of_render(self.renderjuice_conn_id, of_job(self.renderjuice_conn_id, str(self.job_id)), result)

    def order(self, context: Context) -> Order:
        """A completed render of the given job."""
        return replace(super().order(context), job_id=read_job_id(self.job_id))


class RenderjuiceRunJobOperator(_RenderOperator):
    """Upload, create, validate and render one scene, in one task.

    Made for `.partial(...).expand_kwargs(shots)`.

    A retry goes on where the try before it stopped: it does not upload again what is uploaded, nor
    render again what is rendering or done. Only when the job is over without success does a retry
    make a new one, and pay for it.

    Args:
        file_path: the scene, a `.blend` or a `.zip`: a local path, or any `ObjectStoragePath` or
            its URL.
        render_config: what to render and how; at least `{"colorManagementPreset": "default"}`. A
            `RenderConfig`, or a dict or JSON text of its fields; templates are rendered in both.
        wait: wait until the render is over. True by default; False returns as soon as it is
            ordered, which is after validation.
        deferrable: wait in the triggerer, without a worker slot. None, the default, means True: a
            render takes hours. Only `[operators] default_deferrable`, set to false in the
            environment, overrules that.
        poll_interval: seconds (or a timedelta) between two polls. 30 by default: renders take
            minutes to hours. Up to a tenth is added at random, so that many tasks spread out.
        timeout: seconds (or a timedelta) from the start of the first try to the deadline, for all
            of it. A day by default: long enough for a night that runs late, short enough that a
            forgotten job does not cost a week. Airflow's `execution_timeout`, which counts for each
            try, may end it sooner.
        cancel_on_kill: cancel the job when the task is killed, or marked failed or successful. True
            by default: nobody waits for it any more, and it costs money.
        cancel_on_timeout: cancel the job when the deadline has passed. True by default. With False
            it goes on, and a retry takes it up with a new deadline.
        max_normalized_seconds: what the task may spend, all its jobs together. None by default: any
            number. Over it, the job is cancelled, and no retry spends more. What one poll's delay
            costs comes on top. Where Renderjuice gives no seconds before the end, the time in which
            the job renders counts.
        on_clear: what clearing the task means. `reattach`, the default, goes on with the job that
            there is, also when it is completed: clearing costs nothing. `resubmit` stops it and
            renders again.
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, with the API key and the
            base URL.
        **kwargs: the arguments of every Airflow operator, such as `task_id`.

    Returns:
        As XCom, a dict: `job_id`, `status`, `normalized_seconds` (what is billed), and once the job
        is over `frames_requested` (None when nobody knows), `frames_delivered` (a number of files),
        `frames_missing` (their numbers), `missing` (the same by view and compositor node) and
        `complete` (None when nobody knows what was ordered).

    Raises:
        RenderjuiceInputError: for a file or a configuration that cannot be right, before anything
            is sent.
        RenderjuiceOtherOrderError: when the job on record renders another configuration. Not
            retried.
        RenderjuiceCeilingError: when the task has spent `max_normalized_seconds`. Not retried.
        RenderjuiceJobError: when the job failed, was canceled, or was cancelled at the deadline: a
            retry starts a new job, and pays for it. Also when Renderjuice refuses to show the job:
            it may be running, and a retry reads it again.
        RenderjuiceTimeoutError: at the deadline, when the job was left running or could not be
            cancelled. A retry takes it up.
        RenderjuiceError: when a call fails. A retry takes up what there is.
    """

    template_fields = (*_RenderOperator.template_fields, "file_path", "on_clear")
    file_path = Argument(plain_path)
    on_clear = Argument(check_on_clear)

    def __init__(
        self,
        *,
        file_path: str | os.PathLike[str] | ObjectStoragePath | XComArg,
        render_config: RenderConfig | Mapping[str, Any] | str | XComArg,
        wait: bool | XComArg = True,
        deferrable: bool | None = None,
        poll_interval: float | timedelta | XComArg = DEFAULT_POLL_INTERVAL,
        timeout: float | timedelta | XComArg = RENDER_TIMEOUT,
        cancel_on_kill: bool | XComArg = True,
        cancel_on_timeout: bool | XComArg = True,
        max_normalized_seconds: float | XComArg | None = None,
        on_clear: OnClear | XComArg = "reattach",
        renderjuice_conn_id: str = "renderjuice_default",
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(renderjuice_conn_id=renderjuice_conn_id, **kwargs)
        self.render_config = render_config
        self.wait = wait
        self.deferrable = is_deferrable(deferrable)
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.max_normalized_seconds = max_normalized_seconds
        self.file_path = file_path
        self.on_clear = on_clear

    def execute(self, context: Context) -> dict[str, Any]:
        """All of it, or what an earlier try has left of it."""
        order = self.order(context)
        order.check()  # before the scene is read, which may take long
        scene = scene_path(self.file_path)
        order = replace(order, scene=scene, content=content_fingerprint(scene))
        return self.summary(self.driver(context).run(order))

    def lineage(self, result: Any) -> Lineage:
        """Of the scene, the outputs of a job."""
        return of_render(self.renderjuice_conn_id, str(self.file_path), result)

    def order(self, context: Context) -> Order:
        """A completed render of the scene, in a job of its own."""
        return replace(
            super().order(context),
            source=str(self.file_path),
            on_clear=self.on_clear,
            name=shot_name(context, self.file_path),
        )
