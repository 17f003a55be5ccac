"""Render settings laid over each other.

By itself, since most tasks of a shot need it, and the models of a shot list take a while to import.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`under` with the settings in `over`, also inside nested ones such as `outputSettings`."""
    both = {
        name: merged(under[name], value)
        if isinstance(value, Mapping) and isinstance(under.get(name), Mapping)
        else value
        for name, value in over.items()
    }
    return {**under, **both}
