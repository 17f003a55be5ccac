"""The documented endpoints. The decorator of each declares one operation."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, cast

from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi import Path as PathParameter
from fastapi.security import HTTPBearer
from starlette.responses import Response

from renderjuice_emulator.answers import JSONResponse, iso, job_body, job_response
from renderjuice_emulator.downloads import downloads_body
from renderjuice_emulator.farm import RefusalError
from renderjuice_emulator.jobs import Job
from renderjuice_emulator.ledger import Entry
from renderjuice_emulator.models import (
    Downloads,
    ErrorBody,
    JobObject,
    JobPage,
    JobRequest,
    RenderConfig,
    RenderRequest,
    UploadRequest,
    UploadTarget,
    WrappedJob,
)
from renderjuice_emulator.parts import EmulatorParts, Parts
from renderjuice_emulator.states import Status
from renderjuice_emulator.switches import JobShape

PREFIX = "/api/external/v1"

_bearer = HTTPBearer(
    auto_error=False, scheme_name="apiKey", description="API key from the dashboard: `Bearer RJ-XXX...`"
)
router = APIRouter(prefix=PREFIX, dependencies=[Depends(_bearer)])


async def _workspace(request: Request) -> str:
    """The middleware found it by the key: FastAPI would read the body first."""
    return cast(str, request.scope["workspace"])


Workspace = Annotated[str, Depends(_workspace)]


async def _job(
    parts: Parts,
    workspace_id: Workspace,
    job_id: Annotated[str, PathParameter(alias="id", json_schema_extra={"format": "uuid"})],
) -> Job:
    return parts.farm.find(workspace_id, job_id)


FoundJob = Annotated[Job, Depends(_job)]


def _job_answer(
    request: Request, parts: Parts, job: Job, shape: JobShape, headers: dict[str, str] | None = None
) -> Response:
    preview_url = parts.storage.preview_url(job, request.url.hostname)
    return job_response(job, parts.switches, shape, preview_url, headers)


def _answers(model: Any, *refusals: int) -> dict[int | str, dict[str, Any]]:
    errors = {
        400: "Refused: see the message",
        401: "No API key, or an unknown one",
        404: "Unknown to this workspace",
        429: "Rate limit: wait, and try again",
    }
    answers: dict[int | str, dict[str, Any]] = {200: {"model": model}}
    return answers | {code: {"model": ErrorBody, "description": errors[code]} for code in refusals}


@router.post("/uploads", responses=_answers(UploadTarget, 400, 401, 429))
async def create_upload(
    request: Request, parts: Parts, workspace_id: Workspace, body: Annotated[UploadRequest, Body()]
) -> Response:
    """Create upload target: a presigned URL for one PUT of a file smaller than 5 GiB."""
    name, kind = body["fileName"], body["fileType"]
    if PurePosixPath(name).suffix.lower() != f".{kind}":
        raise RefusalError(400, f"fileType {kind!r} does not match the extension of {name!r}")
    upload = parts.farm.create_upload(workspace_id, name, kind)
    _entry(request).file_name = name
    expires = parts.clock.now() + timedelta(seconds=parts.switches.upload_url_seconds)
    target = {
        "uploadUrl": parts.storage.upload_url(upload, request.url.hostname),
        "slug": upload.slug,
        "expiresAt": iso(expires),
    }
    return JSONResponse(target)


@router.post("/jobs", responses=_answers(JobObject, 400, 401, 404, 429))
async def create_job(
    request: Request, parts: Parts, workspace_id: Workspace, body: Annotated[JobRequest, Body()]
) -> Response:
    """Create job: from the slug of a finished upload."""
    job = parts.farm.create_job(workspace_id, body["slug"])
    entry = _entry(request)
    entry.job_id, entry.file_name = job.id, job.upload.file_name
    return _job_answer(request, parts, job, parts.switches.create_job_shape)


@router.get("/jobs", responses=_answers(JobPage, 400, 401, 429))
async def list_jobs(
    request: Request,
    parts: Parts,
    workspace_id: Workspace,
    page: Annotated[int, Query(gt=0, description="Page number, from 1.")] = 1,
    page_size: Annotated[int, Query(gt=0, alias="pageSize", description="Number of jobs on a page.")] = 10,
    status: Annotated[Status | None, Query(description="Only jobs of this status.")] = None,
) -> Response:
    """List jobs: newest first, in pages, of one status where given."""
    switches = parts.switches
    jobs = [job for job in reversed(parts.farm.jobs.values()) if job.workspace_id == workspace_id]
    if status and not switches.status_filter_ignored:
        jobs = [job for job in jobs if job.shown_status == status]
    page = 1 if switches.page_parameter_ignored else page
    size = min(page_size, switches.max_page_size)
    pagination = {"page": page, "pageSize": size, "total": len(jobs), "totalPages": -(-len(jobs) // size)}
    host = request.url.hostname
    shown = [
        job_body(job, switches, parts.storage.preview_url(job, host)) for job in jobs[(page - 1) * size : page * size]
    ]
    return JSONResponse({"jobs": shown, "pagination": pagination})


@router.get("/jobs/progress", responses=_answers(list[dict[str, Any]], 401, 429))
async def list_progress(parts: Parts, workspace_id: Workspace) -> Response:
    """Progress of all running jobs: counters, or an empty array."""
    jobs = [job for job in parts.farm.jobs.values() if job.workspace_id == workspace_id]
    counters = [counter for job in jobs if (counter := parts.farm.progress(job))]
    by_job = {counter["jobId"]: counter for counter in counters}
    return _shape_progress(parts, counters, by_job)


@router.get("/jobs/{id}", responses=_answers(WrappedJob, 401, 404, 429))
async def get_job(request: Request, parts: Parts, job: FoundJob) -> Response:
    """Get job: wrapped in `data`."""
    if job.hidden_reads:
        job.hidden_reads -= 1
        raise RefusalError(404, "no such job")
    return _job_answer(request, parts, job, parts.switches.get_job_shape)


@router.post("/jobs/{id}/validate", responses=_answers(JobObject, 400, 401, 404, 429))
async def validate_job(request: Request, parts: Parts, job: FoundJob) -> Response:
    """Validate: only from `created`."""
    parts.farm.validate(job)
    return _job_answer(request, parts, job, parts.switches.validate_shape)


@router.post("/jobs/{id}/render", responses=_answers(JobObject, 400, 401, 404, 429))
async def start_render(
    request: Request, parts: Parts, job: FoundJob, body: Annotated[RenderRequest, Body()]
) -> Response:
    """Start render: from `validated`; a repeat starts nothing (`X-Idempotent-Replay`)."""
    config = body["requestedRenderConfig"]
    unknown = config.keys() - RenderConfig.__annotations__.keys()
    if unknown and parts.switches.unknown_render_keys == "refused":
        raise RefusalError(400, f"requestedRenderConfig has no {', '.join(sorted(unknown))}")
    started = parts.farm.start_render(job, cast(dict[str, Any], config))
    headers = None if started else {"X-Idempotent-Replay": "true"}
    return _job_answer(request, parts, job, parts.switches.start_render_shape, headers)


@router.post("/jobs/{id}/cancel", responses=_answers(JobObject, 400, 401, 404, 429))
async def cancel_job(request: Request, parts: Parts, job: FoundJob) -> Response:
    """Cancel: until the job is completed, failed or canceled."""
    await parts.farm.cancel(job)
    return _job_answer(request, parts, job, parts.switches.cancel_shape)


@router.get("/jobs/{id}/progress", responses=_answers(list[dict[str, Any]], 401, 404, 429))
async def get_progress(parts: Parts, job: FoundJob) -> Response:
    """Progress of one job: counters, or an empty array when nothing is running."""
    counter = parts.farm.progress(job)
    return _shape_progress(parts, [counter] if counter else [], counter or [])


@router.get("/jobs/{id}/downloads", responses=_answers(Downloads, 401, 404, 429))
async def get_downloads(request: Request, parts: Parts, job: FoundJob) -> Response:
    """Download URLs: signed, and empty before output is ready."""
    return JSONResponse(downloads_body(parts, job, request.url.hostname))


def _shape_progress(parts: EmulatorParts, array: list[dict[str, Any]], as_object: Any) -> Response:
    shapes = {"array": array, "object": as_object, "wrapped": {"data": array}}
    return JSONResponse(shapes[parts.switches.progress_shape])


def _entry(request: Request) -> Entry:
    return cast(Entry, request.scope["entry"])
