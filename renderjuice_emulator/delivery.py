"""One attempt to deliver an event to a webhook, as the faults handle it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import httpx

from renderjuice_emulator.ledger import Entry


@dataclass
class Delivery:
    """An event on its way to the receiver. `entry` is the attempt in the ledger."""

    client: httpx.AsyncClient
    url: str
    body: bytes
    sign: Callable[[bytes], dict[str, str]]
    """Makes the headers with the signature of a body."""
    entry: Entry

    async def send(self) -> bool:
        """Send the body, note the status of the response, and return whether there was one."""
        headers = {"Content-Type": "application/json"} | self.sign(self.body)
        try:
            response = await self.client.post(self.url, content=self.body, headers=headers)
        except httpx.HTTPError:
            return False
        self.entry.status = response.status_code
        return True
