"""What validation found, for people and for the tasks after.

The shape of an analysis is not documented: these functions read the emulator's names, and what is
not there is not missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from renderjuice_provider.api.redact import redact, storable

if TYPE_CHECKING:
    from renderjuice_provider.api.models import Job

_LONGEST_LIST = 50


def log_findings(log: Any, job: Job) -> None:
    """Log which scene was opened, and what in it will look different from what the artist saw."""
    scene, analysis = storable(job.scene_file), storable(job.analysis)
    if isinstance(scene, Mapping) and scene.get("name"):
        log.info("The scene is %s", redact(str(scene["name"])))
    warnings = analysis.get("warnings") if isinstance(analysis, Mapping) else None
    for warning in warnings[:_LONGEST_LIST] if isinstance(warnings, list) else ():
        log.warning("Validation warns: %s", redact(str(warning)))


def shortened(analysis: Any) -> Any:
    """An analysis whose long lists are cut.

    The tasks after need not know a thousand missing files, but they must know that there are some.
    """
    if not isinstance(analysis, Mapping):
        return analysis
    return {
        name: [*value[:_LONGEST_LIST], f"... and {len(value) - _LONGEST_LIST} more"]
        if isinstance(value, list) and len(value) > _LONGEST_LIST
        else value
        for name, value in analysis.items()
    }
