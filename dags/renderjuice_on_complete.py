"""Whatever is completed at Renderjuice is downloaded, and nothing waits for it.

For renders that nobody waits for: ordered with `wait=False`, or by artists in the dashboard. An
event of Renderjuice starts a run, so no task, no trigger and no poll is there while a job renders.
Events come by the webhook receiver (docs/webhooks.md). Where those cannot reach Airflow, give the
asset a watcher: "Started by completed renders" in docs/pipelines.md has one.

Airflow 3.3 makes one run of all events since the run before, and 3.4 a run for each event (its
`[scheduler] batch_asset_events` makes it one again). Both are right here: a run downloads what its
events name and is not there yet, so an event that comes twice finds nothing to do. Two runs that
meet at one render write the same files, each in one piece.

Started by hand, it downloads what was completed within `days`: what came while it was paused, say.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param
from stages.completed import not_downloaded
from stages.defaults import CONNECTION, DELIVERIES, task_defaults

from renderjuice_provider.assets import completed_renders
from renderjuice_provider.operators.renderjuice import RenderjuiceDownloadOperator

with DAG(
    "renderjuice_on_complete",
    schedule=completed_renders(CONNECTION),
    catchup=False,
    tags=["renderjuice"],
    doc_md=__doc__,
    default_args=task_defaults(),
    params={
        "destination": Param(
            f"{DELIVERIES}/renders",
            type="string",
            description="Where frames go, a folder for each shot and job: a folder that all workers share, or any "
            "ObjectStoragePath URL",
        ),
        "days": Param(
            1,
            type="number",
            exclusiveMinimum=0,
            description="When started by hand: what was completed within this number of days",
        ),
    },
):
    RenderjuiceDownloadOperator.partial(
        task_id="download",
        renderjuice_conn_id=CONNECTION,
        map_index_template="{{ task.destination.split('/')[-2] }}",
    ).expand_kwargs(not_downloaded())
