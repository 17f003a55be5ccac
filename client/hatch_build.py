"""What of the checkout goes into the distribution `renderjuice`: all that needs no Airflow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

PACKAGES = ("renderjuice", "renderjuice_emulator")
PROVIDER = ("__init__.py", "py.typed", "frames.py", "_frame_names.py", "api", "lifecycle")
"""Of the package `renderjuice_provider`; `tests/cli/test_distribution.py` imports each of them
where there is no Airflow."""


def sources(root: str) -> Path:
    """The folder that the packages lie in.

    Args:
        root: of this distribution: the folder `client` of a checkout, or an unpacked source
            archive, which holds the packages itself.
    """
    here = Path(root)
    return here if (here / "renderjuice_provider").is_dir() else here.parent


class Version(MetadataHookInterface):
    """The version is the provider's."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add it."""
        text = (sources(self.root) / "renderjuice_provider" / "__init__.py").read_text(encoding="utf-8")
        found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
        if not found:
            raise ValueError("renderjuice_provider/__init__.py names no version")
        metadata["version"] = found[1]


class Modules(BuildHookInterface):
    """The packages, under the names that they are imported by."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add their files."""
        names = [*PACKAGES, *(f"renderjuice_provider/{name}" for name in PROVIDER)]
        build_data["force_include"] |= {str(sources(self.root) / name): name for name in names}
