"""What was started for a scene, written down before it is: Blender may be closed, or crash.

One small file for each scene, in the extension's own folder. It holds no key and no password.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


class Record:
    """What was started for one scene; empty before anything was.

    Args:
        folder: of all records.
        scene: the path of the `.blend`.
    """

    def __init__(self, folder: Path, scene: str) -> None:
        name = hashlib.sha256(scene.encode()).hexdigest()[:16]
        self._path = folder / f"{name}.json"
        self._scene = scene

    def read(self) -> dict[str, Any]:
        """The fields; empty when there are none, or they cannot be read."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, fields: dict[str, Any]) -> None:
        """Replace the fields; the file is whole at any moment."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial_file = self._path.with_suffix(".part")
        partial_file.write_text(json.dumps(fields | {"scene": self._scene}), encoding="utf-8")
        partial_file.replace(self._path)

    def note(self, **fields: Any) -> None:
        """Add fields, or replace those of the same names."""
        self.write(self.read() | fields)

    def clear(self) -> None:
        """Nothing was started any more."""
        self._path.unlink(missing_ok=True)
