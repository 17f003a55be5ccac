"""The preview button, and what is never stored for it."""

from __future__ import annotations

import pytest

from renderjuice_provider.api.models import Job
from renderjuice_provider.links.renderjuice import PREVIEW_KEY, push_preview


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


def test_before_there_is_a_job_there_is_an_empty_link_and_without_a_task_instance_none(runner):
    push_preview(runner.context)
    push_preview({})
    assert runner.ti.xcoms == {PREVIEW_KEY: ""}
