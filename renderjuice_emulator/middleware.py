"""The middleware around both origins: it admits a request, notes it, and serves it by its fault."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from renderjuice_emulator.answers import error_response
from renderjuice_emulator.exchange import Exchange
from renderjuice_emulator.farm import RefusalError
from renderjuice_emulator.guard import CONTROLS
from renderjuice_emulator.ledger import Entry
from renderjuice_emulator.parts import EmulatorParts
from renderjuice_emulator.routing import Operation, recognise

_log = logging.getLogger("renderjuice_emulator")

_NAMED_IN_BODY = {"create_upload": "fileName", "create_job": "slug"}
"""What in the body of these requests leads to the name of the file that they concern."""

UNWATCHED = (CONTROLS, "/openapi.json")
"""Paths of the emulator's own, which are neither noted nor disturbed."""
LONGEST_BODY = 1 << 20
"""Bytes of a call's body, which is held in memory: orders are JSON of some hundred bytes, and
scenes go to the store."""


class EmulatorMiddleware:
    """ASGI middleware around one of the emulator's two origins.

    Routes find the emulator's `parts` and their ledger `entry` in the scope.

    Args:
        app: the application behind it.
        operations: those that the application serves.
        parts: the emulator that it serves them for.
    """

    def __init__(self, app: ASGIApp, operations: Sequence[Operation], parts: EmulatorParts) -> None:
        self._app = app
        self._operations = operations
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope["parts"] = self._parts
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _noting_status(scope, send)
        try:
            self._refuse_foreign(scope)
            if scope["path"].startswith(UNWATCHED):
                await self._serve_own(scope, receive, send)
            else:
                await self._serve_noted(scope, receive, send)
        except RefusalError as error:
            refusal = error_response(self._parts.switches.error_shape, error.status, str(error))
            await refusal(scope, receive, send)

    def _refuse_foreign(self, scope: Scope) -> None:
        if problem := self._parts.guard.foreign(scope):
            # Never the token of the controls.
            shown = CONTROLS if scope["path"].startswith(CONTROLS) else scope["path"]
            _log.warning("refused %s %s: %s", scope["method"], shown, problem)
            raise RefusalError(403, problem)

    async def _serve_own(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A control, or the description."""
        if scope["path"].startswith(CONTROLS):
            path = self._parts.guard.control_path(scope["path"])
            if path is None:
                raise RefusalError(
                    403, "the address of the controls holds a token; the emulator prints it when it starts"
                )
            scope = {**scope, "path": path, "raw_path": path.encode()}
        _, receive = await _read_short_body(receive)
        await self._app(scope, receive, send)

    async def _serve_noted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A call of the API or of the store: it is in the ledger, and meets the next fault."""
        operation, job_id = recognise(self._operations, scope["method"], scope["path"])
        name = operation.name if operation else "other"
        at_store = operation is not None and operation.at_store
        authorization = Headers(scope=scope).get("authorization")
        entry = scope["entry"] = self._parts.ledger.open(
            name, scope["method"], scope["path"], had_authorization=authorization is not None
        )
        entry.job_id = job_id
        if operation and not at_store:
            scope["workspace"] = self._parts.workspace(authorization)
            if scope["workspace"] is None:
                raise RefusalError(401, "a valid API key is needed: Authorization: Bearer RJ-...")
            body, receive = await _read_short_body(receive)
            entry.file_name = self._file_name(name, body)
        entry.file_name = entry.file_name or self._known_name(scope["path"], job_id)
        fault = self._parts.faults.take(name, entry.file_name)
        entry.fault = fault.noted
        parts = self._parts
        exchange = Exchange(self._app, scope, receive, send, entry, parts.connections, parts.switches, at_store)
        started = time.perf_counter()
        try:
            await fault.serve(exchange)
        finally:
            _log_served(entry, time.perf_counter() - started)

    def _known_name(self, path: str, job_id: str | None) -> str | None:
        """The file that a request concerns, as far as its path says."""
        if account := self._parts.ledger.accounts.get(job_id or ""):
            return account.file_name
        upload = self._parts.farm.uploads.get(_slug(path))
        return upload.file_name if upload else None

    def _file_name(self, operation: str, body: bytes) -> str | None:
        """The file that a request concerns, as far as its body says."""
        key = _NAMED_IN_BODY.get(operation)
        try:
            value = str(json.loads(body)[key]) if key else None
        except (ValueError, LookupError, TypeError, RecursionError):
            return None
        if value is None or key == "fileName":
            return value
        upload = self._parts.farm.uploads.get(value)
        return upload.file_name if upload else None


def _log_served(entry: Entry, seconds: float) -> None:
    _log.info(
        "%s %s %s %s in %.0f ms%s",
        entry.method,
        entry.path,
        entry.operation,
        entry.status or "unanswered",
        seconds * 1000,
        f", fault: {entry.fault}" if entry.fault else "",
    )


def _slug(path: str) -> str:
    """The slug in `/uploads/{slug}/...`, a path of the store."""
    parts = path.split("/")
    return parts[2] if len(parts) > 3 and parts[1] == "uploads" else ""


def _noting_status(scope: Scope, send: Send) -> Send:
    """Sends, and notes the status where the request is in the ledger."""

    async def note(message: Message) -> None:
        if message["type"] == "http.response.start" and "entry" in scope:
            scope["entry"].status = message["status"]
        await send(message)

    return note


async def _read_short_body(receive: Receive) -> tuple[bytes, Receive]:
    """A whole body, and a channel that gives it once more and then what `receive` gives.

    Raises:
        RefusalError: as soon as the body is longer than it may be.
    """
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if len(body) > LONGEST_BODY:
            raise RefusalError(413, f"the body of this call is longer than {LONGEST_BODY} bytes")
        if not message.get("more_body"):
            break
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return body, replay
