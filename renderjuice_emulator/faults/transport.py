"""Faults of connections, of time, and of the client: with the work done, or not."""

from __future__ import annotations

import asyncio

from starlette.types import Message

from renderjuice_emulator.delivery import Delivery
from renderjuice_emulator.exchange import Exchange
from renderjuice_emulator.faults.base import Fault

_SECONDS = r"(\d+(?:\.\d+)?)"


class ResetBefore(
    Fault,
    pattern="reset-before",
    examples=("reset-before",),
    request="a real TCP reset instead of a response; the work is not done",
    webhook="not delivered",
):
    """A connection that breaks before the work."""

    async def serve(self, exchange: Exchange) -> None:
        """Reset the connection."""
        await exchange.reset()

    async def deliver(self, delivery: Delivery) -> None:
        """Lose the event."""


class ResetAfter(
    Fault,
    pattern="reset-after",
    examples=("reset-after",),
    request="the work is done; a real TCP reset instead of a response",
    webhook="delivered; the receiver's response is lost",
):
    """A connection that breaks after the work."""

    async def serve(self, exchange: Exchange) -> None:
        """Work, and reset the connection."""
        await exchange.work_without_response()
        await exchange.reset()

    async def deliver(self, delivery: Delivery) -> None:
        """Deliver, and lose the response."""
        await delivery.send()
        delivery.entry.status = None


class Stall(
    Fault,
    pattern=f"stall {_SECONDS}",
    examples=("stall 5",),
    request="a wait of this many real seconds before the work, which is done even if the client gives up",
    webhook="delivered after this many real seconds",
):
    """A server that is slow to begin."""

    def __init__(self, text: str, seconds: str) -> None:
        super().__init__(text)
        self.seconds = float(seconds)

    async def serve(self, exchange: Exchange) -> None:
        """Wait, then work."""
        await exchange.pause(self.seconds)
        await exchange.work()

    async def deliver(self, delivery: Delivery) -> None:
        """Wait, then deliver."""
        await asyncio.sleep(self.seconds)
        await delivery.send()


class StallAfter(
    Fault,
    pattern=f"stall-after {_SECONDS}",
    examples=("stall-after 5",),
    request="a wait of this many real seconds between the work and the response",
):
    """A response that is slow to come."""

    def __init__(self, text: str, seconds: str) -> None:
        super().__init__(text)
        self.seconds = float(seconds)

    async def serve(self, exchange: Exchange) -> None:
        """Work, then wait before the response begins."""

        async def stall(message: Message) -> None:
            if message["type"] == "http.response.start":
                await exchange.pause(self.seconds)
            await exchange.send(message)

        await exchange.work(stall)


class Slow(
    Fault,
    pattern=r"slow ([1-9]\d*(?:\.\d+)?)([kM]?)B/s",
    examples=("slow 10kB/s",),
    request="the work is done; the body of the response trickles at this rate of B/s, kB/s or MB/s, ten times a second",
):
    """A thin line to the client."""

    def __init__(self, text: str, rate: str, prefix: str) -> None:
        super().__init__(text)
        self.bytes_per_second = float(rate) * {"": 1, "k": 1_000, "M": 1_000_000}[prefix]

    async def serve(self, exchange: Exchange) -> None:
        """Work, and send the body piece by piece."""
        size = max(1, int(self.bytes_per_second / 10))

        async def trickle(message: Message) -> None:
            body = message.get("body", b"")
            for start in range(0, len(body), size):
                piece = body[start : start + size]
                await exchange.pause(len(piece) / self.bytes_per_second)
                await exchange.send({**message, "body": piece, "more_body": True})
            await exchange.send({**message, "body": b""} if body else message)

        await exchange.work(trickle)


class Truncate(
    Fault,
    pattern="truncate",
    examples=("truncate",),
    request="the work is done; the response's `Content-Length` promises more than is sent",
):
    """A response that ends halfway."""

    async def serve(self, exchange: Exchange) -> None:
        """Work, send half of the body that was promised, and close the connection."""
        left = 0

        async def truncate(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                headers = dict(message["headers"])
                length = int(headers.get(b"content-length", b"0"))
                left = length // 2
                # An empty body is promised one byte.
                headers[b"content-length"] = str(length or 1).encode()
                await exchange.send({**message, "headers": list(headers.items())})
            elif left:
                body = message.get("body", b"")[:left]
                left -= len(body)
                await exchange.send({"type": "http.response.body", "body": body, "more_body": True})

        await exchange.work(truncate)
        await exchange.close()


class KillBefore(
    Fault,
    pattern="kill-before",
    examples=("kill-before",),
    request="SIGKILL for the local process that sent the request; the work is not done",
):
    """A client that dies before the work."""

    async def serve(self, exchange: Exchange) -> None:
        """Kill the client."""
        await exchange.kill()


class KillAfter(
    Fault,
    pattern="kill-after",
    examples=("kill-after",),
    request="the work is done; SIGKILL for the local process that sent the request",
):
    """A client that dies after the work."""

    async def serve(self, exchange: Exchange) -> None:
        """Work, and kill the client."""
        await exchange.work_without_response()
        await exchange.kill()
