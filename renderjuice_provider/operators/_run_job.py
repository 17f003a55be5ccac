"""Upload, validation and render of one scene, in one task."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import Argument, plain_path
from renderjuice_provider._deferral import DEFAULT_POLL_INTERVAL, is_deferrable
from renderjuice_provider.api.config import RenderConfig
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.lifecycle.record import OnClear, Order
from renderjuice_provider.lineage import Lineage, of_render
from renderjuice_provider.operators._base import scene_path
from renderjuice_provider.operators._driver import shot_name
from renderjuice_provider.operators._rendering import RENDER_TIMEOUT, RenderOperator
from renderjuice_provider.operators._stuck import callback
from renderjuice_provider.operators._task_store import check_on_clear

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.sdk import Context, ObjectStoragePath, XComArg

    from renderjuice_provider._operator_arguments import OperatorArguments


class RenderjuiceRunJobOperator(RenderOperator):
    """Upload, create, validate and render one scene, in one task.

    Made for `.partial(...).expand_kwargs(shots)`.

    A retry goes on where the try before it stopped: it does not upload again what is uploaded, nor
    render again what is rendering or done. Only when the job is over without success does a retry
    make a new one, and pay for it.

    Args:
        file_path: the scene, a `.blend` or a `.zip`: a local path, or any `ObjectStoragePath` or
            its URL.
        render_config: what to render and how; at least `{"colorManagementPreset": "default"}`. A
            `RenderConfig`, or a dict or JSON text of its fields; templates are rendered in both.
        wait: wait until the render is over. True by default; False returns as soon as it is
            ordered, which is after validation.
        deferrable: wait in the triggerer, without a worker slot. None, the default, means True: a
            render takes hours. Only `[operators] default_deferrable`, set to false in the
            environment, overrules that.
        poll_interval: seconds (or a timedelta) between two polls. 30 by default: renders take
            minutes to hours. Up to a tenth is added at random, so that many tasks spread out.
        timeout: seconds (or a timedelta) from the start of the first try to the deadline, for all
            of it. A day by default: long enough for a night that runs late, short enough that a
            forgotten job does not cost a week. Airflow's `execution_timeout`, which counts for each
            try, may end it sooner.
        cancel_on_kill: cancel the job when the task is killed, or marked failed or successful. True
            by default: nobody waits for it any more, and it costs money.
        cancel_on_timeout: cancel the job when the deadline has passed. True by default. With False
            it goes on, and a retry takes it up with a new deadline.
        max_normalized_seconds: what the task may spend, all its jobs together. None by default: any
            number. Over it, the job is cancelled, and no retry spends more. What one poll's delay
            costs comes on top. Where Renderjuice gives no seconds before the end, the time in which
            the job renders counts.
        stuck_after: how many times its usual time per frame a job may go without a new frame
            before it is reported as stuck, once: in the task's log, and to `on_stuck_callback`.
            None by default: only its author knows how uneven the frames of a shot are; 10 is
            cautious. What is usual: docs/invariants.md, section 14.
        seconds_per_frame: what a frame usually takes one machine, such as the night before. None
            by default: the job's own frames show it.
        cancel_stuck: cancel a stuck job; a retry makes another, which costs again. False by
            default: it may come to itself. Then a job with `max_normalized_seconds` is only logged
            until its wait ends, so that its ceiling is held.
        on_stuck_callback: a function, or a notifier, that is called on a worker with the context,
            in which `reason` says what is stuck. What it raises fails nothing. None by default.
        on_clear: what clearing the task means. `reattach`, the default, goes on with the job that
            there is, also when it is completed: clearing costs nothing. `resubmit` stops it and
            renders again.
        renderjuice_conn_id: the Airflow connection, of type `renderjuice`, with the API key and the
            base URL.
        **kwargs: the arguments of every Airflow operator, such as `task_id`.

    Returns:
        As XCom, a dict: `job_id`, `status`, `normalized_seconds` (what is billed), and once the job
        is over `frames_requested` (None when nobody knows), `frames_delivered` (a number of files),
        `frames_missing` (their numbers), `missing` (the same by view and compositor node) and
        `complete` (None when nobody knows what was ordered).

    Raises:
        RenderjuiceInputError: for a file or a configuration that cannot be right, before anything
            is sent.
        RenderjuiceOtherOrderError: when the job on record renders another configuration. Not
            retried.
        RenderjuiceCeilingError: when the task has spent `max_normalized_seconds`. Not retried.
        RenderjuiceJobError: when the job failed, was canceled, or was cancelled at the deadline: a
            retry starts a new job, and pays for it. Also when Renderjuice refuses to show the job:
            it may be running, and a retry reads it again.
        RenderjuiceTimeoutError: at the deadline, when the job was left running or could not be
            cancelled. A retry takes it up.
        RenderjuiceError: when a call fails. A retry takes up what there is.
    """

    template_fields = (*RenderOperator.template_fields, "file_path", "on_clear")
    file_path = Argument(plain_path)
    on_clear = Argument(check_on_clear)

    def __init__(
        self,
        *,
        file_path: str | os.PathLike[str] | ObjectStoragePath | XComArg,
        render_config: RenderConfig | Mapping[str, Any] | str | XComArg,
        wait: bool | XComArg = True,
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
        on_clear: OnClear | XComArg = "reattach",
        renderjuice_conn_id: str = "renderjuice_default",
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(renderjuice_conn_id=renderjuice_conn_id, **kwargs)
        self.render_config = render_config
        self.wait = wait
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
        self.file_path = file_path
        self.on_clear = on_clear

    def execute(self, context: Context) -> dict[str, Any]:
        """All of it, or what an earlier try has left of it."""
        order = self.order(context)
        order.check()  # before the scene is read, which may take long
        scene = scene_path(self.file_path)
        order = replace(order, scene=scene, content=content_fingerprint(scene))
        return self.summary(self.driver(context).run(order))

    def lineage(self, result: Any) -> Lineage:
        """Of the scene, the outputs of a job."""
        return of_render(self.renderjuice_conn_id, str(self.file_path), result)

    def order(self, context: Context) -> Order:
        """A completed render of the scene, in a job of its own."""
        return replace(
            super().order(context),
            source=str(self.file_path),
            on_clear=self.on_clear,
            name=shot_name(context, self.file_path),
        )
