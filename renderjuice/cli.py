"""The command `renderjuice`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command; the exit code."""
    from renderjuice_provider import __version__

    sys.stdout.write(f"renderjuice {__version__}\n")
    return 0
