"""Stopping jobs.

All are cancelled before any is waited for, trouble passes, a refused key ends it.
"""

from __future__ import annotations

import json

import pytest

from renderjuice_provider.api._flow import Call, NoResponse, Response
from renderjuice_provider.api.errors import (
    RenderjuiceAuthenticationError,
    RenderjuiceNotFoundError,
    RenderjuiceServerError,
)
from renderjuice_provider.api.models import Job
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.stopping import after_stop, stop_all
from tests.support.flow_driver import Clock, drive, operations_of

ONE, TWO = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
TIMED_OUT = Outcome(ending=Ending.TIMED_OUT, job_id=ONE, message="timed out", started=0.0, deadline=1.0)


class Farm:
    """Jobs that take some polls to stop; `trouble` is what the next requests meet instead."""

    def __init__(self, polls: int = 0, end: str = "canceled") -> None:
        self.polls, self.end = polls, end
        self.trouble: list[Response | NoResponse] = []
        self.asked: list[tuple[str, str]] = []

    def __call__(self, call: Call) -> Response | NoResponse:
        job_id = call.path.split("/")[2]
        self.asked.append((call.method, job_id))
        if self.trouble:
            return self.trouble.pop(0)
        status = self.end if sum(asked == job_id for _, asked in self.asked) > self.polls else "rendering"
        job = {"id": job_id, "status": status}
        return Response(200, body=json.dumps(job if call.method == "POST" else {"data": job}).encode())


def stop(farm, *job_ids, patience=600.0):
    clock, lines = Clock(), []
    until = clock.now.timestamp() + patience
    flow = stop_all(operations_of(clock), job_ids, poll_interval=5.0, until=until, log=lines.append)
    return drive(flow, farm, clock)[0], lines, clock.now.timestamp() - until + patience


def cancels(farm):
    return [job_id for method, job_id in farm.asked if method == "POST"]


def test_all_are_cancelled_before_any_is_waited_for_and_none_twice():
    farm = Farm(polls=3)
    found, _, _ = stop(farm, ONE, TWO, ONE)
    assert {job_id: job.status for job_id, job in found.items()} == {ONE: "canceled", TWO: "canceled"}
    assert [method for method, _ in farm.asked[:2]] == ["POST", "POST"]
    assert cancels(farm) == [ONE, TWO]


def test_a_job_that_completes_after_all_is_reported_as_such():
    assert stop(Farm(polls=2, end="completed"), ONE)[0][ONE].status == "completed"


def test_a_job_that_does_not_stop_is_shown_as_it_is_when_time_is_up():
    found, lines, elapsed = stop(Farm(polls=10**6), ONE, patience=60.0)
    assert found[ONE].status == "rendering"
    assert elapsed == pytest.approx(60.0)
    assert len(lines) == 1


@pytest.mark.parametrize(
    "trouble", [Response(503), NoResponse("reset", sent=True), Response(429, {"retry-after": "7"})]
)
def test_trouble_that_passes_is_waited_out_and_hides_no_other_job(trouble):
    farm = Farm()
    farm.trouble = [trouble] if trouble == Response(429, {"retry-after": "7"}) else [trouble, trouble]
    found, _, _ = stop(farm, ONE, TWO)
    assert {job.status for job in found.values()} == {"canceled"}


def test_an_outage_is_reported_when_time_is_up():
    farm = Farm()
    farm.trouble = [Response(503)] * 10**4
    found, lines, _ = stop(farm, ONE)
    assert isinstance(found[ONE], RenderjuiceServerError)
    assert all("could not be stopped yet" in line for line in lines)
    assert len(farm.asked) < 100


def test_a_refused_key_ends_it_at_once_for_all():
    farm = Farm()
    farm.trouble = [Response(401)]
    found, _, elapsed = stop(farm, ONE, TWO)
    assert all(isinstance(error, RenderjuiceAuthenticationError) for error in found.values())
    assert (set(found), len(farm.asked), elapsed) == ({ONE, TWO}, 1, 0.0)


def test_a_job_that_is_unknown_is_reported_and_the_others_are_stopped():
    farm = Farm()
    farm.trouble = [Response(404)]
    found, _, _ = stop(farm, ONE, TWO)
    assert isinstance(found[ONE], RenderjuiceNotFoundError)
    assert found[TWO].status == "canceled"


def test_each_is_asked_for_once_although_time_is_up():
    assert stop(Farm(), ONE, TWO, patience=-1.0)[0].keys() == {ONE, TWO}


@pytest.mark.parametrize(
    ("seen", "ending", "stopped", "words"),
    [
        (Job(id=ONE, status="canceled"), Ending.TIMED_OUT, True, "timed out"),
        (Job(id=ONE, status="failed"), Ending.TIMED_OUT, True, "timed out"),
        (Job(id=ONE, status="completed"), Ending.REACHED, None, "completed while"),
        (Job(id=ONE, status="rendering"), Ending.TIMED_OUT, False, "still rendering"),
        (RenderjuiceNotFoundError("no such job", status_code=404), Ending.TIMED_OUT, False, "no such job"),
    ],
)
def test_the_outcome_says_what_became_of_the_money(seen, ending, stopped, words):
    outcome = after_stop(TIMED_OUT, seen)
    assert (outcome.ending, outcome.stopped) == (ending, stopped)
    assert words in outcome.message
