"""Constructions that mypy must accept, in every form that the documentation names.

`test_typing.py` runs it over this file.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any, Unpack, assert_type

from airflow.sdk import DAG, ObjectStoragePath, XComArg, task

from renderjuice_provider._operator_arguments import OperatorArguments
from renderjuice_provider.api import AsyncRenderjuiceClient, Job, RenderConfig, RenderjuiceClient, RetryPolicy
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCancelJobOperator,
    RenderjuiceCreateJobOperator,
    RenderjuiceDownloadOperator,
    RenderjuiceRenderFramesOperator,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)
from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor
from renderjuice_provider.triggers.renderjuice import RenderjuiceJobTrigger
from renderjuice_provider.xcom_keys import JOB_ID

LEAST = {"colorManagementPreset": "default"}


@task
def shots() -> list[dict[str, Any]]:
    """What a mapped task is expanded over."""
    return []


def looks_wrong(paths: list[Path]) -> dict[Path, str]:
    """What looks wrong among frames."""
    return dict.fromkeys(paths[:1], "black")


with DAG("all_forms", schedule=None):
    upload = RenderjuiceUploadOperator(task_id="upload", file_path="{{ params.scene }}")
    RenderjuiceUploadOperator(task_id="path", file_path=Path("shot.blend"), pool="uploads", retries=2)
    RenderjuiceUploadOperator(task_id="store", file_path=ObjectStoragePath("s3://shots/shot.blend"))
    RenderjuiceUploadOperator(task_id="xcom", file_path=shots(), renderjuice_conn_id="farm")
    create = RenderjuiceCreateJobOperator(task_id="create", slug=upload.output)
    validate = RenderjuiceValidateJobOperator(task_id="validate", job_id=create.output)
    RenderjuiceValidateJobOperator(
        task_id="validate_in_time",
        job_id="id",
        wait=False,
        deferrable=False,
        poll_interval=5,
        timeout=timedelta(minutes=5),
    )
    render = RenderjuiceRenderJobOperator(task_id="render", job_id=create.output, render_config=LEAST)
    RenderjuiceRenderJobOperator(
        task_id="render_all_said",
        job_id=validate.output["job_id"],
        render_config=RenderConfig(color_management_preset="default"),
        wait=True,
        deferrable=True,
        poll_interval=timedelta(seconds=10),
        timeout=validate.output["seconds"],
        cancel_on_kill=False,
        cancel_on_timeout=validate.output["flag"],
        max_normalized_seconds=validate.output["seconds"],
        stuck_after=10,
        seconds_per_frame=validate.output["seconds"],
        cancel_stuck=validate.output["flag"],
        on_stuck_callback=lambda context: None,
        renderjuice_conn_id="farm",
    )
    run = RenderjuiceRunJobOperator(task_id="run", file_path=Path("shot.blend"), render_config=shots())
    RenderjuiceRunJobOperator(
        task_id="run_all_said",
        file_path=ObjectStoragePath("s3://shots/shot.blend"),
        render_config='{"colorManagementPreset": "default"}',
        wait=True,
        deferrable=None,
        poll_interval=30.5,
        timeout=3600,
        cancel_on_kill=True,
        cancel_on_timeout=True,
        max_normalized_seconds=900,
        stuck_after=None,
        seconds_per_frame=2.5,
        cancel_stuck=True,
        on_stuck_callback=None,
        on_clear="resubmit",
        execution_timeout=timedelta(hours=1),
        on_failure_callback=[lambda context: None],
        trigger_rule="all_done",
        default_args={"retries": 2},
    )
    RenderjuiceRunJobOperator.partial(task_id="mapped", render_config=LEAST).expand_kwargs(shots())
    RenderjuiceRenderFramesOperator(task_id="frames", file_path="shot.blend", render_config=LEAST, destination="out")
    RenderjuiceRenderFramesOperator(
        task_id="frames_all_said",
        file_path=Path("shot.blend"),
        render_config=RenderConfig(color_management_preset="default"),
        destination=ObjectStoragePath("s3://shots/sh010"),
        job_id=create.output,
        slug=upload.output,
        rounds=2,
        is_whole=Path.is_file,
        check_frames=looks_wrong,
        deferrable=True,
        poll_interval=timedelta(seconds=10),
        timeout=3600,
        cancel_on_kill=False,
        cancel_on_timeout=validate.output["flag"],
        max_normalized_seconds=validate.output["seconds"],
        stuck_after=10,
        seconds_per_frame=validate.output["seconds"],
        cancel_stuck=validate.output["flag"],
        on_stuck_callback=lambda context: None,
        renderjuice_conn_id="farm",
    )
    RenderjuiceRenderFramesOperator.partial(task_id="layers", render_config=LEAST).expand_kwargs(shots())
    RenderjuiceDownloadOperator(task_id="download", job_id=run.output["job_id"], destination="{{ params.destination }}")
    RenderjuiceDownloadOperator(
        task_id="download_all_said",
        job_id=uuid.uuid4(),
        destination=Path("frames"),
        expected_frames=["1-24", 30],
        allow_missing=True,
    )
    RenderjuiceDownloadOperator(task_id="text", job_id="id", destination=shots(), expected_frames="1-24")
    RenderjuiceCancelJobOperator(task_id="stop", job_id=XComArg(run, key=JOB_ID)).as_teardown()
    RenderjuiceCancelJobOperator(
        task_id="stop_several", job_id=["one", "two"], poll_interval=1, timeout=timedelta(hours=1)
    )
    RenderjuiceCancelJobOperator(task_id="stop_none", job_id=None, timeout=validate.output["seconds"])
    RenderjuiceJobSensor(task_id="wait", job_id=create.output)
    RenderjuiceJobSensor(
        task_id="wait_all_said",
        job_id="id",
        target_status="rendering",
        deferrable=False,
        poll_interval=timedelta(minutes=1),
        timeout=60,
        mode="reschedule",
        soft_fail=True,
    )
    RenderjuiceJobSensor(task_id="airflows_name", job_id="id", poke_interval=60, timeout=None)


class StudioUploadOperator(RenderjuiceUploadOperator):
    """As studios write them: it takes a shot, and makes a path of it."""

    def __init__(self, *, shot: str, **kwargs: Unpack[OperatorArguments]) -> None:
        super().__init__(file_path=f"shots/{shot}", **kwargs)


StudioUploadOperator(task_id="studio", shot="sh010")
RenderjuiceJobTrigger(
    renderjuice_conn_id="farm", job_id="id", target="completed", poll_interval=30, started=0.0, deadline=60.0
)
assert_type(RenderjuiceHook().client, RenderjuiceClient)
assert_type(RenderjuiceHook("farm").client.get_job("id"), Job)
RenderjuiceHook(renderjuice_conn_id="farm")
RenderjuiceClient("RJ-key", retry=RetryPolicy(max_attempts=1), allow_http=True)
with RenderjuiceClient("RJ-key", base_url="https://farm.example/v1", timeout=60, max_attempts=3) as client:
    assert_type(client.get_job("id"), Job)
    assert_type([job.id for job in client.list_jobs(status="completed")], list[str])


async def job_status() -> str:
    """The asynchronous client has the same names."""
    async with AsyncRenderjuiceClient("RJ-key", max_attempts=1) as client:
        return (await client.get_job("id")).status
