"""The manifest of a folder of outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

from renderjuice_provider.api._folders import Folder, whole_file
from renderjuice_provider.api.redact import storable
from renderjuice_provider.api.report import DownloadReport
from renderjuice_provider.frames import FrameCount

MANIFEST = PurePosixPath("manifest.json")


def remove_manifest(target: Any, *, unless_of: str | None = None) -> None:
    """Before files are replaced: the old hashes must not stand for the new files.

    Args:
        target: the folder.
        unless_of: a job; its own manifest stays, since its files come again as they were.
    """
    manifest = target.root / str(MANIFEST)
    with suppress(FileNotFoundError, NotADirectoryError):
        if unless_of is None or _job_in(manifest.read_text()) != unless_of:
            manifest.unlink()


def _job_in(text: str) -> Any:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content.get("job_id") if isinstance(content, dict) else None


def write_manifest(
    target: Folder, where: str, report: DownloadReport, count: FrameCount, found: Mapping[str, Any]
) -> str:
    """Write it in one piece, last of all. Returns its path.

    Args:
        target: the folder.
        where: the same, as text.
        report: every file that is there.
        count: the frames that were requested.
        found: what is missing of them.
    """
    requested = None if count.requested is None else sorted(count.requested)
    content = report.to_json() | storable({"requested_frames": requested, **found}, most=float("inf"))
    with whole_file(target, MANIFEST) as path:
        path.write_text(json.dumps(content, indent=2) + "\n")
    return f"{where.rstrip('/')}/{MANIFEST}"
