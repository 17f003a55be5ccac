"""One shot, from scene to delivery: of the list, or just a file.

upload → create → validate, for each layer; then decide → (reject | probe → share → render, for each
layer) → composite → deliver → report to the tracker. It renders only what is missing: to go on
after a failure, clear what failed, or start the shot again. How it works: docs/pipelines.md.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param
from stages import tasks
from stages.defaults import POOL, SHOT_DAG, render_defaults, task_defaults
from stages.params import params
from stages.share_task import ShareOperator
from stages.tasks import LAYER
from stages.tracker import tracker_task

from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCreateJobOperator,
    RenderjuiceRenderFramesOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)

with DAG(
    SHOT_DAG,
    schedule=None,
    max_active_runs=500,
    is_paused_upon_creation=False,  # the nightly starts its runs, and waits for them
    tags=["renderjuice"],
    doc_md=__doc__,
    default_args=task_defaults() | {"on_failure_callback": tasks.note_failure},
    params={
        "shot": Param(
            None, type=["null", "string"], description="A name of the shot list; or leave it empty, and fill in file"
        ),
        "file": Param(
            None,
            type=["null", "string"],
            description="In place of shot: a .blend or .zip, by path or any ObjectStoragePath URL",
        ),
        "frames": Param(
            None, type=["null", "string"], description="Such as 1-24; by default as the list, then the scene says"
        ),
        **params("shot_list", "quality"),
        "render": Param(
            {}, type="object", description="Fields of RenderConfig, such as sampleCount, over those of the list"
        ),
        "again": Param(
            default=False,
            type="boolean",
            description="Render all frames again, which is paid again, also what is there",
        ),
        **params("ask_above", "date", "destination", "work"),
    },
):
    layers = tasks.take_order()
    order = layers["order"]

    upload = RenderjuiceUploadOperator.partial(task_id="upload", map_index_template=LAYER).expand(
        file_path=layers.map(lambda layer: layer["file_path"])
    )
    create = RenderjuiceCreateJobOperator.partial(task_id="create", map_index_template=LAYER).expand(slug=upload.output)
    validate = RenderjuiceValidateJobOperator.partial(task_id="validate", map_index_template=LAYER).expand(
        job_id=create.output
    )
    # Nothing is rendered until all layers are valid: half a composite is money lost.
    decided = tasks.decide(order, validate.output)
    probe, render = (
        RenderjuiceRenderFramesOperator.partial(
            task_id=task_id,
            map_index_template=LAYER,
            job_id="{{ ti.xcom_pull(task_ids='create', map_indexes=ti.map_index) }}",
            slug="{{ ti.xcom_pull(task_ids='upload', map_indexes=ti.map_index) }}",
            render_config=f"{{{{ ti.xcom_pull(task_ids='decide', key='{key}')[ti.map_index] | tojson }}}}",
            is_whole=tasks.is_whole,
            check_frames=tasks.check_frames if task_id == "render" else None,
            pre_execute=tasks.keep_share,
            pool=POOL,
            timeout=decided["timeout"],
            trigger_rule="none_failed_min_one_success",  # a night without a ceiling has no probe and no share
            **render_defaults(),
        ).expand_kwargs(layers)
        for task_id, key in (("probe", "probes"), ("render", "configs"))
    )
    share = ShareOperator(task_id="share", trigger_rule="none_failed_min_one_success")
    composited = tasks.composite(order, decided["decision"])
    decided >> [tasks.reject(order, decided["decision"]), probe, share, render]
    probe >> share >> render >> composited
    tracker_task(tasks.deliver(order, decided["decision"], composited, render.output))
