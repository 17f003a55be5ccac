"""The records that the farm keeps: uploads, jobs and their outputs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from renderjuice_emulator.mishaps import RenderMishaps
from renderjuice_emulator.rendering import RenderedFile, SceneReport
from renderjuice_emulator.states import RENDER_RUNS, Status, may_become

_SHOWN_BY_BROWSERS = frozenset({".png", ".jpg"})


def new_id() -> str:
    """A fresh uuid, as text."""
    return str(uuid4())


@dataclass
class Upload:
    """A target that was handed out, and what was put there."""

    slug: str
    workspace_id: str
    file_name: str
    path: Path
    size: int | None = None
    """Bytes; None until a PUT is complete."""
    sha256: str = ""


@dataclass
class Job:
    """One job.

    `status` is the real one; `shown_status` is what the API says where a switch inserts another.
    """

    id: str
    workspace_id: str
    user_id: str
    upload: Upload
    folder: Path
    created_at: datetime
    updated_at: datetime
    hidden_reads: int = 0
    """Number of GETs that are still to be answered with 404."""
    preview_id: str = field(default_factory=new_id)
    root_folder_id: str = field(default_factory=new_id)
    status: Status = Status.CREATED
    extra_status: str | None = None
    scene: Path | None = None
    analysis: SceneReport | None = None
    analysis_id: str | None = None
    requested_config: dict[str, Any] | None = None
    final_config: dict[str, Any] | None = None
    failed_reason: dict[str, str] | None = None
    frames_total: int = 0
    mishaps: RenderMishaps = field(default_factory=RenderMishaps)
    """What goes wrong with its render; nothing, unless the switch `mishaps` says so."""
    hangs_at: int | None = None
    """The frame at which its render hangs; None, unless the switch `hangs_at` says so."""
    normalized_seconds: float = 0.0
    outputs: list[RenderedFile] = field(default_factory=list)
    completed_at: float | None = None
    """Emulated seconds since 1970."""
    task: asyncio.Task[None] | None = None
    cancel_task: asyncio.Task[None] | None = None

    @property
    def shown_status(self) -> str:
        """The status that the API answers."""
        return self.extra_status or self.status

    @property
    def scene_name(self) -> str:
        """The client's name of the scene: of the upload, or of the `.blend` inside an archive."""
        packed = self.scene is not None and self.upload.path.suffix == ".zip"
        return self.scene.name if self.scene and packed else self.upload.file_name

    @property
    def render_runs(self) -> bool:
        """A render was started and goes on."""
        return self.status in RENDER_RUNS

    @property
    def preview(self) -> Path | None:
        """The latest frame that a browser can show."""
        frames = (file.path for file in reversed(self.outputs) if file.kind == "frame")
        return next((path for path in frames if path.suffix in _SHOWN_BY_BROWSERS), None)

    def become(self, status: Status, now: datetime) -> None:
        """Change the status; a step that the table does not have is a defect of the emulator."""
        if not may_become(self.status, status):
            raise RuntimeError(f"a job cannot go from {self.status} to {status}")
        self.status, self.updated_at, self.extra_status = status, now, None
