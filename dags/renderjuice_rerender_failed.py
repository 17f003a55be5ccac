"""Repair a night: render only the missing frames of only the shots that failed, and deliver them.

Frames that the failed jobs rendered are paid, so they are fetched and kept. How it works:
docs/pipelines.md.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, TaskGroup, task_group
from stages.defaults import DELIVERIES, POOL, task_defaults
from stages.night import plan_repairs, summarize_repairs
from stages.tasks import SHOT_NAME, composite, deliver, guard, note_failure
from stages.tracker import tracker_task

from renderjuice_provider.operators.renderjuice import RenderjuiceDownloadOperator, RenderjuiceRunJobOperator

with DAG(
    "renderjuice_rerender_failed",
    schedule=None,
    max_active_runs=1,
    tags=["renderjuice"],
    doc_md=__doc__,
    default_args=task_defaults(),
    params={
        "date": Param(type="string", format="date", description="The night, such as 2026-11-23"),
        "destination": Param(
            DELIVERIES,
            type="string",
            description="Where that night's deliveries and summary are",
        ),
        "shots": Param(
            [], type="array", items={"type": "string"}, description="Only these; all that failed when empty"
        ),
    },
):

    @task_group(
        default_args={"map_index_template": SHOT_NAME, "pre_execute": guard, "on_failure_callback": note_failure}
    )
    def shot(
        order: Any,
        decision: Any,
        base_file: Any,
        base_config: Any,
        base_folder: Any,
        over_file: Any,
        over_config: Any,
        over_folder: Any,
    ) -> None:
        """One shot. A layer with all its frames is skipped; new frames are added to its folder."""
        composited = composite(order, decision)
        for layer, file, config, folder in (
            ("base", base_file, base_config, base_folder),
            ("over", over_file, over_config, over_folder),
        ):
            with TaskGroup(layer):
                render = RenderjuiceRunJobOperator(
                    task_id="render", file_path=file, render_config=config, pool=POOL, multiple_outputs=True
                )
                download = RenderjuiceDownloadOperator(
                    task_id="download", job_id=render.output["job_id"], destination=folder, allow_missing=True
                )
                download >> composited
        tracker_task(deliver(order, decision, composited))

    plan = plan_repairs(layers=("base", "over"), renderjuice_conn_id="renderjuice_default")
    shot.expand_kwargs(plan) >> summarize_repairs()
