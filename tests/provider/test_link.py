"""The preview button, and what is never stored for it."""

from __future__ import annotations

import pytest

from renderjuice_provider.api.models import Job
from renderjuice_provider.compat import TaskDeferralTimeout
from renderjuice_provider.links.renderjuice import PREVIEW_KEY, RenderjuicePreviewLink, push_preview
from renderjuice_provider.operators.renderjuice import RenderjuiceCancelJobOperator


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
