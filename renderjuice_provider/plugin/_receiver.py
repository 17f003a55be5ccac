"""One webhook: checked before anything is parsed, noted before it is answered."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from renderjuice_provider.api.errors import RenderjuiceResponseError, RenderjuiceWebhookError
from renderjuice_provider.api.webhooks import read_webhook
from renderjuice_provider.plugin._refusals import RefusalLog, RefusedError

if TYPE_CHECKING:
    from starlette.requests import Request

    from renderjuice_provider.plugin._group_commit import GroupCommit
    from renderjuice_provider.plugin._secrets import Secrets

log = logging.getLogger(__name__)

SIZE_LIMIT = 8 * 1024 * 1024
"""Bytes of a body. An event brings a signed URL for each frame, up to some 1,500 bytes: this is
room for 5,000 frames."""
_LONGEST_NUMBER = 1000
"""Digits of a length that are read: Python reads no number of more than some thousands."""
SMALL = 64 * 1024
LARGE_AT_ONCE = 4
"""Bodies above `SMALL` that one process reads at a time: anyone can send some."""
PATIENCE = 5.0
"""Seconds for everything: Renderjuice waits seven."""


class Receiver:
    """Takes what Renderjuice sends about the jobs of a connection.

    Args:
        secrets: of the connections.
        group_commit: notes events.
    """

    def __init__(self, secrets: Secrets, group_commit: GroupCommit) -> None:
        self._secrets = secrets
        self._group_commit = group_commit
        self._refusals = RefusalLog()
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def receive(self, request: Request, renderjuice_conn_id: str) -> int:
        """The status to answer with; the sender learns no more."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._take(request, renderjuice_conn_id)
        except RefusedError as error:
            refused = error
        except TimeoutError:
            refused = RefusedError("too_slow", f"It was not received and noted within {PATIENCE:g} s.")
        except ClientDisconnect:
            refused = RefusedError("cut_off", "The sender went away before the end of the body.")
        else:
            return 200
        self._refusals.add(refused, renderjuice_conn_id)
        return refused.status

    async def _take(self, request: Request, renderjuice_conn_id: str) -> None:
        secrets = await self._secrets.of(renderjuice_conn_id)
        async with AsyncExitStack() as stack:
            body = await self._body(request, stack)
            try:
                event = read_webhook(request.headers, body, secrets, time.time())
            except RenderjuiceWebhookError as error:
                raise RefusedError(error.refusal, f"{error.what}.") from None
            except RenderjuiceResponseError as error:
                self._secrets.prove(renderjuice_conn_id)
                log.warning("Nothing to note for the connection %r: %s.", renderjuice_conn_id, error.what)
                return
        self._secrets.prove(renderjuice_conn_id)
        await self._group_commit.note(renderjuice_conn_id, event.job_id, event.event)

    async def _body(self, request: Request, large: AsyncExitStack) -> bytearray:
        """The raw body; a large one has its turn, which lasts as long as `large`."""
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:_LONGEST_NUMBER]) > SIZE_LIMIT:
            raise _too_large()
        body = bytearray()
        async for chunk in request.stream():
            if len(body) <= SMALL < len(body) + len(chunk):
                await large.enter_async_context(self._large)
            body += chunk
            if len(body) > SIZE_LIMIT:
                raise _too_large()
        return body


def _too_large() -> RefusedError:
    return RefusedError("too_large", f"Its body is larger than {SIZE_LIMIT:,} bytes.")
