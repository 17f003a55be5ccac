"""Rendering a job, or a whole scene: what costs money."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import Argument, plain_config, plain_path, read_job_id, truth
from renderjuice_provider._job_errors import RenderjuiceOtherOrderError
from renderjuice_provider.api._paths import plan
from renderjuice_provider.api.config import RenderConfig, check_render_config
from renderjuice_provider.api.errors import (
    Bill,
    RenderjuiceError,
    RenderjuiceInputError,
    RenderjuiceJobError,
    RenderjuiceNotFoundError,
    RenderjuiceRefusedError,
    RetryEffect,
)
from renderjuice_provider.api.models import RENDER_STARTED, Job, JobStatus
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.frames import count_outputs
from renderjuice_provider.lifecycle.order import compare, picture
from renderjuice_provider.lifecycle.record import Work, fingerprint
from renderjuice_provider.lifecycle.status import Action, action_to_rendered
from renderjuice_provider.operators._base import scene_path
from renderjuice_provider.operators._task_store import JobState, OnClear, TaskStore, check_on_clear
from renderjuice_provider.operators._validation import tell
from renderjuice_provider.operators._waiting import JobOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

RENDER_TIMEOUT = timedelta(hours=24)
"""Long enough for a night that runs late; short enough that a forgotten job does not cost a week."""


class _RenderOperator(JobOperator):
    """What rendering one job and running a whole one share."""

    last_wait = Action.WAIT_FOR_RENDER
    spends_money = True
    template_fields = (*JobOperator.template_fields, "render_config", "cancel_on_kill", "cancel_on_timeout")
    template_fields_renderers = {"render_config": "json"}  # noqa: RUF012
    render_config = Argument(plain_config)
    cancel_on_kill = Argument(truth)
    cancel_on_timeout = Argument(truth)

    def __init__(
        self,
        *,
        render_config: RenderConfig | Mapping[str, Any] | str | XComArg,
        timeout: float | timedelta = RENDER_TIMEOUT,
        cancel_on_kill: bool = True,
        cancel_on_timeout: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout=timeout, **kwargs)
        self.render_config = render_config
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self._told_of = ""

    def next_step(self, job: Job) -> Action:
        """See `JobOperator`. A render that is another one than the order of this task is an error, however well it goes.

        Raises:
            RenderjuiceOtherOrderError: naming the fields that differ.
        """
        step = action_to_rendered(job.status)
        if step in {Action.WAIT_FOR_RENDER, Action.DONE}:
            self._check_order(job)
        return step

    def _check_order(self, job: Job, *, own: bool = True) -> None:
        """Compare the job's order with that of this task.

        Args:
            job: that renders, or has rendered.
            own: whether this task may have ordered that itself. Then what the job has beside the order is a default that the API
                has filled in; else it is a choice of somebody else.
        """
        found = compare(check_render_config(self.render_config).to_json(), job.requested_config)
        added = () if own else found.added
        differences = (*found.differences, *(f"{field}, which was not ordered" for field in added))
        if differences:
            raise RenderjuiceOtherOrderError(
                f"Another order: {'; '.join(differences)}. The job is {job.status}",
                job=job,
                bill=Bill.LEFT_AS_IT_IS,
                next_step="create a new job for this order, or order here what the job has",
            )
        if found.untold and self._told_of != job.id:
            self.log.info(
                "Renderjuice does not tell whether job %s renders what was ordered as %s",
                job.id,
                ", ".join(found.untold),
            )
        self._told_of = job.id

    def summary(self, job: Job) -> dict[str, Any]:
        """See the class."""
        return {"job_id": job.id, "status": job.status, "normalized_seconds": job.normalized_seconds} | self._frames(
            job
        )

    def _work(self, about: str, config: dict[str, Any], **more: str | None) -> Work:
        mark = fingerprint(more.get("job_id"), picture(config))
        formerly = fingerprint(about, config, self.renderjuice_conn_id, self.client.base_url)
        return Work(mark, config, formerly, **more)

    def _take_up(self, memory: JobState, job: Job) -> Job:
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
            downloads = self.client.get_downloads(job.id)
        except RenderjuiceError as error:  # the render is done and paid: a count is not worth failing it
            self.log.warning("Frames could not be counted: %s", error)
            return {}
        order = check_render_config(self.render_config).to_json()
        count = count_outputs((order, job.final_config), plan(downloads), analysis=job.analysis)
        requested = None if count.requested is None else len(count.requested)
        return {
            "frames_requested": requested,
            "frames_delivered": len(downloads.frame_files),
            "frames_missing": list(count.missing),
            "missing": [gap.to_json() for gap in count.gaps],
            "complete": count.complete,
        }


class RenderjuiceRenderJobOperator(_RenderOperator):
    """Render a validated job: from here on it costs money.

    Starting is idempotent at Renderjuice, so a retry of this task takes up the render that runs.

    Args:
        job_id: a job that is `validated`, or being validated.
        render_config: at least `{"colorManagementPreset": "default"}`; see `RenderConfig`, in which
            templates are rendered, too. Text is read as JSON.
        wait: see `JobOperator`, as for `deferrable` and `poll_interval`.
        timeout: seconds (or a timedelta); a day by default.
        cancel_on_kill: cancel the job when the task is killed, cleared or marked.
        cancel_on_timeout: cancel the job when the timeout has passed.
        renderjuice_conn_id: see `RenderjuiceHook`.

    Returns (XCom): `job_id`, `status`, `normalized_seconds`, and once it is over `frames_requested` (None when nobody knows),
    `frames_delivered` (files), `frames_missing` (their numbers), `missing` (the same by view and compositor node) and `complete`
    (None when nobody knows what was ordered).

    Raises:
        RenderjuiceInputError: for a configuration that cannot be right, before anything is spent.
        RenderjuiceOtherOrderError: when the job already renders, or has rendered, another configuration.
        RenderjuiceJobOverError: when the job failed, was canceled, or was cancelled by our timeout; not retried.
    """

    template_fields = (*_RenderOperator.template_fields, "job_id")

    def __init__(self, *, job_id: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_id: Any = job_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Render, and wait; a retry goes on with what runs, and with the deadline of the first try."""
        config, job_id = check_render_config(self.render_config).to_json(), read_job_id(self.job_id)
        memory = JobState(context, self.client, "reattach")
        work, job = self._work(job_id, config, job_id=job_id), self.client.get_job(job_id)
        if job.status in {*RENDER_STARTED} - {JobStatus.FAILED, JobStatus.CANCELED} and not memory.knows(work):
            self._check_order(job, own=False)
        memory.begin(work, self.timeout)
        job = self._take_up(memory, job)
        return self.advance(context, job, memory.record.started, memory.record.deadline)

    def take(self, step: Action, job: Job) -> Job:
        """See `JobOperator`."""
        if step is Action.VALIDATE:
            raise RenderjuiceInputError(
                f"Job {job.id} is created, not validated",
                bill=Bill.NOTHING_ORDERED,
                next_step="put a RenderjuiceValidateJobOperator before this task, or use "
                "RenderjuiceRunJobOperator, which does it all",
            )
        return self.client.start_render(job.id, self.render_config)


