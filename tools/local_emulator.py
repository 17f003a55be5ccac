"""An emulator in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import httpx

from tools.processes import Program

KEY = "RJ-local-demo-key"


class LocalEmulator:
    """`renderjuice-emulator serve`, ready when the constructor returns.

    Attributes:
        base_url: what belongs into a connection's host.
        control_url: where its controls are.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        ready = folder / "ready.json"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "renderjuice_emulator", "serve", "--api-key", KEY, "--ready-file", str(ready)]
        self.program = Program("renderjuice-emulator", [*command, *arguments], folder / "emulator.log")
        deadline = time.monotonic() + 30
        while not ready.exists():
            self.program.check()
            if time.monotonic() > deadline:
                self.program.stop()
                raise TimeoutError(f"the emulator did not become ready; see {self.program.log}")
            time.sleep(0.05)
        addresses = json.loads(ready.read_text())
        self.base_url: str = addresses["base_url"]
        self.control_url: str = addresses["control_url"]

    def flip(self, **switches: object) -> None:
        """Set some of its switches."""
        httpx.patch(f"{self.control_url}/switches", json=switches, timeout=60).raise_for_status()

    def send_events(self, url: str, secret: str) -> None:
        """Send an event for each completed render to this address."""
        webhook = {"url": url, "secret": secret}
        httpx.put(f"{self.control_url}/webhook", json=webhook, timeout=60).raise_for_status()

    def renders_started(self) -> int:
        """How many renders would have been billed so far."""
        ledger = httpx.get(f"{self.control_url}/ledger", timeout=60).raise_for_status().json()
        return int(ledger["rendersStarted"])

    def stop(self) -> None:
        """End it, and any Blender that it started."""
        self.program.stop()
