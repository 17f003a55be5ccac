"""Rendering a job: what costs money."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import Argument, ceiling, plain_config, read_job_id, truth
from renderjuice_provider._deferral import DEFAULT_POLL_INTERVAL, is_deferrable, try_ends
from renderjuice_provider.api._paths import plan
from renderjuice_provider.api.config import RenderConfig, check_render_config
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.frames import count_outputs
from renderjuice_provider.lifecycle.record import Order
from renderjuice_provider.lineage import Lineage, of_job, of_render
from renderjuice_provider.operators._driver import shot_name
from renderjuice_provider.operators._job_operator import JobOperator
from renderjuice_provider.operators._stuck import WatchesFrames, callback

if TYPE_CHECKING:
    from typing import Unpack
    from uuid import UUID

    from airflow.sdk import Context, XComArg

    from renderjuice_provider._operator_arguments import OperatorArguments

RENDER_TIMEOUT = timedelta(hours=24)
"""Long enough for a night that runs late, short enough that a forgotten job costs no week."""


class RenderOperator(WatchesFrames, JobOperator):
    """The arguments, and the result, of rendering a given job and of running a whole scene."""

    template_fields = (
        *JobOperator.template_fields,
        *("render_config", "cancel_on_kill", "cancel_on_timeout", "max_normalized_seconds"),
        *WatchesFrames.STUCK_FIELDS,
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
            patience=self.patience,
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


class RenderjuiceRenderJobOperator(RenderOperator):
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
        stuck_after: how many times its usual time per frame a job may go without a new frame
            before it is reported as stuck, once: in the task's log, and to `on_stuck_callback`.
            None by default: only its author knows how uneven the frames of a shot are; 10 is
            cautious. What is usual: docs/invariants.md, section 14.
        seconds_per_frame: what a frame usually takes one machine, such as the night before. None
            by default: the job's own frames show it.
        cancel_stuck: cancel a stuck job, and fail. False by default: it may come to itself. Then a
            job with `max_normalized_seconds` is only logged until its wait ends, so that its
            ceiling is held.
        on_stuck_callback: a function, or a notifier, that is called on a worker with the context,
            in which `reason` says what is stuck. What it raises fails nothing. None by default.
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

    template_fields = (*RenderOperator.template_fields, "job_id")

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
        stuck_after: float | XComArg | None = None,
        seconds_per_frame: float | XComArg | None = None,
        cancel_stuck: bool | XComArg = False,
        on_stuck_callback: Callable[[Context], Any] | None = None,
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
        self.stuck_after = stuck_after
        self.seconds_per_frame = seconds_per_frame
        self.cancel_stuck = cancel_stuck
        self.on_stuck_callback = callback(on_stuck_callback)
        self.job_id: Any = job_id

    def lineage(self, result: Any) -> Lineage:
        """The job itself: it has its outputs afterwards."""
        return of_render(self.renderjuice_conn_id, of_job(self.renderjuice_conn_id, str(self.job_id)), result)

    def order(self, context: Context) -> Order:
        """A completed render of the given job."""
        return replace(super().order(context), job_id=read_job_id(self.job_id))
