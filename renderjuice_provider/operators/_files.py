"""Scenes out, outputs in."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import Argument, frames, plain_path, read_job_id, truth
from renderjuice_provider.api._fetching import on_disk
from renderjuice_provider.api._folders import folder
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceIncompleteError, RenderjuiceInputError
from renderjuice_provider.api.redact import story
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.frames import FrameCount, count_outputs, ordered_frames
from renderjuice_provider.lifecycle.record import fingerprint
from renderjuice_provider.lifecycle.unfinished import leaves
from renderjuice_provider.lineage import Lineage, of_job, of_upload
from renderjuice_provider.links.renderjuice import RenderjuiceDeliveryLink, push_delivery
from renderjuice_provider.operators._base import RenderjuiceOperator, storage_path
from renderjuice_provider.operators._manifest import remove_manifest, write_manifest
from renderjuice_provider.operators._task_store import TaskStore

if TYPE_CHECKING:
    from typing import Unpack
    from uuid import UUID

    from airflow.sdk import Context, ObjectStoragePath, XComArg

    from renderjuice_provider._operator_arguments import OperatorArguments
    from renderjuice_provider.api.models import Job
    from renderjuice_provider.api.report import DownloadedFile, DownloadReport

SLUG_LIFETIME = 3600
"""Seconds for which a retry uses an earlier upload. How long a slug really lives is not
documented."""


class RenderjuiceUploadOperator(RenderjuiceOperator):
    """Upload one scene and return its slug, its name at Renderjuice. An upload costs nothing.

    The file is checked first (it exists, is a real `.blend` or an undamaged `.zip` with one scene
    inside, is under 5 GiB), streamed, and checked again after: a file that was saved during the
    upload is an error. A `.zip` may hold more than one `.blend` if one of them stands above all
    others, which are what it links.

    A retry returns the slug of the try before it, if that had uploaded the same bytes less than an
    hour ago.

    Args:
        file_path: a `.blend` or `.zip`: a local path, or any `ObjectStoragePath` or URL of one,
            such as `s3://bucket/shot.blend`. The worker reads it.
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, with the API key and the
            base URL.
        **kwargs: the arguments of every Airflow operator, such as `task_id`.

    Returns:
        As XCom: the slug, for `RenderjuiceCreateJobOperator`.

    Raises:
        RenderjuiceInputError: for a file that is not a scene, before anything is sent.
        RenderjuiceTransferError: when the file was changed meanwhile, or its upload failed. A retry
            uploads it again.
        RenderjuiceError: when Renderjuice refuses the upload, or gives no answer. A retry may
            succeed.
    """

    template_fields = (*RenderjuiceOperator.template_fields, "file_path")
    file_path = Argument(plain_path)

    def __init__(
        self,
        *,
        file_path: str | os.PathLike[str] | ObjectStoragePath | XComArg,
        renderjuice_conn_id: str = "renderjuice_default",
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(renderjuice_conn_id=renderjuice_conn_id, **kwargs)
        self.file_path = file_path

    def execute(self, context: Context) -> str:
        """Upload, or return the slug of a recent try with the same bytes."""
        path, now = storage_path(self.file_path), int(time.time())
        work = fingerprint(content_fingerprint(path), self.renderjuice_conn_id, self.client.base_url)
        store = TaskStore(context)
        slug, _, since = (store.recall(work) or "").rpartition("@")
        if slug and now - int(since) < SLUG_LIFETIME:
            return slug
        slug = self.client.upload(path, one_scene=True).slug
        store.remember(work, f"{slug}@{now}")
        return slug

    def lineage(self, result: Any) -> Lineage:
        """Of the scene, an upload at Renderjuice."""
        slug = (of_upload(self.renderjuice_conn_id, result),) if result else ()
        return Lineage((str(self.file_path),), slug)


class RenderjuiceDownloadOperator(RenderjuiceOperator):
    """Download every output of a job, and write a manifest with the SHA-256 of each file.

    Frames go to `frames/`, the compositor's outputs to `composites/`, and `manifest.json` is
    written last: once it is there, all files are. Each file appears whole or not at all.

    A retry, or a second run for the same job and destination, fetches only what is not there whole
    already: a hidden journal beside the files (`.renderjuice-download.jsonl`) says what is, and
    each file is compared with its SHA-256, or in an object store with its size and stamp. A large
    file that broke off goes on where it was. Many small frames come in one zip.

    What was delivered is compared with what was ordered: every frame, of every view, and of every
    output of the compositor. An empty file counts as missing.

    Args:
        job_id: the id of a job that is over, or what our rendering operators return.
        destination: a local folder, or any `ObjectStoragePath` or URL of one; made if it does not
            exist.
        expected_frames: frame ranges that must be there, such as `["1-24"]` or `"1-10, 15"`. None,
            the default, takes those that the job was ordered to render, or else those of its scene.
        allow_missing: succeed even when something is missing, which the manifest names either way.
            False by default: a delivery with missing frames must not pass for a whole one.
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, with the API key and the
            base URL.
        **kwargs: the arguments of every Airflow operator, such as `task_id`.

    Returns:
        As XCom: a dict of `job_id`, `destination`, `manifest` (its path), `frames`, `composites`
        and `bytes` (counts), `missing_frames` (numbers), `missing` (the same by view and compositor
        node), `empty` (files without a byte) and `complete`, which is None when neither the order
        nor the scene names the frames.

    Raises:
        RenderjuiceInputError: for a `job_id` or `expected_frames` that make no sense, before
            anything is downloaded.
        RenderjuiceIncompleteError: naming what is missing. The render is paid, and what there is
            was downloaded.
        RenderjuiceTransferError: when a file could not be downloaded or written. A retry pays
            nothing.
        RenderjuiceError: when the job is unknown, or Renderjuice gives no answer. A retry pays
            nothing.
    """

    template_fields = (
        *RenderjuiceOperator.template_fields,
        "job_id",
        "destination",
        "expected_frames",
        "allow_missing",
    )
    multiple_outputs = True
    operator_extra_links = (RenderjuiceDeliveryLink(),)
    destination = Argument(plain_path)
    expected_frames = Argument(frames)
    allow_missing = Argument(truth)

    def __init__(
        self,
        *,
        job_id: str | UUID | XComArg,
        destination: str | os.PathLike[str] | ObjectStoragePath | XComArg,
        expected_frames: Sequence[str | int] | str | XComArg | None = None,
        allow_missing: bool | XComArg = False,
        renderjuice_conn_id: str = "renderjuice_default",
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(renderjuice_conn_id=renderjuice_conn_id, **kwargs)
        self.job_id: Any = job_id
        self.destination = destination
        self.expected_frames = expected_frames
        self.allow_missing = allow_missing

    def execute(self, context: Context) -> dict[str, Any]:
        """The manifest in short."""
        push_delivery(context, self)
        self.job_id, destination = read_job_id(self.job_id), storage_path(self.destination)
        expected = _expected(self.expected_frames)
        job, report = self._download(destination)
        there = [file for file in report.files if file.size]
        count = count_outputs((expected, job.requested_config, job.final_config), there, analysis=job.analysis)
        found: dict[str, Any] = {
            "missing_frames": list(count.missing),
            "missing": [gap.to_json() for gap in count.gaps],
            "empty": [file.place for file in report.files if not file.size],
        }
        found["complete"] = False if found["empty"] or not there else count.complete
        manifest = write_manifest(folder(destination), str(destination), report, count, found)
        fetched = len(report.files) - report.already_there
        text = "%d frames and %d composites, %d bytes; fetched %d files, and %d were there whole"
        self.log.info(text, len(report.frames), len(report.composites), report.size, fetched, report.already_there)
        if found["complete"] is False:
            self._report_missing(count, found["empty"], there)
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

    def lineage(self, result: Any) -> Lineage:
        """Of a job's outputs, files in the destination."""
        jobs = (of_job(self.renderjuice_conn_id, str(self.job_id)),)
        if not result:
            return Lineage(jobs)
        place = str(self.destination)
        files = {place: result["frames"] + result["composites"]}
        return Lineage(jobs, (place,), result, files, {place: result["bytes"]})

    def _download(self, destination: Any) -> tuple[Job, DownloadReport]:
        job: Job | None = None
        try:
            job = self.client.get_job(self.job_id)
            if job.is_over:
                on_disk(remove_manifest, folder(destination), unless_of=job.id)
            return job, self.client.download_outputs(self.job_id, destination)
        except RenderjuiceError as error:
            leaves(error, job, self.job_id)
            raise

    def _report_missing(self, count: FrameCount, empty: Sequence[str], there: Sequence[DownloadedFile]) -> None:
        what = [f"{len(empty)} files are empty ({', '.join(empty[:5])})"] if empty else []
        what += [str(count)] if count.gaps else []
        reason = "; ".join(what) if there or empty else "the job has no outputs"
        message = f"{reason[:1].upper()}{reason[1:]}. What is there is in {self.destination}"
        if not self.allow_missing:
            raise RenderjuiceIncompleteError(
                message,
                next_step="to render again (and pay again), clear the task that creates the job, with "
                "Downstream; to go on with what is there, pass allow_missing=True",
                job_id=self.job_id,
            )
        self.log.warning("%s. The render is paid and kept. (job %s)", story(message), self.job_id)


def _expected(frames: Any) -> dict[str, Any]:
    """As a render configuration says it."""
    if frames is None:
        return {}
    config = {"frameRanges": frames if isinstance(frames, (list, tuple)) else [frames]}
    if ordered_frames(config) is None:
        raise RenderjuiceInputError(
            f'expected_frames {frames!r} are not frame ranges: write ["1-24"] or ["1-10", "15"].'
        )
    return config
