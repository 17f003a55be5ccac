"""The render farm: jobs and what becomes of them as time passes. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid5

from renderjuice_emulator.archives import several_scenes
from renderjuice_emulator.clock import Clock
from renderjuice_emulator.jobs import Job, Upload, new_id
from renderjuice_emulator.ledger import Account, Ledger
from renderjuice_emulator.mishaps import Mishaps, damage, spoil
from renderjuice_emulator.rendering import (
    RenderedFile,
    Renderer,
    RenderFailedError,
    RenderOrder,
    SceneReport,
    expand_frame_ranges,
)
from renderjuice_emulator.scenes import open_upload
from renderjuice_emulator.states import TERMINAL, Status
from renderjuice_emulator.switches import Switches

_log = logging.getLogger(__name__)


class RefusalError(Exception):
    """The farm does not do what was asked. `status` is the HTTP code, the text says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Farm:
    """Uploads, jobs, and the tasks that drive them.

    Args:
        slots: how many renders run at once; further ones wait in `booting`. None: any number.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        renderer: Renderer,
        ledger: Ledger,
        switches: Switches,
        data: Path,
        slots: int | None = None,
    ) -> None:
        self.jobs: dict[str, Job] = {}
        self.uploads: dict[str, Upload] = {}
        self.renderer = renderer
        self._clock = clock
        self._ledger = ledger
        self._switches = switches
        self._data = data
        self._slots = asyncio.Semaphore(slots) if slots else None
        self.on_completed: Callable[[Job], None] = lambda _: None
        """Called with each job that has completed."""

    # What the API asks for

    def create_upload(self, workspace_id: str, file_name: str, file_type: str) -> Upload:
        """A new target. The file is kept under the slug: a client's name is never a path here."""
        slug = new_id()
        folder = self._data / "uploads"
        folder.mkdir(parents=True, exist_ok=True)
        upload = Upload(slug, workspace_id, file_name, folder / f"{slug}.{file_type}")
        self.uploads[slug] = upload
        return upload

    def create_job(self, workspace_id: str, slug: str) -> Job:
        """A job for what was uploaded."""
        upload = self.uploads.get(slug)
        if upload is None or upload.workspace_id != workspace_id:
            raise RefusalError(self._switches.unknown_slug_status, "no upload has this slug")
        if upload.size is None:
            raise RefusalError(400, "nothing has been uploaded for this slug yet")
        if earlier := next((job for job in self.jobs.values() if job.upload is upload), None):
            if self._switches.slug_reuse == "refused":
                raise RefusalError(self._switches.wrong_state_status, "a job was already created from this slug")
            if self._switches.slug_reuse == "same-job":
                return earlier
        now = self._clock.now()
        user_id = str(uuid5(NAMESPACE_URL, workspace_id))
        job_id = new_id()
        folder = self._data / "jobs" / job_id
        folder.mkdir(parents=True)
        job = Job(job_id, workspace_id, user_id, upload, folder, now, now, self._switches.not_found_reads)
        self.jobs[job.id] = job
        self._ledger.accounts[job.id] = Account(job.id, upload.file_name, upload.sha256)
        return job

    def find(self, workspace_id: str, job_id: str) -> Job:
        """A job of this workspace; a job of another workspace is unknown."""
        job = self.jobs.get(job_id.lower())
        if job is None or job.workspace_id != workspace_id:
            raise RefusalError(404, "no such job")
        return job

    def validate(self, job: Job) -> None:
        """Begin validation."""
        if job.status is not Status.CREATED:
            raise RefusalError(self._switches.wrong_state_status, f"the job is {job.shown_status}, not created")
        self._become(job, Status.VALIDATING)
        job.task = self._clock.spawn(self._drive(job, self._validate))

    def start_render(self, job: Job, config: dict[str, Any]) -> bool:
        """Begin the render. False when it was begun before: nothing is started twice.

        A job that was canceled or failed before any render has nothing to replay, and refuses.
        """
        account = self._ledger.accounts[job.id]
        if job.requested_config is not None:
            account.replays += 1
            return False
        if job.status is not Status.VALIDATED or job.analysis is None:
            raise RefusalError(self._switches.wrong_state_status, f"the job is {job.shown_status}, not validated")
        final_config = _final_config(job.analysis, config)
        try:
            frames = expand_frame_ranges(final_config["frameRanges"])
        except RenderFailedError as error:
            raise RefusalError(400, error.name) from None
        job.requested_config, job.final_config, job.frames_total = config, final_config, len(frames)
        earlier = self._ledger.renders_started(file_name=account.file_name, sha256=account.sha256)
        mishaps = Mishaps.parse(self._switches.mishaps)
        lost_at = None if earlier else self._switches.worker_lost_at.get(account.file_name)
        job.mishaps = mishaps.of_render(f"{account.file_name} {account.sha256}", earlier, frames, lost_at)
        job.hangs_at = None if earlier else self._switches.hangs_at.get(account.file_name)
        account.renders_started += 1
        self._become(job, Status.BOOTING)
        job.task = self._clock.spawn(self._drive(job, self._render))
        return True

    async def cancel(self, job: Job) -> None:
        """Stop the job; the renderer has stopped when this returns."""
        if job.status in TERMINAL:
            raise RefusalError(self._switches.wrong_state_status, f"the job is already {job.status}")
        if self._switches.cancel_seconds and job.render_runs:
            job.cancel_task = job.cancel_task or self._clock.spawn(self._cancel_later(job))
            return
        await self._cancel(job)

    def progress(self, job: Job) -> dict[str, Any] | None:
        """Counters of a running render; None when nothing runs.

        Their names are this emulator's own.
        """
        if not job.render_runs:
            return None
        done = len({file.frame for file in job.outputs if file.kind == "frame"})
        return {
            "jobId": job.id,
            "status": job.shown_status,
            "framesTotal": job.frames_total,
            "framesCompleted": done,
            "framesRemaining": job.frames_total - done,
            "percentage": round(100 * done / job.frames_total, 1) if job.frames_total else 0.0,
        }

    def outputs_are_ready(self, job: Job) -> bool:
        """Whether the downloads of a job list its files already, and still."""
        if job.status is Status.COMPLETED and job.completed_at is not None:
            due = job.completed_at + self._switches.downloads_delay_seconds
            return not self._switches.outputs_deleted and self._clock.timestamp() >= due
        return job.status in {Status.FAILED, Status.CANCELED} and self._switches.canceled_keeps_frames

    def clear(self) -> None:
        """Forget all uploads and jobs and their files. What runs has to be stopped before."""
        self.jobs.clear()
        self.uploads.clear()
        for name in ("uploads", "jobs"):
            shutil.rmtree(self._data / name, ignore_errors=True)

    # What happens as time passes

    async def _validate(self, job: Job) -> None:
        folder = job.folder / "scene"
        job.scene = await asyncio.to_thread(open_upload, job.upload.path, folder, job.upload.file_name)
        report = await self.renderer.analyze(job.scene)
        if job.upload.path.suffix == ".zip" and (scenes := await asyncio.to_thread(several_scenes, folder)):
            text = f"Of several scenes in the archive {job.scene.name} was taken: {', '.join(scenes)}."
            report = replace(report, warnings=(*report.warnings, text))
        job.analysis = report
        job.analysis_id = new_id()
        self._become(job, Status.VALIDATED)

    async def _render(self, job: Job) -> None:
        async with self._slot():
            await self._clock.sleep(self._switches.boot_seconds)
            if self._switches.extra_status:
                job.extra_status = self._switches.extra_status
                await self._clock.sleep(self._switches.extra_status_seconds)
            self._become(job, Status.RENDERING)
            await self._render_frames(job)
            if not self._switches.skip_finalizing:
                self._become(job, Status.FINALIZING)
                await self._clock.sleep(self._switches.finalize_seconds)
        job.completed_at = self._clock.timestamp()
        self._become(job, Status.COMPLETED)
        self.on_completed(job)

    async def _render_frames(self, job: Job) -> None:
        if job.scene is None or job.analysis is None or job.final_config is None:
            raise RuntimeError("only a validated job can be rendered")
        order = RenderOrder(job.scene, job.analysis, job.folder / "outputs", job.final_config)
        order.destination.mkdir()
        started = self._clock.timestamp()
        account, rendered = self._ledger.accounts[job.id], set[int]()
        # Closing the iterator is what stops the renderer, also when this task is cancelled.
        async with aclosing(cast(Any, self.renderer.render(order))) as files:
            async for file in files:
                if file.frame in job.mishaps.never_rendered:
                    raise RenderFailedError(f"the worker that rendered frame {file.frame} was lost", "WORKER_LOST")
                if file.frame == job.hangs_at:
                    await self._clock.hang()
                rendered.add(file.frame)
                account.frames_rendered = len(rendered)
                account.normalized_seconds = job.normalized_seconds = round(self._clock.timestamp() - started, 3)
                await self._hand_over(job, file)

    async def _hand_over(self, job: Job, file: RenderedFile) -> None:
        """Add a file to the outputs, unless a mishap drops it."""
        if file.frame in job.mishaps.damaged:
            await asyncio.to_thread(damage, file.path)
        if file.frame in job.mishaps.spoilt:
            await asyncio.to_thread(spoil, file.path)
        if file.frame not in job.mishaps.dropped:
            job.outputs.append(file)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._slots:
            with self._clock.waiting():
                await self._slots.acquire()
        try:
            yield
        finally:
            if self._slots:
                self._slots.release()

    async def _drive(self, job: Job, work: Callable[[Job], Awaitable[None]]) -> None:
        try:
            await work(job)
        except RenderFailedError as error:
            self._fail(job, error.name, error.type)
        except Exception as error:  # noqa: BLE001 - a job without a task would stay in its status for ever
            _log.exception("Job %s failed through a defect of the emulator or its machine", job.id)
            self._fail(job, str(error), "INTERNAL_ERROR")

    def _fail(self, job: Job, name: str, type_: str) -> None:
        job.failed_reason = {"name": name, "type": type_}
        self._become(job, Status.FAILED)

    async def _cancel(self, job: Job) -> None:
        self._become(job, Status.CANCELED)
        self._ledger.accounts[job.id].canceled = True
        if job.task:
            job.task.cancel()
            await asyncio.wait([job.task])

    async def _cancel_later(self, job: Job) -> None:
        await self._clock.sleep(self._switches.cancel_seconds)
        if job.status not in TERMINAL:
            await self._cancel(job)

    def _become(self, job: Job, status: Status) -> None:
        job.become(status, self._clock.now())
        self._ledger.accounts[job.id].status = status


def _final_config(report: SceneReport, requested: dict[str, Any]) -> dict[str, Any]:
    """What validation detected, with what was requested laid over it.

    A report says nothing of file formats: what is not requested there is for the renderer, which
    has the scene.
    """
    step = f":{report.frame_step}" if report.frame_step != 1 else ""
    detected: dict[str, Any] = {
        "frameRanges": [f"{report.frame_start}-{report.frame_end}{step}"],
        "renderEngine": report.engine,
        "sampleCount": report.samples,
        "resolution": list(report.resolution),
        "resolutionPercentage": report.resolution_percentage,
        "fps": report.fps,
    }
    return detected | requested
