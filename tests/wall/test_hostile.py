"""What one task has left must not take the night from everybody."""

from __future__ import annotations

import pytest

from renderjuice_provider import xcom_keys
from renderjuice_provider.api.models import Job
from renderjuice_provider.wall._left import plain, with_xcoms
from renderjuice_provider.wall._seen_jobs import observe
from tests.wall.facts import task

DEEP = "[" * 200_000


@pytest.mark.parametrize("key", [xcom_keys.CONFIG, xcom_keys.REASON, xcom_keys.JOB_ID])
def test_a_text_of_brackets_is_a_text(key: str) -> None:
    found = with_xcoms(task("render"), {key: plain(DEEP)}, [])
    assert (found.config, found.left) == ({}, None)


@pytest.mark.parametrize("seconds", [10**400, float("inf"), float("nan"), True])
def test_a_cost_that_is_no_number_is_not_known(seconds: object) -> None:
    record = {"done": [{"job_id": "j", "normalized_seconds": seconds}]}
    assert with_xcoms(task("render"), {}, [record]).jobs == {"j": None}


def test_half_a_character_can_be_written() -> None:
    found = with_xcoms(task("render"), {xcom_keys.JOB_ID: "a\ud800b"}, [])
    assert (found.job_id or "").encode()


def test_a_job_of_the_year_0_was_not_moved_then() -> None:
    job = Job.model_validate({"id": "j", "status": "rendering", "updatedAt": "0001-01-01T00:00:00+14:00"})
    assert observe(None, job, None, 1_000_000.0).moved == 1_000_000.0
