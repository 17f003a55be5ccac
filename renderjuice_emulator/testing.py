"""An emulator inside a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from renderjuice_emulator.clock import Clock
from renderjuice_emulator.faults import Faults
from renderjuice_emulator.jobs import Job
from renderjuice_emulator.ledger import Ledger
from renderjuice_emulator.renderers import RendererName, choose_renderer
from renderjuice_emulator.rendering import Renderer
from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.server import DEFAULT_KEY, EmulatorServer, Settings
from renderjuice_emulator.switches import Switches
from renderjuice_emulator.webhooks import Webhooks

__all__ = ["Emulator", "write_scene"]


class Emulator(EmulatorServer):
    """An emulator in a thread of its own, on free ports. Its parts may be used from any thread.

    ```python
    with Emulator() as emulator:
        client = RenderjuiceClient(emulator.api_key, base_url=emulator.base_url)
        emulator.faults.add("start_render", "reset-after")
        ...
        assert emulator.ledger.renders_started() == 1
        assert emulator.faults.left() == {}
    ```

    Args:
        speed: emulated seconds per real second; by default a job of some minutes takes some tens
            of milliseconds.
        manual_clock: only `clock.advance(seconds)` moves the time; `speed` is not used.
        renderer: `fast`, `blender`, `auto`, or what makes one on the emulator's clock.
        slots: how many renders run at once; None for any number, or one with Blender.
        api_keys: the keys that are accepted, each with a workspace of its own; `api_key` is the
            first.
        data: folder for uploads and outputs; None for a temporary one, removed at the end.
        allowed_hosts: names by which it may be called, besides localhost and addresses.
        webhook_url, webhook_secret: where events go; also `emulator.webhooks.url` and `.secret`
            later.
    """

    clock: Clock
    """The emulated time."""
    switches: Switches
    """What the documentation leaves open; set attributes."""
    faults: Faults
    """Faults in order, per operation."""
    ledger: Ledger
    """Every request, and what each job would have cost."""
    webhooks: Webhooks
    """Address and secret of the webhook, and its signature."""

    def __init__(
        self,
        *,
        speed: float = 1000.0,
        manual_clock: bool = False,
        renderer: RendererName | Callable[[Clock], Renderer] = "fast",
        slots: int | None = None,
        api_keys: Sequence[str] = (DEFAULT_KEY,),
        host: str = "127.0.0.1",
        port: int = 0,
        data: Path | None = None,
        allowed_hosts: Sequence[str] = (),
        webhook_url: str | None = None,
        webhook_secret: str = "whsec-emulator",  # noqa: S107 - it protects nothing
    ) -> None:
        self.api_key = api_keys[0]
        if isinstance(renderer, str):
            choice = choose_renderer(renderer)
            renderer, slots = choice.make, slots or choice.slots
        super().__init__(
            Settings(
                host=host,
                port=port,
                api_keys=api_keys,
                renderer=renderer,
                speed=0.0 if manual_clock else speed,
                slots=slots,
                data=data,
                webhook_url=webhook_url,
                webhook_secret=webhook_secret,
                allowed_hosts=allowed_hosts,
            )
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the thread; returns when the ports answer."""
        super().start()
        parts = self.parts
        self.clock, self.switches, self.faults = parts.clock, parts.switches, parts.faults
        self.ledger, self.webhooks = parts.ledger, parts.webhooks

    def reset(self) -> None:
        """Stop all jobs, and forget jobs, uploads, ledger, faults and switches. Time goes on."""
        self.call(self.parts.reset())

    @property
    def jobs(self) -> dict[str, Job]:
        """The jobs by id, as the farm sees them; a copy."""
        return dict(self.parts.farm.jobs)
