"""The manifest of a folder of outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from renderjuice_provider.api._folders import Folder, whole_file
from renderjuice_provider.api.redact import storable
from renderjuice_provider.api.report import DownloadReport
from renderjuice_provider.frames import FrameCount

MANIFEST = PurePosixPath("manifest.json")


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
