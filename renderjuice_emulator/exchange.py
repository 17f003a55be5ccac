"""One request and its response, as the middleware and the faults handle them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from renderjuice_emulator.answers import error_response, storage_error
from renderjuice_emulator.connections import Connections, kill, peers
from renderjuice_emulator.ledger import Entry
from renderjuice_emulator.switches import Switches


@dataclass(frozen=True)
class Exchange:
    """A request on its way to the application, which does the work that was asked for."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    entry: Entry
    """The request in the ledger."""
    connections: Connections
    switches: Switches
    at_store: bool
    """Asked of the object store, which writes its errors in a way of its own."""

    async def work(self, send: Send | None = None) -> None:
        """Do the work, and respond through `send`; by default straight to the client."""
        await self.app(self.scope, self.receive, send or self.send)

    async def work_without_response(self) -> None:
        """Do the work, and drop the response."""
        await self.work(_drop)

    async def respond(self, response: Response) -> None:
        """Respond without doing the work. The whole request is read first, as a server would."""
        while (message := await self.receive())["type"] == "http.request":
            if not message.get("more_body"):
                break
        await response(self.scope, self.receive, self.send)

    async def refuse(self, status: int, headers: dict[str, str] | None = None) -> None:
        """Respond with an error, as the API or the store writes it."""
        if self.at_store:
            response = storage_error(status, "SlowDown", "Please try again", headers)
        else:
            response = error_response(self.switches.error_shape, status, "asked for by a fault", headers)
        await self.respond(response)

    async def pause(self, seconds: float) -> None:
        """Wait for this many real seconds, or until the emulator stops."""
        await self.connections.pause(seconds)

    async def reset(self) -> None:
        """Respond with a TCP reset."""
        self.connections.reset(self.scope)
        await self._until_disconnected()

    async def close(self) -> None:
        """Close the connection once what was sent has left."""
        self.connections.close(self.scope)
        await self._until_disconnected()

    async def kill(self) -> None:
        """Kill the local process that sent the request; a response of 500 says why not."""
        try:
            pids = await asyncio.to_thread(peers, self.scope["client"], self.scope["server"])
        except RuntimeError as error:
            await error_response("nest", 500, str(error))(self.scope, self.receive, self.send)
            return
        self.entry.peer_pid = pids[0]  # first: a test reads it when the process has ended
        kill(pids)
        await self.reset()

    async def _until_disconnected(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass


async def _drop(_message: Message) -> None:
    pass
