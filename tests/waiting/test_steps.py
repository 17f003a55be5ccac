"""What to do next, from a job's status alone."""

from __future__ import annotations

import pytest

from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.waiting.steps import Step, has_reached, step_to_rendered, step_to_validated

TABLE = {
    "created": (Step.VALIDATE, Step.VALIDATE),
    "validating": (Step.WAIT_FOR_VALIDATION, Step.WAIT_FOR_VALIDATION),
    "validated": (Step.DONE, Step.RENDER),
    "debugging": (Step.WAIT_FOR_VALIDATION, Step.WAIT_FOR_VALIDATION),
    "suspended": (Step.WAIT_FOR_VALIDATION, Step.WAIT_FOR_VALIDATION),
    "pondering": (Step.WAIT_FOR_VALIDATION, Step.WAIT_FOR_VALIDATION),
    "booting": (Step.DONE, Step.WAIT_FOR_RENDER),
    "rendering": (Step.DONE, Step.WAIT_FOR_RENDER),
    "finalizing": (Step.DONE, Step.WAIT_FOR_RENDER),
    "completed": (Step.DONE, Step.DONE),
    "failed": (Step.GIVE_UP, Step.GIVE_UP),
    "canceled": (Step.GIVE_UP, Step.GIVE_UP),
}


def test_the_table_has_every_status_that_is_documented():
    assert TABLE.keys() >= set(JobStatus)


@pytest.mark.parametrize("status", TABLE)
def test_each_status_has_its_next_step(status):
    assert (step_to_validated(status), step_to_rendered(status)) == TABLE[status]


def test_a_render_is_ordered_from_one_status_only():
    assert [status for status in TABLE if step_to_rendered(status) is Step.RENDER] == ["validated"]
    assert not [status for status in TABLE if step_to_validated(status) is Step.RENDER]


@pytest.mark.parametrize(
    ("status", "target", "reached"),
    [
        ("validated", "validated", True),
        ("rendering", "validated", True),
        ("completed", "validated", True),
        ("failed", "validated", False),
        ("canceled", "completed", False),
        ("canceled", "canceled", True),
        ("completed", "canceled", False),
        ("suspended", "rendering", False),
        ("rendering", "suspended", False),
        ("suspended", "suspended", True),
        ("pondering", "pondering", True),
        ("pondering", "created", False),
        ("created", "validating", False),
    ],
)
def test_further_along_the_way_counts_and_nothing_else_does(status, target, reached):
    assert has_reached(status, target) is reached
