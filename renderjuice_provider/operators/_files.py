"""Scenes out, outputs in."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import Argument, frames, plain_path, read_job_id, truth
from renderjuice_provider.api.errors import RenderjuiceIncompleteError, RenderjuiceInputError
from renderjuice_provider.api.redact import storable, story
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.frames import FrameCount, count_outputs, ordered_frames
from renderjuice_provider.lifecycle.record import fingerprint
from renderjuice_provider.operators._base import RenderjuiceOperator, storage_path
from renderjuice_provider.operators._task_store import TaskStore

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from renderjuice_provider.api.report import DownloadedFile, DownloadReport

SLUG_LIFETIME = 3600
"""Seconds for which a retry takes an upload for usable: how long a slug really lives is not documented."""
MANIFEST = PurePosixPath("manifest.json")


class RenderjuiceUploadOperator(RenderjuiceOperator):
    """Upload one scene and return its slug, which stands for it from then on.

    The file is checked first (it exists, is a real `.blend` or an undamaged `.zip` with one scene inside, is under 5 GiB),
    streamed, and checked again after: a file that was saved during the upload is an error. A `.zip` may hold more than one
    `.blend` if one of them stands above all others, which are what it links.

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
        memory = TaskStore(context)
        slug, _, since = (memory.recall(work) or "").rpartition("@")
        if slug and now - int(since) < SLUG_LIFETIME:
            return slug
        slug = self.client.upload(path, one_scene=True).slug
        memory.remember(work, f"{slug}@{now}")
        return slug


class RenderjuiceDownloadOperator(RenderjuiceOperator):
    """Download every output of a job, and write a manifest with the SHA-256 of each file.

    Frames go to `frames/`, the compositor's outputs to `composites/`, and `manifest.json` is written last: whoever sees it sees
    all of it. Each file appears whole or not at all.

    What is there is compared with what was ordered: every frame, of every view, and of every output of the compositor. A file
    without a byte is not there.

    Args:
        job_id: a job that is over.
        destination: a local folder, or any `ObjectStoragePath` URL; made if it does not exist.
        expected_frames: frame ranges that must be there, such as `["1-24"]` or `"1-24"`; by default those that the job was ordered
            to render, or else those of its scene.
        allow_missing: succeed even when something is missing. It is named in the manifest either way.
        renderjuice_conn_id: see `RenderjuiceHook`.

    Returns (XCom): `job_id`, `destination`, `manifest`, `frames`, `composites` and `bytes` (counts), `missing_frames` (numbers),
    `missing` (the same by view and compositor node), `empty` (files without a byte) and `complete`, which is None when nobody
    knows what was ordered.

    Raises:
        RenderjuiceIncompleteError: naming what is missing. What is there was downloaded.
        RenderjuiceInputError: for `expected_frames` that are no ranges, before anything is downloaded.
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
        expected_frames: Sequence[str] | str | None = None,
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
        expected = _expected(self.expected_frames)
        job = self.client.get_job(self.job_id)
        report = self.client.download_outputs(self.job_id, destination)
        there = [file for file in report.files if file.size]
        count = count_outputs((expected, job.requested_config, job.final_config), there, analysis=job.analysis)
        found: dict[str, Any] = {
            "missing_frames": list(count.missing),
            "missing": [gap.to_json() for gap in count.gaps],
            "empty": [file.place for file in report.files if not file.size],
        }
        found["complete"] = False if found["empty"] or not there else count.complete
        manifest = _write_manifest(destination, report, count, found)
        self.log.info("%d frames and %d composites, %d bytes", len(report.frames), len(report.composites), report.size)
        if found["complete"] is False:
            self._tell_missing(count, found["empty"], there)
        elif found["complete"] is None:
            self.log.warning("Whether all frames are there is not known: neither the order nor the scene names them.")
        return {
            "job_id": job.id,
            "destination": str(self.destination),
            "manifest": manifest,
            "frames": len(report.frames),
            "composites": len(report.composites),
            "bytes": report.size,
            **found,
        }

    def _tell_missing(self, count: FrameCount, empty: Sequence[str], there: Sequence[DownloadedFile]) -> None:
        what = [f"{len(empty)} files are empty ({', '.join(empty[:5])})"] if empty else []
        what += [str(count)] if count.gaps else []
        reason = "; ".join(what) if there or empty else "the job has no outputs"
        told = f"{reason[:1].upper()}{reason[1:]}. The render is paid, and what is there is in {self.destination}"
        if not self.allow_missing:
            raise RenderjuiceIncompleteError(
                f"{told}. To render again (and pay again), clear the task that creates the job, with Downstream; to go on with "
                f"what is there, pass allow_missing=True. Job {self.job_id}."
            )
        self.log.warning("%s. Job %s.", story(told), self.job_id)


def _expected(frames: Any) -> dict[str, Any]:
    """As a render configuration says it."""
    if frames is None:
        return {}
    config = {"frameRanges": frames if isinstance(frames, (list, tuple)) else [frames]}
    if ordered_frames(config) is None:
        raise RenderjuiceInputError(
            f'expected_frames {frames!r} are no frame ranges: write ["1-24"] or ["1-10", "15"].'
        )
    return config


def _write_manifest(destination: Any, report: DownloadReport, count: FrameCount, found: Mapping[str, Any]) -> str:
    """Last of all, and in one piece."""
    from renderjuice_provider.storage import folder, whole_file

    requested = None if count.requested is None else sorted(count.requested)
    content = report.to_json() | storable({"requested_frames": requested, **found}, most=float("inf"))
    with whole_file(folder(destination), MANIFEST) as path:
        path.write_text(json.dumps(content, indent=2) + "\n")
    return f"{str(destination).rstrip('/')}/{MANIFEST}"
