"""Renders that are stuck: when one counts as such, and what the run's note says of it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

STUCK_AFTER = float(os.environ.get("RENDERJUICE_STUCK_AFTER") or "10")
"""How many times its usual time per frame a render may go without a new frame before it is
cancelled, and the frames that are missing are ordered again. Ten, since a frame of an uneven shot
may well take five times as long as its neighbours. 0: never."""
SECONDS = "seconds_per_frame"
"""The XCom of `decide`: of `seconds_per_frame`."""


def stuck_defaults() -> dict[str, Any]:
    """For the task `render`: a render that hangs is cancelled, since at night nobody sees it."""
    if not STUCK_AFTER:
        return {}
    return {
        "stuck_after": STUCK_AFTER,
        "seconds_per_frame": f"{{{{ ti.xcom_pull(task_ids='decide', key='{SECONDS}') }}}}",
        "cancel_stuck": True,
        "on_stuck_callback": note_stuck,
    }


def note_stuck(context: Any) -> None:
    """`on_stuck_callback`: the run's note says it, until a later one says how the shot ended."""
    from stages.note import write_note

    write_note(context, f"stuck: {context['reason']}. What is missing is ordered again")


def seconds_per_frame(order: Mapping[str, Any], settings: str) -> float | None:
    """What a frame of the shot took when it was last delivered; None where nobody knows.

    Args:
        order: of the shot.
        settings: `final` or `economical`: other ones take another time.
    """
    from stages.delivery import current_delivery
    from stages.entries import read_entry
    from stages.storage import join

    night = (current_delivery(order["delivery"]) or {}).get("night")
    shots, _, name = str(order["entry"]).rpartition("/")
    if not isinstance(night, str) or "/" in night:
        return None
    entry = read_entry(join(shots.rpartition("/")[0].rpartition("/")[0], night, "shots", name))
    frames, spent = entry.get("frames_ordered"), entry.get("render_seconds")
    is_same = entry.get("state") == "delivered" and entry.get("settings") == settings
    if not is_same or None in entry.get("spent", {}).values() or not frames or not spent:
        return None
    found = float(spent) / float(frames)
    return found if math.isfinite(found) and found > 0 else None
