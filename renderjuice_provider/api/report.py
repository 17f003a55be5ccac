"""What a download brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from renderjuice_provider.api.redact import redact


@dataclass(frozen=True, slots=True)
class DownloadedFile:
    """One output that is whole and in its place."""

    place: str
    """Path below the destination, with forward slashes."""
    kind: str
    size: int
    sha256: str
    view: str | None = None
    node: str | None = None

    def to_json(self) -> dict[str, Any]:
        """For a manifest. Names of view and node come from outside, so they are made printable."""
        names = {
            name: text if text is None else redact(text) for name, text in (("view", self.view), ("node", self.node))
        }
        return asdict(self) | names


@dataclass(frozen=True)
class DownloadReport:
    """What a download brought: counts, bytes and places, never a URL."""

    job_id: str
    files: tuple[DownloadedFile, ...]
    already_there: int = field(default=0, compare=False)
    """How many of the files an earlier download had left there whole: they were not fetched."""

    @property
    def frames(self) -> tuple[DownloadedFile, ...]:
        """The rendered frames."""
        return tuple(file for file in self.files if file.kind == "frame")

    @property
    def composites(self) -> tuple[DownloadedFile, ...]:
        """The compositor's outputs."""
        return tuple(file for file in self.files if file.kind == "composite")

    @property
    def size(self) -> int:
        """Bytes, all files together."""
        return sum(file.size for file in self.files)

    def to_json(self) -> dict[str, Any]:
        """For a manifest file: every file with its SHA-256."""
        return {"job_id": self.job_id, "bytes": self.size, "files": [file.to_json() for file in self.files]}

    def serialize(self) -> dict[str, Any]:
        """For an XCom. Airflow calls this, and `deserialize` in the next task."""
        return self.to_json()

    @classmethod
    def deserialize(cls, data: Mapping[str, Any], _version: int) -> Self:
        """The report that `serialize` was called for."""
        return cls(data["job_id"], tuple(DownloadedFile(**file) for file in data["files"]))
