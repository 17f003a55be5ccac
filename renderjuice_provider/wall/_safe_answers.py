"""What holds for every answer of the wall: nothing of it runs, is framed, guessed or kept."""

from __future__ import annotations

import json
import logging

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from renderjuice_provider.api.redact import redact

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
_DEFECT = "The render wall could not be read: Airflow's database may not answer. The API server's log says more."
log = logging.getLogger(__name__)


def error_response(status: int, why: str) -> Response:
    """An error as the page shows it: a sentence."""
    return Response(json.dumps({"error": why}), status_code=status, media_type="application/json")


class SafeAnswers:
    """Adds the headers, and makes a sentence of what nobody expected.

    Args:
        app: answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As every ASGI app."""
        has_begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                headers = MutableHeaders(scope=message)
                headers.update(_ALWAYS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            # Without a traceback: pages ask again every five seconds.
            log.error("The render wall could not answer: %s", redact(f"{type(error).__name__}: {error}"))  # noqa: TRY400
            if has_begun:
                raise
            await error_response(503, _DEFECT)(scope, receive, send_with_headers)
