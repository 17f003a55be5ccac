"""The id of a row of the render wall. Pure."""

from __future__ import annotations

import base64
import json


def row_id(dag_id: str, run_id: str, task_id: str = "", map_index: int = -1) -> str:
    """Opaque, and safe in a URL; without a task, of the whole run."""
    fields = json.dumps([dag_id, run_id, task_id, map_index], separators=(",", ":"))
    return base64.urlsafe_b64encode(fields.encode()).decode().rstrip("=")
