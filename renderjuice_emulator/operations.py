"""What the emulator can be asked for, by name: the ledger counts these, and faults are meant for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

OPERATIONS = (
    "create_upload",
    "put_upload",
    "create_job",
    "get_job",
    "list_jobs",
    "validate_job",
    "start_render",
    "cancel_job",
    "get_progress",
    "list_progress",
    "get_downloads",
    "download_file",
    "webhook",
)
STORAGE_OPERATIONS = frozenset({"put_upload", "download_file"})
"""Those of the object store."""

Routes = Sequence[tuple[str, re.Pattern[str], str]]
"""Method, path and operation. A group `job` in the path is the job's id."""


def recognise(routes: Routes, method: str, path: str) -> tuple[str, str | None]:
    """The operation that a request asks for, `other` if it is none, and the id of the job that it concerns."""
    for its_method, pattern, operation in routes:
        if method == its_method and (match := pattern.fullmatch(path)):
            return operation, match.groupdict().get("job")
    return "other", None
