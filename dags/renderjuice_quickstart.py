"""One shot, step by step: from a `.blend` on disk to frames on disk.

Start it with the path of a scene. While Renderjuice validates and renders, the task is deferred: it
holds no worker, and its log shows how far the job is. To stop a render, and its cost, mark the task
`render` as failed.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from stages.alerts import rendered
from stages.contact_sheet import contact_sheet

from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCreateJobOperator,
    RenderjuiceDownloadOperator,
    RenderjuiceRenderJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)

with DAG(
    "renderjuice_quickstart",
    schedule=None,
    tags=["renderjuice"],
    doc_md=__doc__,
    render_template_as_native_obj=True,
    default_args={"poll_interval": 5},
    params={
        "scene": Param(type="string", description="A .blend or .zip: a path, or any ObjectStoragePath URL"),
        "destination": Param(type="string", description="Where the frames go: a folder, or any ObjectStoragePath URL"),
        "config": Param({"colorManagementPreset": "default"}, type="object", description="See RenderConfig"),
    },
):
    upload = RenderjuiceUploadOperator(task_id="upload", file_path="{{ params.scene }}")
    create = RenderjuiceCreateJobOperator(task_id="create", slug=upload.output)
    validate = RenderjuiceValidateJobOperator(task_id="validate", job_id=create.output)
    render = RenderjuiceRenderJobOperator(
        task_id="render",
        job_id=create.output,
        render_config="{{ params.config }}",
        timeout=timedelta(hours=6),
        **rendered(),
    )
    download = RenderjuiceDownloadOperator(
        task_id="download", job_id=create.output, destination="{{ params.destination }}"
    )

    validate >> render >> download >> contact_sheet(download.output)
