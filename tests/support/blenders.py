"""Which Blenders run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psutil

from renderjuice_emulator.blender import JOB_SCRIPT


def blenders() -> list[psutil.Process]:
    """The jobs of this test's own Blender that are still alive, without the fence around each."""
    return list(_blenders())


def _blenders() -> Iterator[psutil.Process]:
    for child in psutil.Process().children(recursive=True):
        # It ends at this moment, or its parent does not know yet that it has ended.
        with suppress(psutil.NoSuchProcess):
            if child.name() != "bwrap" and str(JOB_SCRIPT) in " ".join(child.cmdline()):
                yield child
