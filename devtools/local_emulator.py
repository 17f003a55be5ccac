"""An emulator in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from devtools.processes import Program

KEY = "RJ-local-demo-key"


class LocalEmulator:
    """`renderjuice-emulator serve`, ready when the constructor returns.

    Attributes:
        base_url: what belongs into a connection's host.
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
        self.base_url: str = json.loads(ready.read_text())["base_url"]

    def stop(self) -> None:
        """End it, and any Blender that it started."""
        self.program.stop()
