"""How responses look: jobs, errors, dates. Renderjuice documents the first; errors are a switch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from starlette.responses import HTMLResponse, Response
from starlette.responses import JSONResponse as StarletteJSONResponse

from renderjuice_emulator.jobs import Job
from renderjuice_emulator.states import TERMINAL
from renderjuice_emulator.switches import ErrorShape, JobShape, Switches

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def plain(value: Any) -> Any:
    """`value` as every client can read it.

    A scene may hold texts that are not UTF-8 (old file names), and numbers such as NaN. One
    response that cannot be written would be a 500 to every client that lists jobs.
    """
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode().replace("\0", "\\x00")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


class JSONResponse(StarletteJSONResponse):
    """JSON of anything that a scene or a client has put into it."""

    def render(self, content: Any) -> bytes:
        """As bytes."""
        return super().render(plain(content))


def iso(moment: datetime, *, fraction: bool = True) -> str:
    """ISO 8601 in UTC, as JavaScript writes it."""
    return moment.isoformat(timespec="milliseconds" if fraction else "seconds").replace("+00:00", "Z")


def job_body(job: Job, switches: Switches, preview_url: str | None) -> dict[str, Any]:
    """The job object of https://www.renderjuice.com/docs/api-reference/jobs/create-job."""
    fraction = switches.created_at_fraction
    is_over = job.status in TERMINAL
    body: dict[str, Any] = {
        "id": job.id,
        "status": job.shown_status,
        "workspaceId": job.workspace_id,
        "createdAt": iso(job.created_at, fraction=fraction),
        "updatedAt": iso(job.updated_at, fraction=fraction),
        "userId": job.user_id,
        "rootFolderId": job.root_folder_id,
        "normalizedSeconds": job.normalized_seconds if switches.seconds_while_rendering or is_over else None,
        "previewUrl": preview_url,
        "requestedConfig": job.requested_config,
        "finalConfig": job.final_config,
        "output": {"isDeletedForClient": switches.outputs_deleted and bool(job.outputs)},
        "isAnalysisSkipped": False,
        "analysisId": job.analysis_id,
        "analysis": job.analysis.to_json() if job.analysis else None,
        "sceneFile": {"name": job.scene_name, "sizeBytes": job.scene.stat().st_size} if job.scene else None,
    }
    if job.failed_reason:
        body["failedReason"] = job.failed_reason
    return body


def job_response(
    job: Job,
    switches: Switches,
    shape: JobShape,
    preview_url: str | None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A job in the shape that a switch asks for."""
    if shape == "no-content":
        return Response(status_code=204, headers=headers)
    if shape == "empty":
        return Response(status_code=200, headers=headers)
    body = job_body(job, switches, preview_url)
    return JSONResponse({"data": body} if shape == "wrapped" else body, headers=headers)


def error_response(shape: ErrorShape, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error in the shape that the switch asks for."""
    title = _PHRASES.get(status, "Error")
    bodies: dict[ErrorShape, Any] = {
        "nest": {"statusCode": status, "error": title, "message": message},
        "message": {"message": message},
        "error": {"error": {"code": title.upper().replace(" ", "_"), "message": message}},
        "errors": {"errors": [{"title": title, "detail": message}]},
        "list": [{"message": message}],
    }
    if shape == "html":
        return HTMLResponse(f"<html><body><h1>{status} {title}</h1></body></html>", status, headers)
    if shape == "empty":
        return Response(status_code=status, headers=headers)
    return JSONResponse(bodies[shape], status, headers)


def storage_error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as object stores write it: XML."""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>'
    return Response(text, status, headers, "application/xml")
