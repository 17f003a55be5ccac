"""Arguments as DAG authors and Airflow hand them over."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import DAG, ObjectStoragePath

from renderjuice_provider._arguments import read_job_id
from renderjuice_provider.api.config import OutputSettings, RenderConfig
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceDownloadOperator,
    RenderjuiceRenderFramesOperator,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)
from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor

JOB_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
LEAST = {"colorManagementPreset": "default"}


def run_job(**arguments):
    return RenderjuiceRunJobOperator(
        **{"task_id": "run", "file_path": "shot.blend", "render_config": LEAST} | arguments
    )


def rendered(operator, native=False, **params):
    """The operator with its templates rendered, as before each phase of a task."""
    DAG("dag", schedule=None, render_template_as_native_obj=native).add_task(operator)
    operator.render_template_fields({"params": params})
    return operator


TIMES = pytest.mark.parametrize(
    ("given", "meant"), [("30", 30.0), (" 0.5 ", 0.5), (7, 7.0), (timedelta(minutes=1), 60.0)], ids=str
)


@TIMES
@pytest.mark.parametrize("name", ["timeout", "poll_interval"])
def test_a_time_may_be_a_number_a_text_or_a_timedelta(name, given, meant):
    assert getattr(run_job(**{name: given}), name) == meant
    assert getattr(RenderjuiceJobSensor(task_id="wait", job_id=JOB_ID, **{name: given}), name) == meant


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("name", ["timeout", "poll_interval"])
@pytest.mark.parametrize("make", [run_job, lambda **given: RenderjuiceJobSensor(task_id="w", job_id=JOB_ID, **given)])
def test_a_time_may_be_a_template(make, name, native):
    operator = make(**{name: "{{ params.seconds }}"})
    assert getattr(rendered(operator, native, seconds=12.5), name) == 12.5


@pytest.mark.parametrize("name", ["timeout", "poll_interval"])
@pytest.mark.parametrize("given", ["soon", "", -1, "-1", True, float("inf"), [1], timedelta(0)])
def test_a_time_that_makes_no_sense_is_refused_when_the_dag_is_read(name, given):
    with pytest.raises(RenderjuiceInputError, match=f"{name} must be a number of seconds above 0"):
        run_job(**{name: given})
    with pytest.raises(RenderjuiceInputError, match=f"{name} must be a number of seconds above 0"):
        RenderjuiceJobSensor(task_id="wait", job_id=JOB_ID, **{name: given})


@pytest.mark.parametrize("given", ["later", "{{ 60 }}"])
def test_a_template_that_renders_to_no_time_is_refused_before_anything_is_sent(given):
    with pytest.raises(RenderjuiceInputError, match="timeout must be a number of seconds above 0"):
        rendered(run_job(timeout="{{ params.seconds }}"), seconds=given)


FLAGS = ["wait", "cancel_on_kill", "cancel_on_timeout"]


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("given", [False, "false", "False", " FALSE "])
def test_a_flag_may_be_a_word(name, given):
    assert getattr(run_job(**{name: given}), name) is False
    assert getattr(rendered(run_job(**{name: "{{ params.flag }}"}), flag=given), name) is False


@pytest.mark.parametrize("name", [*FLAGS, "deferrable"])
@pytest.mark.parametrize("given", ["no", "", 2, []])
def test_a_flag_that_only_python_takes_for_one_is_refused(name, given):
    with pytest.raises(RenderjuiceInputError, match=f"{name} must be True or False"):
        run_job(**{name: given})


def test_what_a_clear_means_may_be_a_template():
    assert rendered(run_job(on_clear="{{ params.meaning }}"), meaning="resubmit").on_clear == "resubmit"
    with pytest.raises(RenderjuiceInputError, match="on_clear must be"):
        rendered(run_job(on_clear="{{ params.meaning }}"), meaning="again")


@pytest.mark.parametrize(
    ("given", "meant"), [("1-24", ["1-24"]), ([1, "3-5"], ["1", "3-5"]), (7, ["7"]), ('["1-2"]', ["1-2"]), (None, None)]
)
def test_expected_frames_are_read_like_those_of_an_order(given, meant):
    operator = RenderjuiceDownloadOperator(
        task_id="download", job_id=JOB_ID, destination="out", expected_frames=given, allow_missing="true"
    )
    assert (operator.expected_frames, operator.allow_missing) == (meant, True)
    assert rendered(operator).expected_frames == meant


@pytest.mark.parametrize("given", ["", [""], True, {"first": 1}])
def test_expected_frames_that_are_not_ranges_are_refused(given):
    with pytest.raises(RenderjuiceInputError, match="expected_frames must be frame ranges"):
        RenderjuiceDownloadOperator(task_id="d", job_id=JOB_ID, destination="out", expected_frames=given)


def test_templates_in_a_render_config_are_rendered():
    settings = OutputSettings(color_mode="{{ params.mode }}")
    config = RenderConfig(
        color_management_preset="default",
        frame_ranges=["1-{{ params.last }}"],
        notes="{{ params.note }}",
        output_settings=settings,
    )
    expected = LEAST | {"frameRanges": ["1-9"], "notes": "night", "outputSettings": {"colorMode": "BW"}}
    params = {"last": 9, "note": "night", "mode": "BW"}
    for given in (config, config.to_json() | {"output_settings": settings, "outputSettings": settings}):
        found = rendered(run_job(render_config=given), **params).render_config
        assert {name: found[name] for name in expected} == expected


def test_a_pathlib_path_may_hold_a_template():
    assert rendered(run_job(file_path=Path("/shots/{{ params.shot }}.blend")), shot="a").file_path == "/shots/a.blend"
    upload = RenderjuiceUploadOperator(task_id="upload", file_path=Path("/shots/{{ params.shot }}.blend"))
    assert rendered(upload, shot="a").file_path == "/shots/a.blend"
    download = RenderjuiceDownloadOperator(task_id="d", job_id=JOB_ID, destination=Path("/out/{{ params.shot }}"))
    assert rendered(download, shot="a").destination == "/out/a"


def test_a_path_of_an_object_store_keeps_its_connection():
    path = ObjectStoragePath("s3://bucket/{{ params.shot }}.blend", conn_id="studio")
    found = rendered(run_job(file_path=path), shot="a").file_path
    assert (str(found), found.conn_id) == ("s3://studio@bucket/a.blend", "studio")


@pytest.mark.parametrize(
    "given",
    [
        JOB_ID,
        f" {JOB_ID}\n",
        f'"{JOB_ID}"',
        f"'{JOB_ID}'",
        uuid.UUID(JOB_ID),
        {"job_id": JOB_ID, "status": "completed"},
        json.dumps({"job_id": JOB_ID}),
        str({"job_id": JOB_ID, "analysis": None}),
    ],
)
def test_a_job_id_is_understood_in_every_clear_form(given):
    assert read_job_id(given) == JOB_ID


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "returned nothing, or was skipped"),
        ({"status": "completed"}, "returned nothing, or was skipped"),
        ([JOB_ID], "pass each to a task, with expand"),
        ("", "A job id is a UUID"),
        ("latest", "A job id is a UUID"),
        (7, "A job id is a UUID"),
        ("../jobs", "A job id is a UUID"),
    ],
)
def test_a_malformed_job_id_says_what_to_pass(given, why):
    with pytest.raises(RenderjuiceInputError, match=why):
        read_job_id(given)


def test_every_argument_may_be_the_output_of_another_task():
    with DAG("dag", schedule=None) as dag:
        before = RenderjuiceUploadOperator(task_id="before", file_path="shot.blend")
        for name in ("timeout", "poll_interval", "render_config", "on_clear", "file_path", *FLAGS):
            task = run_job(**{"task_id": name} | {name: before.output})
            assert dag.task_dict[name] is task
            assert task.upstream_task_ids == {"before"}


@pytest.mark.parametrize(
    ("operator", "keys"),
    [
        (RenderjuiceValidateJobOperator, True),
        (RenderjuiceRenderJobOperator, True),
        (RenderjuiceRunJobOperator, True),
        (RenderjuiceRenderFramesOperator, True),
        (RenderjuiceDownloadOperator, True),
        (RenderjuiceUploadOperator, False),
    ],
)
def test_operators_that_return_a_dict_let_its_keys_be_used(operator, keys):
    arguments = {"job_id": JOB_ID, "render_config": LEAST, "file_path": "a.blend", "destination": "out"}
    taken = {name: value for name, value in arguments.items() if name in operator.template_fields}
    assert operator(task_id="task", **taken).multiple_outputs is keys
    assert operator(task_id="task", multiple_outputs=False, **taken).multiple_outputs is False
    with DAG("dag", schedule=None):
        mapped = operator.partial(task_id="mapped", **taken)
        assert mapped.expand(renderjuice_conn_id=["a", "b"]).unmap({}).multiple_outputs is keys
