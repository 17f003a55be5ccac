"""Rendering a job, or a whole scene: what costs money."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from renderjuice_provider.api.config import RenderConfig, check_render_config
from renderjuice_provider.api.errors import (
    RenderjuiceError,
    RenderjuiceInputError,
    RenderjuiceJobError,
    RenderjuiceNotFoundError,
    RenderjuiceRefusedError,
)
from renderjuice_provider.api.models import RENDER_STARTED, Job
from renderjuice_provider.api.paths import output_name
from renderjuice_provider.api.protocol import check_job_id
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.operators.base import storage_path
from renderjuice_provider.operators.memory import JobMemory, Memory, OnClear, check_on_clear
from renderjuice_provider.operators.waiting import JobOperator
from renderjuice_provider.waiting.frames import count_frames
from renderjuice_provider.waiting.record import fingerprint
from renderjuice_provider.waiting.steps import Step, step_to_rendered

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

RENDER_TIMEOUT = timedelta(hours=24)
"""Long enough for a night that runs late; short enough that a forgotten job does not cost a week."""


class _RenderOperator(JobOperator):
    """What rendering one job and running a whole one share."""

    last_wait = Step.WAIT_FOR_RENDER
    spends_money = True

    def __init__(
        self,
        *,
        render_config: RenderConfig | Mapping[str, Any],
        timeout: float | timedelta = RENDER_TIMEOUT,
        cancel_on_kill: bool = True,
        cancel_on_timeout: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout=timeout, **kwargs)
        self.render_config = render_config
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout

    def next_step(self, job: Job) -> Step:
        """See `JobOperator`."""
        return step_to_rendered(job.status)

    def summary(self, job: Job) -> dict[str, Any]:
        """See the class."""
        return {"job_id": job.id, "status": job.status, "normalized_seconds": job.normalized_seconds} | self._frames(
            job
        )

    def _take_up(self, memory: JobMemory, job: Job) -> Job:
        """The job of an earlier try. If that try died before it could stop an overdue render, it is stopped now."""
        overdue = time.time() >= memory.record.deadline and job.status in RENDER_STARTED and not job.is_over
        if overdue and self.cancel_on_timeout:
            return self._timed_out(job.id, f"timed out: it is {job.status}, and its deadline has passed")
        memory.renew(self.timeout)
        return job

    def _frames(self, job: Job) -> dict[str, Any]:
        if not job.is_over:
            return {}
        try:
            files = self.client.get_downloads(job.id).frame_files
        except RenderjuiceError as error:  # the render is done and paid: a count is not worth failing it
            self.log.warning("Frames could not be counted: %s", error)
            return {}
        order = check_render_config(self.render_config).to_json()
        count = count_frames((order, job.final_config), ((output_name(file), file.view) for file in files))
        requested = None if count.requested is None else len(count.requested)
        return {"frames_requested": requested, "frames_delivered": len(files), "frames_missing": list(count.missing)}


class RenderjuiceRenderJobOperator(_RenderOperator):
    """Render a validated job: from here on it costs money.

    Starting is idempotent at Renderjuice, so a retry of this task takes up the render that runs.

    Args:
        job_id: a job that is `validated`, or being validated.
        render_config: at least `{"colorManagementPreset": "default"}`; see `RenderConfig`.
        wait: see `JobOperator`, as for `deferrable` and `poll_interval`.
        timeout: seconds (or a timedelta); a day by default.
        cancel_on_kill: cancel the job when the task is killed, cleared or marked.
        cancel_on_timeout: cancel the job when the timeout has passed.
        renderjuice_conn_id: see `RenderjuiceHook`.

    Returns (XCom): `job_id`, `status`, `normalized_seconds`, and once it is over `frames_requested` (None when the order does not
    name them), `frames_delivered` and `frames_missing` (their numbers).

    Raises:
        RenderjuiceInputError: for a configuration that cannot be right, before anything is spent.
        RenderjuiceJobOverError: when the job failed, was canceled, or was cancelled by our timeout; not retried.
    """

    template_fields = (*JobOperator.template_fields, "job_id", "render_config")
    template_fields_renderers = {"render_config": "json"}  # noqa: RUF012

    def __init__(self, *, job_id: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_id: Any = job_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Render, and wait; a retry goes on with what runs, and with the deadline of the first try."""
        config, job_id = check_render_config(self.render_config).to_json(), check_job_id(self.job_id)
        memory = JobMemory(context, self.client, "reattach")
        work = fingerprint(job_id, config, self.renderjuice_conn_id, self.client.base_url)
        memory.begin(work, None, self.timeout, job_id)
        job = self._take_up(memory, self.client.get_job(job_id))
        return self.advance(context, job, memory.record.started, memory.record.deadline)

    def take(self, step: Step, job: Job) -> Job:
        """See `JobOperator`."""
        if step is Step.VALIDATE:
            raise RenderjuiceInputError(
                f"Job {job.id} is created, not validated. Put a RenderjuiceValidateJobOperator before this task, "
                "or use RenderjuiceRunJobOperator, which does it all."
            )
        return self.client.start_render(job.id, self.render_config)


