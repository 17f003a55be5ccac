"""The object store: presigned PUT and signed downloads, on an origin of its own.

It refuses any `Authorization` header: a client that sends its API key here has leaked it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import zipfile
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from renderjuice_emulator.answers import storage_error
from renderjuice_emulator.clock import Clock
from renderjuice_emulator.farm import Farm
from renderjuice_emulator.jobs import Job, Upload, new_id
from renderjuice_emulator.operations import Routes
from renderjuice_emulator.rendering import RenderFailedError, inside
from renderjuice_emulator.signing import Signer
from renderjuice_emulator.switches import Switches

_BLOCK = 4 << 20
_SHOWN = frozenset({".png", ".jpg"})

ROUTES: Routes = (
    ("PUT", re.compile(r"/uploads/[^/]+/.*"), "put_upload"),
    ("GET", re.compile(r"/previews/(?P<job>[^/]+)/[^/]+"), "preview"),
    ("GET", re.compile(r"/download/(?P<job>[^/]+)/.*"), "download_file"),
)


class Storage:
    """Hands out signed URLs and serves them. `host` and `port` are set once they are known.

    URLs name the host by which the client reached the API, so that they also hold from another machine or container.
    """

    def __init__(self, *, clock: Clock, farm: Farm, switches: Switches) -> None:
        self.host = ""
        self.port = 0
        self._clock = clock
        self._farm = farm
        self._switches = switches
        self._signer = Signer()
        self.app = Starlette(
            routes=[
                Route("/uploads/{slug}/{name:path}", self._put, methods=["PUT"]),
                Route("/previews/{job}/{name}", self._get_preview, methods=["GET"]),
                Route("/download/{job}/{what}/{name:path}", self._get, methods=["GET"]),
            ]
        )

    def origin(self, host: str | None = None) -> str:
        """The store's origin, as seen from a client that calls this machine `host`."""
        return f"http://{f'[{host}]' if host and ':' in host else host or self.host}:{self.port}"

    def upload_url(self, upload: Upload, host: str | None = None) -> str:
        """A URL for one PUT."""
        expires = self._clock.transfer_timestamp() + self._switches.upload_url_seconds
        token = self._signer.sign("put", upload.slug, expires)
        return f"{self.origin(host)}/uploads/{upload.slug}/{quote(upload.file_name, safe='')}?token={token}"

    def file_url(self, job: Job, place: int, host: str | None = None) -> str:
        """A URL for the output at this place of the job's list."""
        return self._download_url(job, str(place), job.outputs[place].path.name, host)

    def preview_url(self, job: Job, host: str | None = None) -> str | None:
        """The latest frame that a browser can show; None before there is one. Unguessable instead of signed, so it stays."""
        file = _preview(job)
        return f"{self.origin(host)}/previews/{job.id}/{job.preview_id}{file.suffix}" if file else None

    def zip_url(self, job: Job, kind: str, host: str | None = None) -> str:
        """A URL for all outputs of a kind (`frame`, `composite`) in one archive, made when it is asked for."""
        return self._download_url(job, kind, f"{kind}s.zip", host)

    def _download_url(self, job: Job, what: str, name: str, host: str | None) -> str:
        expires = self._clock.transfer_timestamp() + self._switches.output_url_seconds
        token = self._signer.sign("get", f"{job.id}/{what}", expires)
        return f"{self.origin(host)}/download/{job.id}/{what}/{quote(name)}?token={token}"

    async def _put(self, request: Request) -> Response:
        upload = self._farm.uploads.get(request.path_params["slug"])
        if refusal := self._refusal(request, "put", request.path_params["slug"]):
            return refusal
        if upload is None:
            return storage_error(404, "NoSuchUpload", "The upload does not exist")
        request.scope["entry"].file_name = upload.file_name
        length = request.headers.get("content-length")
        if length is None:
            return storage_error(411, "MissingContentLength", "You must provide the Content-Length header")
        if int(length) >= self._switches.max_upload_bytes:
            return storage_error(413, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        others = sum(other.size or 0 for other in self._farm.uploads.values() if other is not upload)
        if others + int(length) > self._switches.quota_bytes:
            message = f"All uploads together may have {self._switches.quota_bytes} bytes: see the switch quota_bytes"
            return storage_error(507, "InsufficientStorage", message)
        try:
            upload.sha256 = await _receive_file(request, upload.path)
        except ClientDisconnect:
            return storage_error(400, "IncompleteBody", "The request body ended too early")
        upload.size = int(length)
        return Response(headers={"ETag": f'"{upload.sha256[:32]}"'})

    async def _get(self, request: Request) -> Response:
        job_id, what = request.path_params["job"], request.path_params["what"]
        if refusal := self._refusal(request, "get", f"{job_id}/{what}"):
            return refusal
        job = self._farm.jobs.get(job_id)
        if job is None:
            return storage_error(404, "NoSuchKey", "The specified key does not exist")
        try:
            path = _own(job, int(what)) if what.isdigit() else await asyncio.to_thread(_pack, job, what)
        except RenderFailedError:
            return storage_error(404, "NoSuchKey", "The specified key does not exist")
        return _LargeFileResponse(path)

    async def _get_preview(self, request: Request) -> Response:
        job, name = self._farm.jobs.get(request.path_params["job"]), request.path_params["name"]
        file = _preview(job) if job else None
        if job is None or file is None or Path(name).stem != job.preview_id or file.is_symlink():
            return storage_error(404, "NoSuchKey", "The specified key does not exist")
        return FileResponse(file)

    def _refusal(self, request: Request, purpose: str, what: str) -> Response | None:
        if "authorization" in request.headers:
            return storage_error(400, "InvalidRequest", "Only one auth mechanism allowed: the query's, no header")
        token = request.query_params.get("token", "")
        if problem := self._signer.verify(token, purpose, what, self._clock.transfer_timestamp()):
            return storage_error(403, "AccessDenied", problem)
        return None


class _LargeFileResponse(FileResponse):
    chunk_size = 1 << 20


async def _receive_file(request: Request, path: Path) -> str:
    """Write a request's body to `path` block by block, and return its SHA-256. The file appears when it is whole."""
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


def _preview(job: Job) -> Path | None:
    shown = (file.path for file in reversed(job.outputs) if file.kind == "frame" and file.path.suffix in _SHOWN)
    return next(shown, None)


def _own(job: Job, place: int) -> Path:
    """The output at this place, if it is still one: what renders a scene may have put a link there since it was announced."""
    return inside(job.folder, job.outputs[place].path)


def _pack(job: Job, kind: str) -> Path:
    archive = job.folder / f"{kind}s.zip"
    if not archive.exists():
        partial = archive.with_suffix(".partial")
        with zipfile.ZipFile(partial, "w") as target:
            for place, file in enumerate(job.outputs):
                if file.kind == kind:
                    target.write(_own(job, place), file.relative_path or file.path.name)
        partial.replace(archive)
    return archive
