"""Every night: each shot that is new or has changed, from scene to delivery.

upload → create → validate → decide → render (deferred) → download, for each layer; then composite →
deliver → report to the tracker. A shot that is rejected or fails does not stop the others, and
`summarize` always runs. How it works: docs/pipelines.md.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, TaskGroup, task_group
from stages.compat import CronTriggerTimetable
from stages.defaults import DELIVERIES, POOL, WORK, task_defaults
from stages.night import plan_night, summarize
from stages.tasks import SHOT_NAME, DecideOperator, composite, deliver, guard, note_failure, reject
from stages.tracker import tracker_task

from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCreateJobOperator,
    RenderjuiceDownloadOperator,
    RenderjuiceRenderJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)

TIMEZONE = "Europe/Berlin"
SETTINGS: dict[str, dict[str, Any]] = {
    "final": {"pool_slots": 2, "timeout": timedelta(hours=12)},
    "economical": {"pool_slots": 1, "timeout": timedelta(hours=3)},
}
"""How the two kinds of render are run; what they order is in stages/decisions.py."""

with DAG(
    "renderjuice_nightly",
    # After unpausing, it waits for the next night: a render costs money, so a switch starts none.
    schedule=CronTriggerTimetable("0 22 * * *", timezone=TIMEZONE, run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    tags=["renderjuice"],
    doc_md=__doc__,
    default_args=task_defaults(),
    params={
        "shot_list": Param(
            os.environ.get("RENDERJUICE_SHOT_LIST", str(Path(__file__).with_name("shots.yaml"))),
            type="string",
            description="The shot list: a path, or any ObjectStoragePath URL",
        ),
        "destination": Param(
            DELIVERIES,
            type="string",
            description="Where deliveries and summaries go: a folder that all workers share, or any ObjectStoragePath URL",
        ),
        "work": Param(
            WORK,
            type="string",
            description="Where rendered frames wait for compositing: likewise",
        ),
        "date": Param(
            None, type=["null", "string"], format="date", description="The night; by default that of the start"
        ),
        "shots": Param([], type="array", items={"type": "string"}, description="Only these shots; all when empty"),
        "quality": Param("auto", type="string", enum=["auto", "economical", "final"], description="auto: by shot"),
        "dry_run": Param(default=False, type="boolean", description="Only report what would be rendered"),
    },
):

    @task_group(
        default_args={"map_index_template": SHOT_NAME, "pre_execute": guard, "on_failure_callback": note_failure}
    )
    def shot(order: Any, base_file: Any, base_folder: Any, over_file: Any, over_folder: Any) -> None:
        """One shot. Layers are rendered only when all are valid: half a composite is money lost."""
        layers = {"base": (base_file, base_folder), "over": (over_file, over_folder)}
        found = {}
        for layer, (file, _) in layers.items():
            with TaskGroup(f"check_{layer}"):
                upload = RenderjuiceUploadOperator(task_id="upload", file_path=file)
                create = RenderjuiceCreateJobOperator(task_id="create", slug=upload.output)
                found[layer] = RenderjuiceValidateJobOperator(task_id="validate", job_id=create.output).output

        decide = DecideOperator(task_id="decide", order=order, found=found, trigger_rule="none_failed")
        reject(decide.output["decision"])
        composited = composite(order, decide.output["decision"])
        for layer, (_, folder) in layers.items():
            with TaskGroup(f"render_{layer}"):
                job = decide.output[f"{layer}_job"]
                renders = [
                    RenderjuiceRenderJobOperator(
                        task_id=f"render_{settings}",
                        job_id=job,
                        render_config=decide.output[f"{layer}_config"],
                        pool=POOL,
                        **how,
                    )
                    for settings, how in SETTINGS.items()
                ]
                download = RenderjuiceDownloadOperator(
                    task_id="download", job_id=job, destination=folder, allow_missing=True, trigger_rule="none_failed"
                )
                renders >> download >> composited
        tracker_task(deliver(order, decide.output["decision"], composited))

    shot.expand_kwargs(plan_night(layers=("base", "over"), timezone=TIMEZONE)) >> summarize()
