"""Scenes out, outputs in."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from renderjuice_provider.api.errors import RenderjuiceIncompleteError
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.arguments import Argument, frames, plain_path, read_job_id, truth
from renderjuice_provider.operators.base import RenderjuiceOperator, storage_path
from renderjuice_provider.operators.memory import Memory
from renderjuice_provider.waiting.frames import FrameCount, count_frames
from renderjuice_provider.waiting.record import fingerprint

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from renderjuice_provider.api.models import Job
    from renderjuice_provider.api.transfer import DownloadReport

SLUG_LIFETIME = 3600
"""Seconds for which a retry takes an upload for usable: how long a slug really lives is not documented."""
MANIFEST = PurePosixPath("manifest.json")


class RenderjuiceUploadOperator(RenderjuiceOperator):
    """Upload one scene and return its slug, which stands for it from then on.

    The file is checked first (it exists, is a real `.blend` or an undamaged `.zip` with one inside, is under 5 GiB), streamed, and
    checked again after: a file that was saved during the upload is an error.

    Args:
        file_path: a local path, or any `ObjectStoragePath` URL.
        renderjuice_conn_id: see `RenderjuiceHook`.
    """

    template_fields = (*RenderjuiceOperator.template_fields, "file_path")
    file_path = Argument(plain_path)

    def __init__(self, *, file_path: str | os.PathLike[str] | Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file_path = file_path

    def execute(self, context: Context) -> str:
        """The slug: that of an earlier try, if it got so far with the same bytes and not long ago."""
        path, now = storage_path(self.file_path), int(time.time())
        work = fingerprint(content_fingerprint(path), self.renderjuice_conn_id, self.client.base_url)
        memory = Memory(context)
        slug, _, since = (memory.recall(work) or "").rpartition("@")
        if slug and now - int(since) < SLUG_LIFETIME:
            return slug
        slug = self.client.upload(path).slug
        memory.remember(work, f"{slug}@{now}")
        return slug


class RenderjuiceDownloadOperator(RenderjuiceOperator):
    """Download every output of a job, and write a manifest with the SHA-256 of each file.

    Frames go to `frames/`, the compositor's outputs to `composites/`, and `manifest.json` is written last: whoever sees it sees
    all of it. Each file appears whole or not at all.

    Args:
        job_id: a job that is over.
        destination: a local folder, or any `ObjectStoragePath` URL; made if it does not exist.
        expected_frames: frame ranges that must be there, such as `["1-24"]`; by default those that the job was ordered to render,
            where its order names them.
        allow_missing: succeed even when frames are missing. They are named in the manifest either way.
        renderjuice_conn_id: see `RenderjuiceHook`.

    Returns (XCom): `job_id`, `destination`, `manifest`, `frames`, `composites` and `bytes` (counts), `missing_frames`, `complete`.

    Raises:
        RenderjuiceIncompleteError: naming the missing frames. What is there was downloaded.
    """

    template_fields = (
        *RenderjuiceOperator.template_fields,
        "job_id",
        "destination",
        "expected_frames",
        "allow_missing",
    )
    multiple_outputs = True
    destination = Argument(plain_path)
    expected_frames = Argument(frames)
    allow_missing = Argument(truth)

    def __init__(
        self,
        *,
        job_id: str | XComArg,
        destination: str | os.PathLike[str] | Any,
        expected_frames: Sequence[str] | None = None,
        allow_missing: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id: Any = job_id
        self.destination = destination
        self.expected_frames = expected_frames
        self.allow_missing = allow_missing

    def execute(self, context: Context) -> dict[str, Any]:
        """The manifest in short."""
        self.job_id, destination = read_job_id(self.job_id), storage_path(self.destination)
        job = self.client.get_job(self.job_id)
        report = self.client.download_outputs(self.job_id, destination)
        count = self._count(job, report)
        manifest = _write_manifest(destination, report, count)
        self.log.info("%d frames and %d composites, %d bytes", len(report.frames), len(report.composites), report.size)
        if count.missing or not report.files:
            self._tell_missing(count)
        return {
            "job_id": job.id,
            "destination": str(self.destination),
            "manifest": manifest,
            "frames": len(report.frames),
            "composites": len(report.composites),
            "bytes": report.size,
            "missing_frames": list(count.missing),
            "complete": bool(report.files) and not count.missing,
        }

    def _count(self, job: Job, report: DownloadReport) -> FrameCount:
        orders = ({"frameRanges": self.expected_frames}, job.requested_config, job.final_config)
        return count_frames(orders, ((PurePosixPath(file.place).name, file.view) for file in report.frames))

    def _tell_missing(self, count: FrameCount) -> None:
        what = f"frames {_numbers(count.missing)} are missing" if count.missing else "the job has no outputs"
        message = f"Job {self.job_id}: {what}. What is there was downloaded to {self.destination}; the render is paid."
        if not self.allow_missing:
            raise RenderjuiceIncompleteError(f"{message} Render the missing frames, or pass allow_missing=True.")
        self.log.warning(message)


def _write_manifest(destination: Any, report: DownloadReport, count: FrameCount) -> str:
    """Last of all, and in one piece."""
    from renderjuice_provider.api.transfer import folder

    requested = None if count.requested is None else sorted(count.requested)
    content = report.to_json() | {"requested_frames": requested, "missing_frames": list(count.missing)}
    target = folder(destination)
    part = target.part(MANIFEST)
    part.write_text(json.dumps(content, indent=2) + "\n")
    target.keep(part, MANIFEST)
    return f"{str(destination).rstrip('/')}/{MANIFEST}"


def _numbers(frames: Sequence[int], most: int = 20) -> str:
    shown = ", ".join(map(str, frames[:most]))
    return shown if len(frames) <= most else f"{shown} and {len(frames) - most} more"
