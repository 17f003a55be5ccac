"""The parts of one emulator, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, cast
from uuid import NAMESPACE_URL, uuid5

from fastapi import Depends, Request

from renderjuice_emulator.clock import Clock
from renderjuice_emulator.connections import Connections
from renderjuice_emulator.farm import Farm
from renderjuice_emulator.faults import Faults
from renderjuice_emulator.guard import Guard
from renderjuice_emulator.ledger import Ledger
from renderjuice_emulator.rendering import Renderer
from renderjuice_emulator.routing import Operation
from renderjuice_emulator.storage import Storage
from renderjuice_emulator.switches import Switches
from renderjuice_emulator.webhooks import Webhooks


class EmulatorParts:
    """What an emulator consists of, without its ports.

    Args:
        operations: what it can be asked for, by name.
        api_keys: the keys that are accepted; each has a workspace of its own.
        renderer: makes a renderer that lives on the emulator's clock.
        speed: see `Clock`.
        slots: how many renders run at once; None for any number.
        data: the folder for uploads and outputs.
        guard: decides who may talk to it.
    """

    def __init__(
        self,
        *,
        operations: Mapping[str, Operation],
        api_keys: Sequence[str],
        renderer: Callable[[Clock], Renderer],
        speed: float,
        slots: int | None,
        data: Path,
        guard: Guard,
    ) -> None:
        self.guard = guard
        self.workspaces = {key: str(uuid5(NAMESPACE_URL, f"renderjuice-emulator:{key}")) for key in api_keys}
        self.clock = Clock(speed)
        self.switches = Switches()
        self.faults = Faults(operations)
        self.ledger = Ledger(self.clock)
        self.connections = Connections()
        self.farm = Farm(
            clock=self.clock,
            renderer=renderer(self.clock),
            ledger=self.ledger,
            switches=self.switches,
            data=data,
            slots=slots,
        )
        self.storage = Storage(clock=self.clock, switches=self.switches)
        self.webhooks = Webhooks(
            clock=self.clock, switches=self.switches, faults=self.faults, ledger=self.ledger, storage=self.storage
        )
        self.farm.on_completed = self.webhooks.notify

    def workspace(self, authorization: str | None) -> str | None:
        """The workspace that an `Authorization` header opens; None without a known key."""
        scheme, _, key = (authorization or "").partition(" ")
        return self.workspaces.get(key.strip()) if scheme.lower() == "bearer" else None

    async def reset(self) -> None:
        """Stop what runs, and forget all but the time, the keys and the webhook's address."""
        await self.clock.stop()
        self.farm.clear()
        self.ledger.clear()
        self.faults.clear()
        self.switches.reset()


async def _parts(request: Request) -> EmulatorParts:
    return cast(EmulatorParts, request.scope["parts"])


Parts = Annotated[EmulatorParts, Depends(_parts)]
"""What a route asks for to get the parts of the emulator that it serves."""
