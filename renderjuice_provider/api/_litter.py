"""Files that operating systems and programs leave beside a scene, and no artist put there."""

from __future__ import annotations

import re

_NAMES = frozenset(
    {
        # macOS
        "__macosx", ".ds_store", ".appledouble", ".lsoverride", ".apdisk", "icon\r", ".fseventsd", ".spotlight-v100",
        ".temporaryitems", ".documentrevisions-v100", ".volumeicon.icns", ".com.apple.timemachine.donotpresent",
        # Windows
        "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$recycle.bin", "recycler", "recycled",
        "system volume information",
        # Linux, and stores on a network
        "lost+found", ".directory", "@eadir", "#recycle", "@recycle", "#snapshot", "@recently-snapshot",
    }
)  # fmt: skip
_PATTERNS = re.compile(
    r"""\._.* | \.trash.* | \.nfs[0-9a-f]{8,} | \.~lock\..*\# | ~\$.* | \.fuse_hidden.*
        | .*\.blend(\d+|@)        # Blender's backups, and what it was writing when it ended
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def is_litter(path: str) -> bool:
    """Whether a file, or a folder above it, is litter.

    Litter is resource forks, thumbnails, trash, locks and Blender's backups.

    Args:
        path: with forward slashes, relative to the folder or zip that it is in.
    """
    return any(part.lower() in _NAMES or _PATTERNS.fullmatch(part) for part in path.split("/"))