class RenderjuiceRunJobOperator(_RenderOperator):
    """Upload, create, validate and render one scene, in one task: made for `.partial(...).expand_kwargs(shots)`.

    Args:
        file_path: a local path, or any `ObjectStoragePath` URL.
        render_config: at least `{"colorManagementPreset": "default"}`; see `RenderConfig`.
        wait: see `JobOperator`, as for `deferrable` and `poll_interval`. Validation is waited for in any case.
        timeout: seconds (or a timedelta) for all of it; a day by default.
        cancel_on_kill: cancel the job when the task is killed, cleared or marked.
        cancel_on_timeout: cancel the job when the timeout has passed.
        on_clear: what clearing the task means: `reattach` (the default: clearing costs nothing) goes on with the job that there is,
            also when it is completed; `resubmit` stops it and renders again.
        renderjuice_conn_id: see `RenderjuiceHook`.

    A retry goes on where the try before it stopped: it does not upload again what is uploaded, nor render again what is rendering
    or done. Only when the job is over without success does a retry make a new one, and pay for it.

    Returns (XCom): as `RenderjuiceRenderJobOperator`.

    Raises:
        RenderjuiceInputError: for a file or a configuration that cannot be right, before anything is sent.
        RenderjuiceJobError: when the job failed, was canceled, or was cancelled by our timeout.
    """

    template_fields = (*JobOperator.template_fields, "file_path", "render_config")
    template_fields_renderers = {"render_config": "json"}  # noqa: RUF012

    def __init__(
        self, *, file_path: str | os.PathLike[str] | Any, on_clear: OnClear = "reattach", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.file_path = file_path
        self.on_clear = check_on_clear(on_clear)

    def execute(self, context: Context) -> dict[str, Any]:
        """All of it, or what an earlier try has left of it."""
        config = check_render_config(self.render_config).to_json()
        memory = JobMemory(context, self.client, self.on_clear)
        path = storage_path(self.file_path)
        work = fingerprint(str(self.file_path), config, self.renderjuice_conn_id, self.client.base_url)
        memory.begin(work, content_fingerprint(path), self.timeout)
        job = memory.job()
        if job is not None and self.next_step(job) is Step.GIVE_UP:
            self.log.info("Job %s of an earlier try is %s: starting a new one", job.id, job.status)
            memory.note(slug=None, job_id=None, **self._new_deadline())
            job = None
        job = self._take_up(memory, job) if job is not None else self._create(path, memory)
        return self.advance(context, job, memory.record.started, memory.record.deadline)

    def _create(self, path: Any, memory: JobMemory) -> Job:
        """A job from the scene, uploaded only if no earlier try did. Its id is on record before anything is paid for."""
        job = self._create_from(memory.record.slug) if memory.record.slug else None
        if job is None:
            memory.note(slug=self.client.upload(path).slug)
            job = self.client.create_job(str(memory.record.slug))
        memory.note(job_id=job.id)
        return job

    def _create_from(self, slug: str) -> Job | None:
        try:
            return self.client.create_job(slug)
        except (RenderjuiceRefusedError, RenderjuiceNotFoundError) as error:
            self.log.info("The upload of an earlier try is of no use any more (%s): uploading again", error)
            return None

    def finds_its_job_again(self, context: Context) -> bool:
        """Before Airflow 3.3 a retry makes a new job."""
        return Memory(context).lasts

    def _new_deadline(self) -> dict[str, float]:
        now = time.time()
        return {"started": now, "deadline": now + self.timeout}

    def no_success(self, job: Job, message: str) -> RenderjuiceError:
        """Here a retry can help, and costs again."""
        return RenderjuiceJobError(f"{message} A retry starts a new job: clear this task. (job {job.id})", job=job)

    def take(self, step: Step, job: Job) -> Job:
        """See `JobOperator`."""
        if step is Step.VALIDATE:
            return self.client.validate_job(job.id)
        return self.client.start_render(job.id, self.render_config)
