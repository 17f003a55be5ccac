"""What comes of rendering a folder of frames, as XCom has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from renderjuice_provider.lifecycle.rounds import Finished


def summary(finished: Finished, destination: str) -> dict[str, Any]:
    """What `RenderjuiceRenderFramesOperator` returns."""
    found, done = finished.count, finished.done
    requested = None if found.requested is None else len(found.requested)
    ordered = [requested if each.frames is None else each.frames for each in done]
    return {
        "job_id": finished.job_id,
        "jobs": {each.job_id: each.normalized_seconds for each in done},
        "normalized_seconds": sum(each.normalized_seconds or 0.0 for each in done),
        "rounds": len(done),
        "frames_requested": requested,
        "frames_ordered": None if None in ordered else sum(each or 0 for each in ordered),
        "frames_missing": list(found.missing),
        "missing": [gap.to_json() for gap in found.gaps],
        "complete": found.complete,
        "remarks": finished.remarks,
        "again": list(finished.again),
        "manifest": finished.manifest,
        "destination": destination,
    }
