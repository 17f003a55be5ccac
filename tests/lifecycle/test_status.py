"""What to do next, from a job's status alone."""

from __future__ import annotations

import pytest

from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.lifecycle.status import Action, action_to_rendered, action_to_validated, has_reached

TABLE = {
    "created": (Action.VALIDATE, Action.VALIDATE),
    "validating": (Action.WAIT_FOR_VALIDATION, Action.WAIT_FOR_VALIDATION),
    "validated": (Action.DONE, Action.RENDER),
    "debugging": (Action.WAIT_FOR_VALIDATION, Action.WAIT_FOR_VALIDATION),
    "suspended": (Action.WAIT_FOR_VALIDATION, Action.WAIT_FOR_VALIDATION),
    "pondering": (Action.WAIT_FOR_VALIDATION, Action.WAIT_FOR_VALIDATION),
    "booting": (Action.DONE, Action.WAIT_FOR_RENDER),
    "rendering": (Action.DONE, Action.WAIT_FOR_RENDER),
    "finalizing": (Action.DONE, Action.WAIT_FOR_RENDER),
    "completed": (Action.DONE, Action.DONE),
    "failed": (Action.GIVE_UP, Action.GIVE_UP),
    "canceled": (Action.GIVE_UP, Action.GIVE_UP),
}


def test_the_table_has_every_status_that_is_documented():
    assert TABLE.keys() >= set(JobStatus)


@pytest.mark.parametrize("status", TABLE)
def test_each_status_has_its_next_step(status):
    assert (action_to_validated(status), action_to_rendered(status)) == TABLE[status]


def test_a_render_is_ordered_from_one_status_only():
    assert [status for status in TABLE if action_to_rendered(status) is Action.RENDER] == ["validated"]
    assert not [status for status in TABLE if action_to_validated(status) is Action.RENDER]


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
