"""Delivered frames, compared with what they have to show.

What a shot has to show is what the same DAG delivers where nothing goes wrong: the fast renderer
draws the same for all shots of a size, and for no two frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proofs.nights.evidence import Entries
from proofs.nights.studio import MOST, Night, Shot

REFERENCES = Night(0, (Shot("whole_one", ("base",), MOST), Shot("whole_two", ("base", "over"), MOST)))
"""A shot of each kind, with as many frames as any has."""

Pictures = Mapping[tuple[str, ...], Mapping[int, bytes]]
"""The pixels of each frame, by the layers of a shot."""


def references(entries: Entries) -> Pictures:
    """What the shots of `REFERENCES` show."""
    found = {shot.layers: decoded(shot, entries[shot.name]) for shot in REFERENCES.shots}
    for layers, frames in found.items():
        if len(set(frames.values())) != MOST:
            raise RuntimeError(f"{layers}: {len(frames)} frames of {MOST}, {len(set(frames.values()))} different ones")
    return found


def wrong_frames(night: Night, entries: Entries, right: Pictures) -> list[str]:
    """Delivered shots of which a frame is absent, cannot be read, or shows something else."""
    found = []
    for shot in night.shots:
        entry = entries.get(shot.name, {})
        if entry.get("state") != "delivered":
            continue
        shown = decoded(shot, entry)
        wanted = right[shot.layers]
        if wrong := [frame for frame in range(1, shot.frames + 1) if shown.get(frame) != wanted[frame]]:
            found.append(f"{shot.name}: frames {wrong} are absent, or do not show what they should")
        if more := shown.keys() - set(range(1, shot.frames + 1)):
            found.append(f"{shot.name}: frames {sorted(more)} are not part of the shot")
    return found


def decoded(shot: Shot, entry: Mapping[str, Any]) -> dict[int, bytes]:
    """The pixels of each frame that was delivered and can be read to its end."""
    from stages.pictures import PictureError, is_whole, read_picture

    found = {}
    for path in Path(entry["manifest"]).parent.glob(f"frames/{shot.name}.*.png"):
        try:
            if is_whole(path):
                found[int(path.name.split(".")[-2])] = read_picture(path).image.get_pixels().tobytes()
        except PictureError:
            continue
    return found
