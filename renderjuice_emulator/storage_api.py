"""The object store's endpoints: presigned PUT and signed downloads, on an origin of its own.

It refuses any `Authorization` header: a client that sends its API key here has leaked it.
"""

from __future__ import annotations

import asyncio
import hashlib
import zipfile
from functools import cache
from pathlib import Path
from typing import cast

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from renderjuice_emulator.answers import storage_error
from renderjuice_emulator.jobs import Job, new_id
from renderjuice_emulator.parts import EmulatorParts
from renderjuice_emulator.rendering import RenderFailedError, inside

_BLOCK = 4 << 20


async def put_upload(request: Request) -> Response:
    """The PUT of one file, to the URL of its upload target."""
    parts, slug = _parts(request), request.path_params["slug"]
    upload = parts.farm.uploads.get(slug)
    if refusal := _refusal(request, "put", slug):
        return refusal
    if upload is None:
        return storage_error(404, "NoSuchUpload", "The upload does not exist")
    request.scope["entry"].file_name = upload.file_name
    length = request.headers.get("content-length")
    if length is None:
        return storage_error(411, "MissingContentLength", "You must provide the Content-Length header")
    if int(length) >= parts.switches.max_upload_bytes:
        return storage_error(413, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    others = sum(other.size or 0 for other in parts.farm.uploads.values() if other is not upload)
    if others + int(length) > (quota := parts.switches.quota_bytes):
        message = f"All uploads together may have {quota} bytes: see the switch quota_bytes"
        return storage_error(507, "InsufficientStorage", message)
    try:
        upload.sha256 = await _receive_file(request, upload.path)
    except ClientDisconnect:
        return storage_error(400, "IncompleteBody", "The request body ended too early")
    upload.size = int(length)
    return Response(headers={"ETag": f'"{upload.sha256[:32]}"'})


async def preview(request: Request) -> Response:
    """The latest frame of a job, as its `previewUrl` names it."""
    job_id = request.path_params["id"]
    if _parts(request).switches.signed_previews and (refusal := _refusal(request, "get", f"{job_id}/preview")):
        return refusal
    job = _parts(request).farm.jobs.get(job_id)
    file = job.preview if job else None
    named = Path(request.path_params["name"]).stem
    if job is None or file is None or named != job.preview_id or file.is_symlink():
        return _no_such_key()
    return FileResponse(file)


async def download_file(request: Request) -> Response:
    """One output of a job, or all of a kind in one archive."""
    job_id, what = request.path_params["id"], request.path_params["what"]
    if refusal := _refusal(request, "get", f"{job_id}/{what}"):
        return refusal
    job = _parts(request).farm.jobs.get(job_id)
    if job is None:
        return _no_such_key()
    try:
        path = _output(job, int(what)) if what.isdigit() else await asyncio.to_thread(_pack, job, what)
    except RenderFailedError:
        return _no_such_key()
    if not _parts(request).switches.ranges:
        request.scope["headers"] = [header for header in request.scope["headers"] if header[0] != b"range"]
    return _LargeFileResponse(path)


ROUTES = (
    Route("/uploads/{slug}/{name:path}", put_upload, methods=["PUT"]),
    # An image for people's eyes, which no client of the API asks for.
    Route("/previews/{id}/{name}", preview, methods=["GET"], include_in_schema=False),
    Route("/download/{id}/{what}/{name:path}", download_file, methods=["GET"]),
)


@cache
def storage_application() -> Starlette:
    """The application behind the store's port, made once for every emulator."""
    return Starlette(routes=ROUTES)


class _LargeFileResponse(FileResponse):
    chunk_size = 1 << 20


def _parts(request: Request) -> EmulatorParts:
    return cast(EmulatorParts, request.scope["parts"])


def _refusal(request: Request, purpose: str, what: str) -> Response | None:
    if "authorization" in request.headers:
        message = "Only one auth mechanism allowed: the query's, no header"
        return storage_error(400, "InvalidRequest", message)
    token = request.query_params.get("token", "")
    if problem := _parts(request).storage.problem(token, purpose, what):
        return storage_error(403, "AccessDenied", problem)
    return None


def _no_such_key() -> Response:
    return storage_error(404, "NoSuchKey", "The specified key does not exist")


async def _receive_file(request: Request, path: Path) -> str:
    """Write a request's body to `path` block by block, and return its SHA-256.

    The file appears when it is whole.
    """
    partial = path.with_suffix(f".{new_id()}.partial")
    digest = hashlib.sha256()
    block = bytearray()
    try:
        with partial.open("wb") as file:

            def store(data: bytes) -> None:
                digest.update(data)
                file.write(data)

            async for chunk in request.stream():
                block += chunk
                if len(block) >= _BLOCK:
                    # Off the loop: hashing and writing 4 MiB would hold up every other request.
                    await asyncio.to_thread(store, bytes(block))
                    block.clear()
            store(bytes(block))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return digest.hexdigest()


def _output(job: Job, place: int) -> Path:
    """The output at this place, if it is still a file of the job.

    What renders a scene may have put a link there since it was announced.
    """
    return inside(job.folder, job.outputs[place].path)


def _pack(job: Job, kind: str) -> Path:
    archive = job.folder / f"{kind}s.zip"
    if not archive.exists():
        partial = archive.with_suffix(".partial")
        with zipfile.ZipFile(partial, "w") as target:
            for place, file in enumerate(job.outputs):
                if file.kind == kind:
                    target.write(_output(job, place), file.relative_path or file.path.name)
        partial.replace(archive)
    return archive
