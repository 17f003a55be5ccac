"""What every request passes through: the ledger, the faults, and one line in the log."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from renderjuice_emulator.answers import error_response, storage_error
from renderjuice_emulator.connections import kill_peer
from renderjuice_emulator.faults import Fault
from renderjuice_emulator.guard import CONTROLS
from renderjuice_emulator.ledger import Entry
from renderjuice_emulator.operations import OPERATIONS, STORAGE_OPERATIONS, Routes, recognise

if TYPE_CHECKING:
    from renderjuice_emulator.emulation import Emulation

_log = logging.getLogger("renderjuice_emulator")
_PAGE = "<html><head><title>Gateway</title></head><body><h1>The upstream server is having a moment</h1></body></html>"

_NAMED_IN_BODY = {"create_upload": "fileName", "create_job": "slug"}
"""What in the body of these requests leads to the name of the file that they concern."""

UNWATCHED = (CONTROLS, "/openapi.json")
"""Paths of the emulator's own, which are neither noted nor disturbed."""
LONGEST_BODY = 1 << 20
"""Bytes of a call's body, which is held in memory: orders are JSON of some hundred bytes, and scenes go to the store."""

_TOO_LONG = f"the body of this call is longer than {LONGEST_BODY} bytes"


class Gate:
    """ASGI middleware around one of the emulator's two origins. Routes find `emulation` and their ledger `entry` in the scope."""

    def __init__(self, app: ASGIApp, routes: Routes, emulation: Emulation) -> None:
        self._app = app
        self._routes = routes
        self._emulation = emulation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope["emulation"] = self._emulation
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if problem := self._emulation.guard.foreign(scope):
            shown = CONTROLS if scope["path"].startswith(CONTROLS) else scope["path"]  # never their token
            _log.warning("refused %s %s: %s", scope["method"], shown, problem)
            await self._error(403, problem)(scope, receive, send)
            return
        if scope["path"].startswith(UNWATCHED):
            await self._serve_own(scope, receive, send)
            return
        operation, job_id = recognise(self._routes, scope["method"], scope["path"])
        authorization = Headers(scope=scope).get("authorization")
        entry = self._emulation.ledger.open(
            operation, scope["method"], scope["path"], had_authorization=authorization is not None
        )
        entry.job_id = job_id
        scope["entry"] = entry
        send = _noting(entry, send)
        if operation in OPERATIONS and operation not in STORAGE_OPERATIONS:
            scope["workspace"] = self._emulation.workspace(authorization)
            if scope["workspace"] is None:
                await self._error(401, "a valid API key is needed: Authorization: Bearer RJ-...")(scope, receive, send)
                return
            body = await _short_body(receive)
            if body is None:
                await self._error(413, _TOO_LONG)(scope, receive, send)
                return
            receive = _replaying(body, receive)
            entry.file_name = self._file_name(operation, body)
        entry.file_name = entry.file_name or self._known_name(scope["path"], job_id)
        fault = self._emulation.faults.take(operation, entry.file_name)
        entry.fault = fault.text if fault else None
        started = time.perf_counter()
        try:
            await self._serve(scope, receive, send, fault)
        finally:
            _log.info(
                "%s %s %s %s in %.0f ms%s",
                entry.method,
                entry.path,
                entry.operation,
                entry.status or "unanswered",
                (time.perf_counter() - started) * 1000,
                f", fault: {entry.fault}" if entry.fault else "",
            )

    async def _serve_own(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A control, or the description."""
        if scope["path"].startswith(CONTROLS):
            path = self._emulation.guard.control_path(scope["path"])
            if path is None:
                await self._error(
                    403, "the address of the controls holds a token; the emulator prints it when it starts"
                )(scope, receive, send)
                return
            scope = {**scope, "path": path, "raw_path": path.encode()}
        body = await _short_body(receive)
        if body is None:
            await self._error(413, _TOO_LONG)(scope, receive, send)
            return
        await self._app(scope, _replaying(body, receive), send)

    def _error(self, status: int, message: str) -> Response:
        return error_response(self._emulation.switches.error_shape, status, message)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, fault: Fault | None) -> None:
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind == "stall":
            await self._emulation.connections.pause(fault.seconds)
            await self._app(scope, receive, send)
        elif fault.kind in {"reset-before", "kill-before"}:
            await self._hang_up(scope, receive, send, kill=fault.kind == "kill-before")
        elif fault.kind in {"reset-after", "kill-after"}:
            await self._app(scope, receive, _swallow)
            await self._hang_up(scope, receive, send, kill=fault.kind == "kill-after")
        elif fault.kind == "stall-after":
            await self._app(scope, receive, self._stalling(send, fault.seconds))
        elif fault.kind == "truncate":
            await self._app(scope, receive, _truncating(send))
            self._emulation.connections.close(scope)
            await _until_disconnected(receive)
        else:
            await _read_to_the_end(receive)
            await self._answer(fault, scope)(scope, receive, send)

    def _known_name(self, path: str, job_id: str | None) -> str | None:
        """The file that a request concerns, where its path tells."""
        if account := self._emulation.ledger.accounts.get(job_id or ""):
            return account.file_name
        upload = self._emulation.farm.uploads.get(_slug(path))
        return upload.file_name if upload else None

    def _file_name(self, operation: str, body: bytes) -> str | None:
        """The file that a request concerns, where only its body tells."""
        key = _NAMED_IN_BODY.get(operation)
        try:
            value = str(json.loads(body)[key]) if key else None
        except (ValueError, LookupError, TypeError, RecursionError):
            return None
        if value is None or key == "fileName":
            return value
        upload = self._emulation.farm.uploads.get(value)
        return upload.file_name if upload else None

    def _answer(self, fault: Fault, scope: Scope) -> Response:
        if fault.kind == "expired":
            return storage_error(403, "AccessDenied", "Request has expired")
        if fault.kind == "json":
            return Response(fault.body, media_type="application/json")
        if fault.kind == "redirect":
            return RedirectResponse(fault.body, 307)
        if fault.kind in {"nonsense", "html"}:
            return HTMLResponse(_PAGE, fault.status)
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else None
        if scope["entry"].operation in STORAGE_OPERATIONS:
            return storage_error(fault.status, "SlowDown", "Please try again", headers)
        return error_response(self._emulation.switches.error_shape, fault.status, "asked for by a fault", headers)

    def _stalling(self, send: Send, seconds: float) -> Send:
        async def stall(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._emulation.connections.pause(seconds)
            await send(message)

        return stall

    async def _hang_up(self, scope: Scope, receive: Receive, send: Send, *, kill: bool) -> None:
        if kill:
            entry: Entry = scope["entry"]
            try:
                entry.peer_pid = await asyncio.to_thread(kill_peer, scope["client"], scope["server"])
            except RuntimeError as error:
                await error_response("nest", 500, str(error))(scope, receive, send)
                return
        self._emulation.connections.reset(scope)
        await _until_disconnected(receive)


def _slug(path: str) -> str:
    """The slug in `/uploads/{slug}/...`, a path of the store."""
    parts = path.split("/")
    return parts[2] if len(parts) > 3 and parts[1] == "uploads" else ""


def _noting(entry: Entry, send: Send) -> Send:
    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            entry.status = message["status"]
        await send(message)

    return note


async def _swallow(_message: Message) -> None:
    pass


def _truncating(send: Send) -> Send:
    """Sends half of the body that was promised. An empty body is promised one byte."""
    left = 0

    async def truncate(message: Message) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            length = int(headers.get(b"content-length", b"0"))
            left = length // 2
            headers[b"content-length"] = str(length or 1).encode()
            await send({**message, "headers": list(headers.items())})
        elif left:
            body = message.get("body", b"")[:left]
            left -= len(body)
            await send({"type": "http.response.body", "body": body, "more_body": True})

    return truncate


async def _short_body(receive: Receive) -> bytes | None:
    """A whole body; None as soon as it is longer than it may be."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if len(body) > LONGEST_BODY:
            return None
        if not message.get("more_body"):
            break
    return body


async def _read_to_the_end(receive: Receive) -> None:
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass


def _replaying(body: bytes, receive: Receive) -> Receive:
    """A channel that says `body` first, and then what `receive` says."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
