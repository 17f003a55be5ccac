"""Waiting for something to become true, in tests of real processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(found: Callable[[], Any], patience: float = 60, what: str = "it") -> Any:
    """What `found` returns, once that is true."""
    deadline = time.monotonic() + patience
    while not (result := found()):
        assert time.monotonic() < deadline, f"{what} did not happen within {patience:.0f} s"
        time.sleep(0.3)
    return result
