"""The buttons of a task, and what is never stored for them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from renderjuice_provider.api.models import Job
from renderjuice_provider.compat import TaskDeferralTimeout
from renderjuice_provider.links._addresses import address_of, delivery_urls
from renderjuice_provider.links.renderjuice import (
    DELIVERY_KEY,
    PREVIEW_KEY,
    RenderjuiceDeliveryLink,
    RenderjuicePreviewLink,
    RenderjuiceWallLink,
    push_preview,
)
from renderjuice_provider.operators import renderjuice as operators
from renderjuice_provider.operators.renderjuice import RenderjuiceCancelJobOperator, RenderjuiceDownloadOperator
from renderjuice_provider.plugin.renderjuice import RenderjuicePlugin
from renderjuice_provider.provider_info import get_provider_info
from renderjuice_provider.sensors.renderjuice import RenderjuiceJobSensor


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://cdn.example/preview.png", "https://cdn.example/preview.png"),
        ("https://cdn.example/preview.png?token=secret", ""),
        ("javascript:alert(1)", ""),
        ("http://[half", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_preview_is_stored_only_when_it_can_be_no_secret(runner, url, stored):
    push_preview(runner.context, Job(id="job", status="rendering", preview_url=url))
    assert runner.ti.xcoms == {PREVIEW_KEY: stored}


class Stored:
    """Airflow's XComs, which log an error for one that is not there."""

    asked = 0

    @classmethod
    def get_value(cls, **_):
        cls.asked += 1
        return "https://cdn.example/preview.png"


@pytest.fixture
def stored(monkeypatch):
    Stored.asked = 0
    monkeypatch.setattr("airflow.sdk.execution_time.xcom.XCom", Stored)
    return Stored


def task():
    return RenderjuiceCancelJobOperator(task_id="task", job_id="none")


def test_a_task_that_fails_before_it_has_a_job_looks_for_no_preview(stored):
    assert RenderjuicePreviewLink().get_link(task(), ti_key=None) == ""
    assert stored.asked == 0


def test_what_a_task_has_stored_is_its_link(runner, stored):
    runner.ti.task = task()
    push_preview(runner.context)
    assert RenderjuicePreviewLink().get_link(runner.ti.task, ti_key=None) == "https://cdn.example/preview.png"


def test_what_was_stored_before_a_deferral_is_the_link_after_it_too(runner, stored):
    resumed = task()
    with pytest.raises(TaskDeferralTimeout):
        resumed.resume_execution("__fail__", {"error": "Trigger timeout"}, runner.context)
    assert RenderjuicePreviewLink().get_link(resumed, ti_key=None) == "https://cdn.example/preview.png"


def test_before_there_is_a_job_there_is_an_empty_link_and_without_a_task_instance_none(runner):
    push_preview(runner.context)
    push_preview({})
    assert runner.ti.xcoms == {PREVIEW_KEY: ""}


KEY = SimpleNamespace(dag_id="a dag", run_id="manual__2026-11-27T01:02:03+00:00", task_id="task", map_index=-1)
PAGE = "dags/a%20dag/runs/manual__2026-11-27T01%3A02%3A03%2B00%3A00/plugin/renderjuice-run"
URLS = {"s3://bucket": "https://files.example", "s3://bucket/shots/": "https://shots.example/x/", "/srv": "ftp://no"}


@pytest.mark.parametrize(
    ("place", "address"),
    [
        ("https://cdn.example/night/sh010", "https://cdn.example/night/sh010"),
        ("https://cdn.example/sh010?X-Signature=secret", ""),
        ("s3://bucket/shots/sh 010/frames", "https://shots.example/x/sh%20010/frames"),
        ("s3://aws_default@bucket/shots", "https://shots.example/x"),
        ("s3://bucket/shotsold", "https://files.example/shotsold"),
        ("s3://buckets/shots", ""),
        ("/srv/deliveries", ""),
        ("relative", ""),
        ("http://[half", ""),
    ],
)
def test_a_delivery_has_the_address_that_its_place_has_in_the_web(place, address):
    assert address_of(place, URLS) == address


@pytest.mark.parametrize(
    ("text", "found"), [("", {}), ("[1]", {}), ("{", {}), ('{"/srv": "https://x"}', {"/srv": "https://x"})]
)
def test_what_the_configuration_says_of_deliveries_is_used_or_left_out(monkeypatch, text, found):
    monkeypatch.setenv("AIRFLOW__RENDERJUICE__DELIVERY_URLS", text)
    assert delivery_urls() == found


def download(destination):
    return RenderjuiceDownloadOperator(task_id="download", job_id="none", destination=destination)


def test_a_delivery_that_has_no_address_is_seen_on_the_wall():
    assert RenderjuiceDeliveryLink().get_link(download("/srv/sh010"), ti_key=KEY) == PAGE


def test_a_destination_that_could_not_be_rendered_is_no_address(monkeypatch):
    monkeypatch.setenv("AIRFLOW__RENDERJUICE__DELIVERY_URLS", json.dumps({"/srv": "https://files.example"}))
    task = download("/srv/{{ params.shot }}")
    assert RenderjuiceDeliveryLink().get_link(task, ti_key=KEY) == PAGE
    task.is_rendered = True
    task.destination = "/srv/sh010"
    assert RenderjuiceDeliveryLink().get_link(task, ti_key=KEY) == "https://files.example/sh010"


def test_a_task_that_fails_at_once_has_its_delivery_button_already(runner):
    with pytest.raises(Exception, match="A job id is a UUID"):
        runner.run(download("https://files.example/sh010"))
    assert runner.ti.xcoms[DELIVERY_KEY].endswith("/plugin/renderjuice-run")


def test_the_button_of_the_wall_is_on_the_tasks_of_all_our_operators_and_of_the_sensor():
    (link,) = RenderjuicePlugin().operator_extra_links
    ours = [getattr(operators, name) for name in operators.__all__ if name.endswith("Operator")]
    named = {(found.__module__, found.__name__) for found in [*ours, RenderjuiceJobSensor]}
    assert {(found.__module__, found.__name__) for found in link.operators} == named
    assert link.get_link(None, ti_key=KEY) == PAGE


def test_airflow_learns_of_every_button():
    links = [RenderjuiceDeliveryLink, RenderjuicePreviewLink, RenderjuiceWallLink]
    assert get_provider_info()["extra-links"] == [f"{link.__module__}.{link.__name__}" for link in links]
