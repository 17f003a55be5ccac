"""How a wait ended, on its way from the triggerer to the worker."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_provider.api.errors import RenderjuiceEventError
from renderjuice_provider.lifecycle.outcome import Ending, Outcome

outcomes = st.builds(
    Outcome,
    ending=st.sampled_from(Ending),
    job_id=st.text(min_size=1),
    status=st.none() | st.text(),
    message=st.text(),
    started=st.floats(0, 1e10),
    deadline=st.floats(0, 1e10),
    limit=st.sampled_from(["timeout", "execution_timeout"]),
    stopped=st.none() | st.booleans(),
)


@given(outcomes)
def test_an_outcome_survives_the_way_through_json(outcome):
    assert Outcome.from_event(json.loads(json.dumps(outcome.to_event()))) == outcome


def test_the_event_of_this_version_is_fixed():
    """Tasks that deferred before an upgrade are resumed after it."""
    outcome = Outcome(ending=Ending.REACHED, job_id="j", status="completed", message="m", started=1.0, deadline=2.0)
    assert outcome.to_event() == {
        "version": 1,
        "ending": "reached",
        "job_id": "j",
        "status": "completed",
        "message": "m",
        "started": 1.0,
        "deadline": 2.0,
        "limit": "timeout",
        "stopped": None,
        "stuck": "",
    }
    assert {str(ending) for ending in Ending} == {"reached", "over", "timed_out", "at_ceiling", "stuck", "refused"}


def test_an_event_of_release_0_1_says_nothing_of_what_it_did_not_know():
    event = {
        "version": 1,
        "ending": "timed_out",
        "job_id": "j",
        "status": None,
        "message": "",
        "started": 1,
        "deadline": 2,
    }
    assert (Outcome.from_event(event).limit, Outcome.from_event(event).stopped) == ("timeout", None)


def test_fields_that_a_later_version_adds_are_passed_over():
    event = {"ending": "over", "job_id": "j", "started": 1, "deadline": 2, "later": [1]}
    assert Outcome.from_event(event).ending is Ending.OVER


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        [],
        "reached",
        7,
        {"status": "success"},
        {"ending": "reached"},
        {"ending": "success", "job_id": "j", "started": 1, "deadline": 2},
        {"ending": "reached", "job_id": "", "started": 1, "deadline": 2},
        {"ending": "reached", "job_id": 7, "started": 1, "deadline": 2},
        {"ending": "reached", "job_id": "j", "started": "1", "deadline": 2},
        {"ending": "reached", "job_id": "j", "started": 1, "deadline": 2, "version": 2},
    ],
)
def test_an_event_that_is_not_understood_is_never_a_success(event):
    with pytest.raises(RenderjuiceEventError, match="The job was left alone: a retry reads it again") as caught:
        Outcome.from_event(event)
    assert caught.value.__cause__ is None


scalars = st.none() | st.booleans() | st.floats() | st.text(max_size=9)


@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=9), inner), max_leaves=5))
def test_any_other_event_is_our_error(event):
    with pytest.raises(RenderjuiceEventError):
        Outcome.from_event(event)