class RenderjuiceRunJobOperator(_RenderOperator):
    """Upload, create, validate and render one scene, in one task: made for `.partial(...).expand_kwargs(shots)`.

    Args:
        file_path: a local path, or any `ObjectStoragePath` URL.
        render_config: at least `{"colorManagementPreset": "default"}`; see `RenderConfig`, in which
            templates are rendered, too. Text is read as JSON.
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

    template_fields = (*_RenderOperator.template_fields, "file_path", "on_clear")
    file_path = Argument(plain_path)
    on_clear = Argument(check_on_clear)

    def __init__(
        self, *, file_path: str | os.PathLike[str] | Any, on_clear: OnClear = "reattach", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.file_path = file_path
        self.on_clear = on_clear

    def execute(self, context: Context) -> dict[str, Any]:
        """All of it, or what an earlier try has left of it."""
        config = check_render_config(self.render_config).to_json()
        memory = JobState(context, self.client, self.on_clear)
        path = scene_path(self.file_path)
        source = str(self.file_path)
        memory.begin(self._work(source, config, content=content_fingerprint(path), source=source), self.timeout)
        job = memory.job()
        if job is not None and self.next_step(job) is Action.GIVE_UP:
            self.log.info("Job %s of an earlier try is %s: starting a new one", job.id, job.status)
            memory.note(slug=None, job_id=None, **self._new_deadline())
            job = None
        job = self._take_up(memory, job) if job is not None else self._create(path, memory)
        return self.advance(context, job, memory.record.started, memory.record.deadline)

    def _create(self, path: Any, memory: JobState) -> Job:
        """A job from the scene, uploaded only if no earlier try did. Its id is on record before anything is paid for."""
        job = self._create_from(memory.record.slug) if memory.record.slug else None
        if job is None:
            memory.note(slug=self.client.upload(path, one_scene=True).slug)
            job = self.client.create_job(str(memory.record.slug))
        memory.note(job_id=job.id)
        return job

    def _create_from(self, slug: str) -> Job | None:
        try:
            return self.client.create_job(slug)
        except (RenderjuiceRefusedError, RenderjuiceNotFoundError) as error:
            self.log.info("The upload of an earlier try is of no use any more (%s): uploading again", error.what)
            return None

    def finds_its_job_again(self, context: Context) -> bool:
        """Before Airflow 3.3 a retry makes a new job."""
        return TaskStore(context).lasts

    def _new_deadline(self) -> dict[str, float]:
        now = time.time()
        return {"started": now, "deadline": now + self.timeout}

    def no_success(self, job: Job, message: str) -> RenderjuiceError:
        """Here a retry can help, and costs again."""
        return RenderjuiceJobError(
            message, job=job, bill=self.bill(job), retry=RetryEffect.NEW_JOB, next_step="clear this task"
        )

    def take(self, step: Action, job: Job) -> Job:
        """See `JobOperator`."""
        if step is Action.VALIDATE:
            return self.client.validate_job(job.id)
        tell(self.log, job)
        return self.client.start_render(job.id, self.render_config)
