"""Constructors say what they take: in signature, docstring and template fields."""

from __future__ import annotations

import inspect
import re

import pytest

from renderjuice_provider.api.client import AsyncRenderjuiceClient, RenderjuiceClient
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

WAITS = {"wait", "deferrable", "poll_interval", "timeout"}
RENDERS = {"render_config", "cancel_on_kill", "cancel_on_timeout", "max_normalized_seconds"} | WAITS
RENDERS |= {"stuck_after", "seconds_per_frame", "cancel_stuck", "on_stuck_callback"}
TASKS = {
    RenderjuiceUploadOperator: {"file_path"},
    RenderjuiceCreateJobOperator: {"slug"},
    RenderjuiceValidateJobOperator: {"job_id"} | WAITS,
    RenderjuiceRenderJobOperator: {"job_id"} | RENDERS,
    RenderjuiceRunJobOperator: {"file_path", "on_clear"} | RENDERS,
    RenderjuiceRenderFramesOperator: {
        "file_path",
        "destination",
        "job_id",
        "slug",
        "rounds",
        "is_whole",
        "check_frames",
    }
    | RENDERS - {"wait"},
    RenderjuiceCancelJobOperator: {"job_id", "poll_interval", "timeout"},
    RenderjuiceDownloadOperator: {"job_id", "destination", "expected_frames", "allow_missing"},
    RenderjuiceJobSensor: {"job_id", "target_status", "poke_interval"} | WAITS - {"wait"},
}
"""The arguments of each, beside the connection."""
NOT_TEMPLATED = {"deferrable", "poke_interval", "is_whole", "check_frames", "on_stuck_callback"}
"""Where a task waits is decided when the DAG is read, and a function is no text. Airflow's name for
`poll_interval` is rendered as `poll_interval`."""
CLIENT = {"api_key", "base_url", "timeout", "max_attempts", "allow_http", "retry", "max_transfers"}
OTHERS = {
    RenderjuiceClient: CLIENT,
    AsyncRenderjuiceClient: CLIENT,
    RenderjuiceHook: {"renderjuice_conn_id"},
    RenderjuiceJobTrigger: {
        *("renderjuice_conn_id", "job_id", "target", "poll_interval", "started", "deadline"),
        *("cancel_on_kill", "cancel_on_timeout", "limit", "max_normalized_seconds", "version"),
        *("stuck_after", "seconds_per_frame", "cancel_stuck"),
    },
}
ALL = {each: ours | {"renderjuice_conn_id"} for each, ours in TASKS.items()} | OTHERS

every_class = pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
every_task = pytest.mark.parametrize("cls", TASKS, ids=lambda cls: cls.__name__)


def named(cls: type) -> dict[str, inspect.Parameter]:
    """The parameters that the constructor names, but for Airflow's own."""
    parameters = inspect.signature(cls).parameters
    return {name: each for name, each in parameters.items() if each.kind is not inspect.Parameter.VAR_KEYWORD}


def sections(cls: type) -> dict[str, str]:
    """The docstring by its sections."""
    _, *parts = re.split(r"^(\w+):$", inspect.cleandoc(cls.__doc__ or ""), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def documented(cls: type) -> dict[str, str]:
    """What the docstring says of each argument."""
    found = re.findall(r"^ {4}(\*{0,2}\w+): (.+(?:\n {8}.+)*)", sections(cls)["Args"], re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text) for name, text in found}


@every_class
def test_the_signature_names_every_argument(cls):
    assert named(cls).keys() == ALL[cls]


@every_task
def test_no_argument_of_a_task_can_be_given_without_its_name(cls):
    assert {each.kind for each in named(cls).values()} == {inspect.Parameter.KEYWORD_ONLY}


@every_class
def test_every_argument_has_a_type(cls):
    assert [name for name, each in named(cls).items() if each.annotation in {inspect.Parameter.empty, "Any"}] == []


@every_task
def test_all_other_arguments_are_airflows_by_name(cls):
    others = inspect.signature(cls).parameters["kwargs"]
    assert others.annotation in {"Unpack[OperatorArguments]", "Unpack[SensorArguments]"}


@every_class
def test_the_docstring_explains_every_argument_in_the_order_of_the_signature(cls):
    assert [name for name in documented(cls) if name != "**kwargs"] == list(named(cls))


@every_class
def test_no_docstring_sends_the_reader_to_another_class(cls):
    assert re.findall(r"(?i)\bsee (?:`|the class)|\bas for `", cls.__doc__) == []


@every_class
def test_every_time_has_a_unit(cls):
    for name, text in documented(cls).items():
        if name in {"poll_interval", "timeout", "started", "deadline"}:
            assert "second" in text, name


@every_task
def test_the_docstring_says_what_is_returned_and_what_is_raised(cls):
    assert {"Args", "Returns", "Raises"} <= sections(cls).keys()


@every_task
def test_all_that_an_author_computes_is_templated(cls):
    assert set(cls.template_fields) == ALL[cls] - NOT_TEMPLATED


@every_task
def test_every_templated_argument_takes_an_xcom(cls):
    taken = {name for name, each in named(cls).items() if "XComArg" in each.annotation}
    assert set(cls.template_fields) - taken == {"renderjuice_conn_id"}


@pytest.mark.parametrize("cls", [*TASKS, RenderjuiceHook], ids=lambda cls: cls.__name__)
def test_the_default_connection_is_the_same_everywhere(cls):
    assert named(cls)["renderjuice_conn_id"].default == RenderjuiceHook.default_conn_name
