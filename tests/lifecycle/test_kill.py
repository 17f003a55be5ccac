"""The table of kills, row by row, and as a whole."""

from __future__ import annotations

from itertools import product

import pytest

from renderjuice_provider.lifecycle.kill import (
    DELETED,
    ENDED,
    GONE,
    NO_ANSWER,
    NOT_ASKED,
    TABLE,
    Decision,
    Kill,
    decide,
    may_stop_at_deadline,
    with_state,
)

GOES_ON = ("restarting", "up_for_retry", "scheduled", "queued", "deferred", "None")
STATES = (*sorted(ENDED), *GOES_ON, "running", DELETED, NO_ANSWER, NOT_ASKED)
EVERY_KILL = [
    Kill(state, tries_left, on_clear, findable, timed_out, in_process, wanted)
    for state, on_clear in product(STATES, ("reattach", "resubmit"))
    for tries_left, findable, timed_out, in_process, wanted in product((True, False), repeat=5)
]


@pytest.mark.parametrize(
    ("place", "kill", "decision"),
    [
        (0, Kill("failed", wanted=False, findable=False), Decision.LEAVE),
        (1, Kill("running", timed_out=True), Decision.CANCEL),
        (2, Kill("up_for_retry", findable=False), Decision.CANCEL),
        (3, Kill("running", in_process=True), Decision.CANCEL),
        (4, Kill(), Decision.ASK),
        *((5, Kill(state, tries_left), Decision.CANCEL) for state in sorted(ENDED) for tries_left in (True, False)),
        (6, Kill(DELETED, tries_left=False), Decision.LEAVE),
        (7, Kill("restarting", on_clear="resubmit"), Decision.CANCEL),
        (8, Kill("running", tries_left=False), Decision.CANCEL),
        (8, Kill(NO_ANSWER, tries_left=False), Decision.CANCEL),
        (9, Kill(NO_ANSWER), Decision.LEAVE),
        *((10, Kill(state), Decision.LEAVE) for state in (*GOES_ON, "running", "a state of a later Airflow")),
    ],
)
def test_each_row_decides_what_it_says(place, kill, decision):
    assert decide(kill) is TABLE[place]
    assert TABLE[place].decision is decision


def test_every_kill_that_can_be_is_decided_and_every_row_is_needed():
    assert {decide(kill) for kill in EVERY_KILL} == set(TABLE)


def test_airflow_is_asked_at_most_once():
    for kill in EVERY_KILL:
        for state in (*STATES[:-1], None):
            assert decide(with_state(kill, state)).decision is not Decision.ASK


def test_what_the_author_does_not_want_is_never_cancelled():
    assert not any(decide(kill).decision is Decision.CANCEL for kill in EVERY_KILL if not kill.wanted)


def test_a_job_that_no_try_will_find_is_never_left_running():
    for kill in EVERY_KILL:
        if kill.wanted and (not kill.findable or kill.in_process or kill.state in ENDED):
            assert decide(kill).decision is (Decision.ASK if needs_the_state(kill) else Decision.CANCEL)


def needs_the_state(kill):
    return kill.state == NOT_ASKED and kill.findable and not kill.in_process and not kill.timed_out


def test_a_trigger_which_knows_the_state_alone_cancels_only_for_a_task_that_has_ended():
    cancelled = {state for state in STATES if decide(Kill(state)).decision is Decision.CANCEL}
    assert cancelled == ENDED


def test_a_job_that_may_run_unseen_is_warned_of():
    assert {kill.state for kill in EVERY_KILL if decide(kill).warning} == {DELETED, NO_ANSWER}


def test_only_what_comes_back_keeps_its_job():
    assert GONE in ENDED
    assert not {DELETED, "None", "deferred"} & ENDED


@pytest.mark.parametrize(
    ("state", "waits_until", "may"),
    [
        *((state, None, True) for state in (None, "deferred", *sorted(ENDED))),
        *((state, None, False) for state in ("running", "queued", "scheduled", "up_for_retry", "restarting", "None")),
        (DELETED, None, False),
        ("deferred", 100.0, True),
        ("deferred", 100.1, False),
    ],
)
def test_a_trigger_past_its_deadline_stops_the_job_only_while_it_is_its_own(state, waits_until, may):
    assert may_stop_at_deadline(state, waits_until, 100.0) is may
