"""Hundreds of scenes with one configuration: one task for each, from upload to finished render."""

from __future__ import annotations

from airflow.sdk import DAG, Param
from stages.alerts import rendered
from stages.bulk import collect, find_scenes
from stages.defaults import DELIVERIES, POOL, task_defaults

from renderjuice_provider.operators.renderjuice import RenderjuiceRunJobOperator

with DAG(
    "renderjuice_bulk",
    schedule=None,
    tags=["renderjuice"],
    doc_md=__doc__,
    default_args=task_defaults(),
    params={
        "scenes": Param(type="string", description="A folder with .blend and .zip files, or any ObjectStoragePath URL"),
        "destination": Param(
            DELIVERIES,
            type="string",
            description="Where the frames go, a folder for each scene",
        ),
        "config": Param({"colorManagementPreset": "default"}, type="object", description="See RenderConfig"),
    },
):
    scenes = find_scenes()
    render = RenderjuiceRunJobOperator.partial(
        task_id="render",
        pool=POOL,
        map_index_template="{{ task.file_path.rpartition('/')[2] }}",
        **rendered(failed_only=True),
    ).expand_kwargs(scenes)
    render >> collect(scenes)
