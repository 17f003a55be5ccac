"""Rendering what a folder of frames lacks, in as many rounds as that takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import Argument, ceiling, count, plain_config, plain_path, read_job_id, slug, truth
from renderjuice_provider._deferral import DEFAULT_POLL_INTERVAL, is_deferrable, try_ends
from renderjuice_provider._job_errors import RenderjuiceIncompleteError
from renderjuice_provider.api import errors
from renderjuice_provider.api.config import RenderConfig
from renderjuice_provider.api.errors import RenderjuiceInputError, RetryEffect
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.record import Order
from renderjuice_provider.lifecycle.rounds import Finished, Rounds, check_frames
from renderjuice_provider.lineage import Lineage
from renderjuice_provider.links.renderjuice import RenderjuiceDeliveryLink, push_delivery
from renderjuice_provider.operators._base import RenderjuiceOperator, scene_path, storage_path
from renderjuice_provider.operators._driver import shot_name
from renderjuice_provider.operators._frame_folder import CheckFrames, FilesOfFrames
from renderjuice_provider.operators._job_operator import WaitingOperator
from renderjuice_provider.operators._rendering import RENDER_TIMEOUT
from renderjuice_provider.operators._rounds_result import summary
from renderjuice_provider.operators._stuck import WatchesFrames, callback

if TYPE_CHECKING:
    from typing import Unpack
    from uuid import UUID

    from airflow.sdk import Context, ObjectStoragePath, XComArg

    from renderjuice_provider._operator_arguments import OperatorArguments
    from renderjuice_provider.api._flow import Flow

ROUNDS = 3
"""One for the frames, and two for what a farm loses now and then. What a third job does not bring
is no accident."""


def _folder(value: Any, name: str) -> Any:
    if value is None or value in ("", "None"):
        raise RenderjuiceInputError(f"{name} must be a folder; got {value!r}.")
    return plain_path(value, name)


class RenderjuiceRenderFramesOperator(WatchesFrames, WaitingOperator):
    """Render what a folder of frames lacks, download it, and go on until the folder is whole.

    Each round is a job that is ordered only the frames that are missing or not whole. Before it,
    what earlier jobs of the folder have left is downloaded, which is free: also that of a job that
    failed, or whose run died. Such a job that still renders is taken up, and not paid twice. A
    folder that is whole orders nothing.

    A retry goes on in the same round. A user's clear allows as many rounds again, of only what is
    missing then. Gaps in the outputs of the compositor are reported, and not rendered again.

    The folder gets `frames/`, `composites/`, a `manifest.json` as `RenderjuiceDownloadOperator`
    writes it, and `jobs.json`, which lists the jobs. It is for one scene and one configuration:
    frames of two versions are not mixed. Only one task at a time may render into it.

    Args:
        file_path: the scene, a `.blend` or a `.zip`: a local path, or any `ObjectStoragePath` or
            its URL. It is uploaded when a round needs a job of its own.
        render_config: what to render and how; at least `{"colorManagementPreset": "default"}`. A
            `RenderConfig`, or a dict or JSON text of its fields; templates are rendered in both.
            Without `frameRanges`, the frames of the scene are to be there.
        destination: a local folder, or any `ObjectStoragePath` or URL of one; made if it does not
            exist.
        job_id: the id of a validated job of this scene, for the first round; or what our operators
            return. None, the default: the operator makes its own. It is left alone, and costs
            nothing, where nothing is missing.
        slug: what `RenderjuiceUploadOperator` returned for this scene, so that several tasks upload
            it once. None, the default: the operator uploads it, when a round needs a job of its
            own; so also where Renderjuice makes no further job of the slug.
        rounds: how many jobs may be ordered, at most. 3 by default: one for the frames, and two for
            what a farm loses now and then.
        is_whole: takes the local path of a frame, and says whether it can be used; a remote file is
            copied for it. None, the default, takes any file that is not empty.
        check_frames: takes the local paths of the frames of one output, in order, and returns what
            looks wrong, with its reason: `{path: reason}`. Such a frame is rendered once more,
            alone, within `rounds`, `timeout` and `max_normalized_seconds`; what still looks wrong
            then stays, with a remark. None, the default, looks at nothing.
        deferrable: wait in the triggerer, without a worker slot. None, the default, means True: a
            render takes hours. Only `[operators] default_deferrable`, set to false in the
            environment, overrules that.
        poll_interval: seconds (or a timedelta) between two polls. 30 by default: renders take
            minutes to hours. Up to a tenth is added at random, so that many tasks spread out.
        timeout: seconds (or a timedelta) from the start of the first try to the deadline, for all
            rounds. A day by default: long enough for a night that runs late, short enough that a
            forgotten job does not cost a week. Airflow's `execution_timeout`, which counts for each
            try, may end it sooner.
        cancel_on_kill: cancel the job when the task is killed, or marked failed or successful. True
            by default: nobody waits for it any more, and it costs money.
        cancel_on_timeout: cancel the job when the deadline has passed. True by default. With False
            it goes on, and a retry takes it up with a new deadline.
        max_normalized_seconds: what the task may spend, all its rounds together. None by default:
            any number. Over it, the job is cancelled, what it has rendered is kept, and no retry
            spends more; a user's clear allows as much again. What one poll's delay costs comes on
            top. Where Renderjuice gives no seconds before the end, the time in which the job
            renders counts.
        stuck_after: how many times its usual time per frame a job may go without a new frame
            before it is reported as stuck, once: in the task's log, and to `on_stuck_callback`.
            None by default: only its author knows how uneven the frames of a shot are; 10 is
            cautious. What is usual: docs/invariants.md, section 14.
        seconds_per_frame: what a frame usually takes one machine, such as the night before. None
            by default: the job's own frames show it.
        cancel_stuck: cancel a stuck job, keep its frames, and order the rest in the next round.
            False by default: it may come to itself. Then a job with `max_normalized_seconds` is
            only logged until its wait ends, so that its ceiling is held.
        on_stuck_callback: a function, or a notifier, that is called on a worker with the context,
            in which `reason` says what is stuck. What it raises fails nothing. None by default.
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, with the API key and the
            base URL.
        **kwargs: the arguments of every Airflow operator, such as `task_id`.

    Returns:
        As XCom, a dict: `job_id` (the last; None where none was ever ordered), `jobs` (what each
        job of this task is billed, in normalized seconds; None where that is not known),
        `normalized_seconds` (their sum), `rounds` (how many there were), `frames_requested` (a
        number; None when nobody knows), `frames_ordered` (a number, over all rounds; None when
        nobody knows), `frames_missing` (their numbers: what compositor nodes lack), `missing` (the
        same by view and compositor node), `complete` (None when nobody knows what was ordered),
        `remarks` (what looks wrong and stays: reasons by file), `again` (files that were rendered
        again since they looked wrong), `manifest` (its path) and `destination`.

    Raises:
        RenderjuiceInputError: for a file, a configuration or a folder that cannot be right, before
            anything is sent.
        RenderjuiceIncompleteError: naming the frames that are missing after all rounds, or at the
            deadline. Not retried. Whole frames are paid and kept; a clear orders only the rest.
        RenderjuiceCeilingError: when the job was cancelled at `max_normalized_seconds`. What it has
            rendered was downloaded. Not retried.
        RenderjuiceJobOverError: when somebody has canceled the job, or it was cancelled at the
            deadline. Not retried; what it has rendered was downloaded.
        RenderjuiceJobError: when validation failed, or Renderjuice refuses to show the job.
        RenderjuiceTimeoutError: at the deadline, when the job was left running or could not be
            cancelled. A retry takes it up.
        RenderjuiceError: when a call fails. A retry takes up what there is.
    """

    template_fields = (
        *RenderjuiceOperator.template_fields,
        *("file_path", "render_config", "destination", "job_id", "slug", "rounds"),
        *("poll_interval", "timeout", "cancel_on_kill", "cancel_on_timeout", "max_normalized_seconds"),
        *WatchesFrames.STUCK_FIELDS,
    )
    template_fields_renderers = {"render_config": "json"}  # noqa: RUF012
    operator_extra_links = (*WaitingOperator.operator_extra_links, RenderjuiceDeliveryLink())
    store_key = "renderjuice_rounds"
    file_path = Argument(plain_path)
    render_config = Argument(plain_config)
    destination = Argument(_folder)
    slug = Argument(slug)
    rounds = Argument(count)
    cancel_on_kill = Argument(truth)
    cancel_on_timeout = Argument(truth)
    max_normalized_seconds = Argument(ceiling)

    def __init__(
        self,
        *,
        file_path: str | os.PathLike[str] | ObjectStoragePath | XComArg,
        render_config: RenderConfig | Mapping[str, Any] | str | XComArg,
        destination: str | os.PathLike[str] | ObjectStoragePath | XComArg,
        job_id: str | UUID | XComArg | None = None,
        slug: str | XComArg | None = None,
        rounds: int | XComArg = ROUNDS,
        is_whole: Callable[[Path], bool] | None = None,
        check_frames: CheckFrames | None = None,
        deferrable: bool | None = None,
        poll_interval: float | timedelta | XComArg = DEFAULT_POLL_INTERVAL,
        timeout: float | timedelta | XComArg = RENDER_TIMEOUT,
        cancel_on_kill: bool | XComArg = True,
        cancel_on_timeout: bool | XComArg = True,
        max_normalized_seconds: float | XComArg | None = None,
        stuck_after: float | XComArg | None = None,
        seconds_per_frame: float | XComArg | None = None,
        cancel_stuck: bool | XComArg = False,
        on_stuck_callback: Callable[[Context], Any] | None = None,
        renderjuice_conn_id: str = "renderjuice_default",
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(renderjuice_conn_id=renderjuice_conn_id, **kwargs)
        if is_whole is not None and not callable(is_whole):
            raise RenderjuiceInputError(f"is_whole must be a function that takes a path; got {is_whole!r}.")
        if check_frames is not None and not callable(check_frames):
            raise RenderjuiceInputError(f"check_frames must be a function that takes paths; got {check_frames!r}.")
        self.file_path = file_path
        self.render_config = render_config
        self.destination = destination
        self.job_id: Any = job_id
        self.slug = slug
        self.rounds = rounds
        self.is_whole = is_whole
        self.check_frames = check_frames
        self.deferrable = is_deferrable(deferrable)
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.max_normalized_seconds = max_normalized_seconds
        self.stuck_after = stuck_after
        self.seconds_per_frame = seconds_per_frame
        self.cancel_stuck = cancel_stuck
        self.on_stuck_callback = callback(on_stuck_callback)

    def order(self, context: Context) -> Order:
        """All frames, whole, of the scene."""
        return Order(
            JobStatus.COMPLETED,
            self.timeout,
            job_id=None if self.job_id is None or self.job_id in ("", "None") else read_job_id(self.job_id),
            slug=self.slug,
            render_config=self.render_config,
            scene=scene_path(self.file_path),
            source=str(self.file_path),
            account=(self.renderjuice_conn_id, self.client.base_url),
            cancel_on_kill=self.cancel_on_kill,
            cancel_on_timeout=self.cancel_on_timeout,
            most=self.max_normalized_seconds,
            patience=self.patience,
            replaces_job=False,
            try_ends=try_ends(self, context),
            name=shot_name(context, self.file_path),
        )

    def execute(self, context: Context) -> dict[str, Any]:
        """Render what is missing, or go on with what an earlier try has left."""
        push_delivery(context, self)
        order = self.order(context)
        order.check()  # before the scene is read, which may take long
        check_frames(order)
        order = replace(order, content=content_fingerprint(order.scene))
        return self._walk(context, order, lambda rounds: rounds.run())

    def execute_complete(
        self, context: Context, event: Any = None, waits_for: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Resume after the trigger fired, in the round of its job; see `JobOperator`."""
        outcome = Outcome.from_event(event)
        self.signals.waited(outcome.job_id, outcome.ending)
        order = self.order(context)
        return self._walk(context, order, lambda rounds: rounds.resumed(outcome, waits_for), outcome.job_id)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As Airflow does it, but a deferral that it timed out does not leave the job running."""
        from renderjuice_provider.compat import TaskDeferralTimeout

        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            job_id = self.driver(context).last_job_id()
            if job_id is None:
                raise
            self.signals.waited(job_id, Ending.TIMED_OUT)
            return self._walk(context, self.order(context), lambda rounds: rounds.lost(job_id), job_id)

    def lineage(self, result: Any) -> Lineage:
        """Of the scene, a folder of frames."""
        scene, place = (str(self.file_path),), str(self.destination)
        if not result:
            return Lineage(scene)
        whole = result["frames_requested"]
        files = {} if whole is None else {place: whole - len(result["frames_missing"])}
        return Lineage(scene, (place,), result, files)

    def _walk(
        self, context: Context, order: Order, enter: Callable[[Rounds], Flow[Finished]], job_id: str = ""
    ) -> dict[str, Any]:
        driver = self.driver(context)
        folder = FilesOfFrames(storage_path(self.destination), self.is_whole, self.check_frames)
        run_id = str(getattr(context.get("ti"), "run_id", ""))
        rounds = Rounds(order, self.rounds, run_id, driver.past(), folder, self.client.operations, self.log)
        try:
            finished = driver.walk(replace(order, job_id=None), enter(rounds), job_id)
        except errors.RenderjuiceIncompleteError as error:
            missing = len(rounds.lacking or ())
            self.signals.frames(len(rounds.requested or ()) - missing, missing)
            if error.retry is not RetryEffect.CANNOT_HELP:
                raise
            raise RenderjuiceIncompleteError(error.what).settle(
                bill=error.bill, retry=error.retry, next_step=error.next_step, job_id=error.job_id
            ) from None
        found = summary(finished, str(self.destination))
        self.signals.frames(
            (found["frames_requested"] or 0) - len(found["frames_missing"]), len(found["frames_missing"])
        )
        return found
