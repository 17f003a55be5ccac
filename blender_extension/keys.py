"""Keys and tokens: from the environment, or typed, and then kept until Blender is closed.

They are never written down: Blender's preferences and scenes are files that people send around.
"""

from __future__ import annotations

import os

API_KEY = "RENDERJUICE_API_KEY"
TOKEN = "RENDERJUICE_AIRFLOW_TOKEN"  # noqa: S105 - the name of a variable
_typed: dict[str, str] = {}


def keep(name: str, value: str) -> None:
    """Keep what was typed, or forget it if it is empty."""
    _typed[name] = value.strip()


def find(name: str) -> str:
    """The key or token of this name; empty where there is none."""
    return _typed.get(name) or os.environ.get(name, "").strip()
