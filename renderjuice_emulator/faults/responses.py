"""Faults that are a response, while the work is not done; and `ok`."""

from __future__ import annotations

import json

from starlette.responses import HTMLResponse, RedirectResponse, Response

from renderjuice_emulator.answers import storage_error
from renderjuice_emulator.delivery import Delivery
from renderjuice_emulator.exchange import Exchange
from renderjuice_emulator.faults.base import Fault

_PAGE = "<html><head><title>Gateway</title></head><body><h1>The upstream server is having a moment</h1></body></html>"


class Ok(
    Fault,
    pattern="ok",
    examples=("ok",),
    request="nothing: this request is spared",
    webhook="nothing: this delivery is spared",
):
    """No fault. Keeps a place in the queue, and is also what an empty queue gives."""

    @property
    def noted(self) -> str | None:
        """Nothing."""
        return None

    async def serve(self, exchange: Exchange) -> None:
        """As always."""
        await exchange.work()

    async def deliver(self, delivery: Delivery) -> None:
        """As always."""
        await delivery.send()


class Status(
    Fault,
    pattern=r"([45]\d\d)(?: retry-after=(\S.*))?",
    examples=("429", "503", "429 retry-after=2"),
    request="this status, any 4xx or 5xx, with a `Retry-After` header where given: seconds, or an HTTP date; "
    "the work is not done",
    webhook="delivered, and counted as refused with this status",
):
    """An error as a response."""

    def __init__(self, text: str, status: str, retry_after: str | None) -> None:
        super().__init__(text)
        self.status, self.retry_after = int(status), retry_after

    async def serve(self, exchange: Exchange) -> None:
        """Refuse."""
        await exchange.refuse(self.status, {"Retry-After": self.retry_after} if self.retry_after else None)

    async def deliver(self, delivery: Delivery) -> None:
        """Deliver, and count it as refused."""
        if await delivery.send():
            delivery.entry.status = self.status


class Html(
    Fault,
    pattern=r"html ([45]\d\d)",
    examples=("html 502",),
    request="this status with a page of HTML, as a proxy gives; the work is not done",
):
    """A page of HTML as an error."""

    def __init__(self, text: str, status: str) -> None:
        super().__init__(text)
        self.status = int(status)

    async def serve(self, exchange: Exchange) -> None:
        """Respond with the page."""
        await exchange.respond(HTMLResponse(_PAGE, self.status))


class Nonsense(
    Fault,
    pattern="nonsense",
    examples=("nonsense",),
    request="200 with a page of HTML; the work is not done",
    webhook="delivered with a body that is not JSON",
):
    """A page of HTML where JSON is expected."""

    async def serve(self, exchange: Exchange) -> None:
        """Respond with the page."""
        await exchange.respond(HTMLResponse(_PAGE))

    async def deliver(self, delivery: Delivery) -> None:
        """Deliver a page instead of the event."""
        delivery.body = b"<html>this is not an event</html>"
        await delivery.send()


class Json(
    Fault,
    pattern=r"json ((?s:.*))",
    examples=('json {"data": {}}',),
    request="200 with this JSON; the work is not done",
):
    """Any JSON as a response."""

    def __init__(self, text: str, body: str) -> None:
        super().__init__(text)
        self.body = body
        try:
            json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{text[:80]!r} is not followed by JSON: {error}") from None

    async def serve(self, exchange: Exchange) -> None:
        """Respond with the JSON, as it was written."""
        await exchange.respond(Response(self.body, media_type="application/json"))


class Redirect(
    Fault,
    pattern=r"redirect (https?://(?s:.*))",
    examples=("redirect https://elsewhere.test/",),
    request="307 to this address; the work is not done",
):
    """A redirect to another address."""

    def __init__(self, text: str, address: str) -> None:
        super().__init__(text)
        self.address = address

    async def serve(self, exchange: Exchange) -> None:
        """Redirect."""
        await exchange.respond(RedirectResponse(self.address, 307))


class Expired(
    Fault,
    pattern="expired",
    examples=("expired",),
    request="what the store says of an expired URL; `put_upload` and `download_file` only",
    at_store_only=True,
):
    """An expired URL."""

    async def serve(self, exchange: Exchange) -> None:
        """Refuse as the store does."""
        await exchange.respond(storage_error(403, "AccessDenied", "Request has expired"))
