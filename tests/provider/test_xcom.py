"""What a client returns goes from task to task as Airflow stores it.

Whole, and without a signature.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import ClassVar

import pytest
from airflow.sdk.bases.xcom import BaseXCom

from renderjuice_provider.api.config import RenderConfig
from renderjuice_provider.api.models import Downloads, Job, OutputFile, UploadTarget
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.hooks import _xcom as xcom
from tests.support.both_clients import completed, connect

JOB_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
SIGNED = "https://store.test/a.png?X-Amz-Signature=sIgNaTuRe"


class _Stored:
    def __init__(self, value):
        self.value = value


def stored(value):
    return json.dumps(BaseXCom.serialize_value(value))


def read(text):
    return BaseXCom.deserialize_value(_Stored(json.loads(text)))


@pytest.mark.parametrize("kind", ["blocking", "asynchronous"])
def test_everything_that_a_client_returns_is_read_back_by_the_next_task(emulator, tmp_path, kind):
    client = connect(kind, emulator)
    job = completed(client, tmp_path)
    downloads = client.get_downloads(job.id)
    report = client.download_outputs(job.id, tmp_path / "out")
    assert read(stored(job)) == Job.model_validate(json.loads(job.model_dump_json()))
    assert read(stored(job)).id == job.id
    assert [found.id for found in read(stored(list(client.list_jobs())))] == [job.id]
    assert read(stored(report)) == report
    assert read(stored(report)).size == report.size > 0
    assert read(stored(report.frames)) == report.frames
    assert read(stored(client.get_progress(job.id))) == client.get_progress(job.id)
    assert [file.file_name for file in read(stored(downloads)).frame_files] == [
        file.file_name for file in downloads.frame_files
    ]
    for file in downloads.frame_files:
        assert file.url.partition("?")[2] not in stored(downloads)
    client.close()


@pytest.mark.parametrize(
    "config",
    [
        RenderConfig(color_management_preset="aces"),
        RenderConfig.model_validate(
            {
                "colorManagementPreset": "default",
                "frameRanges": ["1-3"],
                "resolution": [64, 36],
                "fps": 25,
                "outputSettings": {"colorDepth": "16", "new": 1},
                "newField": {"a": [1]},
            }
        ),
    ],
)
def test_a_render_config_that_a_task_made_says_the_same_in_the_next(config):
    assert read(stored(config)).to_json() == config.to_json()
    assert read(stored({"config": [config]}))["config"] == [config]


@pytest.mark.parametrize(
    "value",
    [
        Job(id=JOB_ID, status="completed", preview_url=SIGNED),
        Job.model_validate({"id": JOB_ID, "status": "x", "new": {"deep": [SIGNED]}, "sceneFile": {"url": SIGNED}}),
        UploadTarget(upload_url=SIGNED, slug="the-slug"),
        OutputFile(url=SIGNED, file_name="a.png"),
        Downloads.model_validate({"frames": [SIGNED], "frameOutputs": [{"url": SIGNED}], "transforms": {"x": SIGNED}}),
        (Progress(frames_done=1, raw={"preview": SIGNED}),),
        [{"nested": Job(id=JOB_ID, status="completed", preview_url=SIGNED)}],
    ],
)
def test_what_is_stored_holds_no_signature(value):
    text = stored(value)
    assert "sIgNaTuRe" not in text
    assert "https://store.test/a.png?***" in text
    assert type(read(text)) is type(value)


def test_an_upload_target_keeps_what_the_next_task_needs():
    assert read(stored(UploadTarget(upload_url=SIGNED, slug="the-slug"))).slug == "the-slug"


def test_in_memory_a_model_keeps_its_urls():
    target = UploadTarget(upload_url=SIGNED, slug="s")
    assert target.upload_url == target.model_dump()["upload_url"] == SIGNED


@pytest.mark.parametrize("model", xcom.MODELS)
def test_older_airflows_are_given_the_same_names(model, monkeypatch):
    class OldSerde:
        _extra_allowed: ClassVar[set[str]] = set()

    monkeypatch.setattr(xcom, "serde", OldSerde)
    xcom.allow_models()
    assert f"{model.__module__}.{model.__qualname__}" in OldSerde._extra_allowed


@pytest.mark.slow
@pytest.mark.parametrize("module", ["hooks", "operators", "sensors"])
def test_a_dag_file_that_imports_ours_may_read_them(module):
    code = (
        f"import renderjuice_provider.{module}.renderjuice; from airflow.sdk import serde;"
        "from renderjuice_provider.api.models import Job;"
        f"print(serde.deserialize(serde.serialize(Job(id='{JOB_ID}', status='x'))).id)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith(JOB_ID)
