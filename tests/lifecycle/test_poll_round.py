"""Many jobs in one poll round: few requests, and for each job the decision of a poll of its own."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_provider.api._attempt import seconds_for_call
from renderjuice_provider.api._flow import NoResponse, Response
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.lifecycle.job_poller import Done, JobPoller, PollAgain, poll
from renderjuice_provider.lifecycle.outcome import Ending
from renderjuice_provider.lifecycle.poll_round import FEW, poll_round
from tests.support.both_clients import CONFIG, created, operations, wait_for
from tests.support.flow_driver import Clock, drive, operations_of

SHAPES = ["as documented", "the filter is ignored", "pages are small", "no list", "half of it missing"]


def poller_of(job_id, target="completed"):
    now = time.time()
    return JobPoller(job_id, target, poll_interval=30, started=now, deadline=now + 3600)


def ids(count):
    return [str(uuid.UUID(int=number + 1)) for number in range(count)]


class Farm:
    """A Renderjuice that only answers reads, and counts them."""

    def __init__(self, statuses, shape="as documented"):
        self.statuses, self.shape, self.asked, self.broken = statuses, shape, Counter(), {}

    def __call__(self, call):
        operation = "progress" if call.path.endswith("progress") else "list" if call.path == "/jobs" else "get"
        self.asked[operation] += 1
        for failure in (operation, call.path.removeprefix("/jobs/")):
            if failure in self.broken:
                return self.broken[failure]
        if operation == "list":
            return self._page(int(call.params["page"]), call.params.get("status"))
        if operation == "progress":
            return answer([{"jobId": job_id, "percent": 50} for job_id in self.statuses])
        job_id = call.path.removeprefix("/jobs/")
        return answer({"data": job(job_id, self.statuses[job_id])}) if job_id in self.statuses else Response(404)

    def _page(self, page, status):
        if self.shape == "no list":
            return Response(400)
        wanted = {None, status} if self.shape != "the filter is ignored" else {*self.statuses.values()}
        found = [job(job_id, status) for job_id, status in self.statuses.items() if status in wanted]
        found = found[::2] if self.shape == "half of it missing" else found
        size = 3 if self.shape == "pages are small" else 100
        pagination = {"page": page, "pageSize": size, "total": len(found), "totalPages": -(-len(found) // size)}
        return answer({"jobs": found[(page - 1) * size : page * size], "pagination": pagination})


def job(job_id, status):
    return {"id": job_id, "status": status}


def answer(body):
    return Response(200, body=json.dumps(body).encode())


def performed(job_pollers, reply, clock=None, reports=None):
    """What a round reports, in order, and the steps it took."""
    reports, steps = [] if reports is None else reports, []
    for flow in poll_round(operations_of(clock), job_pollers):
        found, taken = drive(flow, reply, clock)
        reports += found
        steps += taken
    return reports, steps


def polled(farm, job_pollers, clock=None):
    """The decisions on all jobs; None for those without one."""
    decisions = dict(performed(job_pollers, farm, clock)[0])
    return [decisions.get(job_poller) for job_poller in job_pollers]


def test_hundreds_that_render_cost_a_request_for_each_hundred_and_one_for_their_progress():
    farm = Farm(dict.fromkeys(ids(300), "rendering"))
    job_pollers = [poller_of(job_id) for job_id in ids(300)]
    polled(farm, job_pollers)  # the first round does not know their statuses
    farm.asked.clear()
    decisions = polled(farm, job_pollers)
    assert farm.asked == {"list": 3, "progress": 1}
    assert all(isinstance(decision, PollAgain) for decision in decisions)


def test_jobs_that_have_moved_on_are_read_one_by_one():
    farm = Farm(dict.fromkeys(ids(100), "rendering"))
    job_pollers = [poller_of(job_id) for job_id in ids(100)]
    polled(farm, job_pollers)
    done, failed, stopped = ids(3)
    farm.statuses |= {done: "completed", failed: "failed", stopped: "canceled"}
    farm.asked.clear()
    decisions = polled(farm, job_pollers)
    assert farm.asked == {"list": 1, "get": 3, "progress": 1}
    assert [decision.outcome.ending for decision in decisions[:3]] == [Ending.REACHED, Ending.OVER, Ending.OVER]
    assert all(isinstance(decision, PollAgain) for decision in decisions[3:])


def test_a_few_jobs_are_read_one_by_one():
    farm = Farm(dict.fromkeys(ids(FEW), "rendering"))
    polled(farm, [poller_of(job_id) for job_id in ids(FEW)])
    assert farm.asked == {"get": FEW, "progress": 1}


def test_an_account_full_of_jobs_that_no_task_waits_for_is_not_read_through():
    farm = Farm(dict.fromkeys(ids(5000), "rendering"), "the filter is ignored")
    polled(farm, [poller_of(job_id) for job_id in ids(5000)[-20:]])
    assert farm.asked["list"] <= 5
    assert farm.asked["get"] == 20


@pytest.mark.parametrize(
    "failure", [Response(503), Response(500), NoResponse("reset", sent=True), Response(200, body=b"<html>")], ids=str
)
def test_an_outage_costs_a_handful_of_requests_and_is_reported_for_every_job(failure):
    farm = Farm(dict.fromkeys(ids(200), "rendering"))
    farm.broken = {"list": failure, "get": failure}
    decisions = polled(farm, [poller_of(job_id) for job_id in ids(200)])
    assert farm.asked.total() == 5
    assert all(isinstance(decision, PollAgain) and "Could not poll" in decision.log_line for decision in decisions)


@pytest.mark.parametrize(("jobs", "operation"), [(5, "get"), (200, "list")])
@pytest.mark.parametrize("failure", [Response(429), Response(503, {"retry-after": "90"})], ids=["429", "Retry-After"])
def test_a_server_that_asks_for_silence_gets_it_at_once(jobs, operation, failure):
    farm = Farm(dict.fromkeys(ids(jobs), "rendering"))
    farm.broken = {operation: failure}
    decisions = polled(farm, [poller_of(job_id) for job_id in ids(jobs)])
    asked = float(failure.headers.get("retry-after", 0))
    assert farm.asked.total() <= 4
    assert all(decision.retry_after == asked for decision in decisions)
    assert all(decision.pause - decision.slack >= max(asked, 10) for decision in decisions)


def test_when_only_the_list_is_refused_each_job_is_read_by_itself():
    farm = Farm(dict.fromkeys(ids(20), "rendering"))
    farm.broken = {"list": Response(403, {"retry-after": "60"})}
    decisions = polled(farm, [poller_of(job_id) for job_id in ids(20)])
    assert all(isinstance(decision, PollAgain) for decision in decisions)
    assert farm.asked == {"list": 4, "get": 20, "progress": 1}


def test_no_more_requests_are_sent_when_one_of_several_responses_asks_for_silence():
    farm = Farm(dict.fromkeys(ids(8), "rendering"))
    farm.broken = dict.fromkeys(ids(7), Response(429, {"retry-after": "90"}))
    decisions = polled(farm, [poller_of(job_id) for job_id in ids(8)])
    assert farm.asked == {"get": 4}
    assert sum(decision.retry_after == 90 for decision in decisions) >= 7


def test_a_wrong_key_is_not_sent_hundreds_of_times():
    farm = Farm(dict.fromkeys(ids(200), "rendering"))
    farm.broken = {"list": Response(401), "get": Response(401)}
    decisions = polled(farm, [poller_of(job_id) for job_id in ids(200)])
    assert farm.asked.total() <= 8
    assert all(decision.outcome.ending is Ending.REFUSED for decision in decisions)


def test_jobs_that_move_on_together_are_found_in_the_next_list():
    farm = Farm(dict.fromkeys(ids(100), "booting"))
    job_pollers = [poller_of(job_id) for job_id in ids(100)]
    polled(farm, job_pollers)
    farm.statuses = dict.fromkeys(ids(100), "rendering")
    farm.asked.clear()
    polled(farm, job_pollers)
    assert farm.asked == {"list": 2, "progress": 1}


def test_many_jobs_of_an_unknown_status_are_found_in_a_list_too():
    farm = Farm(dict.fromkeys(ids(100), "polishing"))
    job_pollers = [poller_of(job_id) for job_id in ids(100)]
    polled(farm, job_pollers)
    farm.asked.clear()
    polled(farm, job_pollers)
    assert farm.asked == {"list": 1}


def test_in_a_slow_round_passed_deadlines_come_first_and_the_rest_is_polled_later():
    clock = Clock()
    farm = Farm(dict.fromkeys(ids(40), "completed"), "no list")

    def slow(call):
        clock.now += timedelta(seconds=10)
        return farm(call)

    job_pollers = [poller_of(job_id) for job_id in ids(40)]
    for job_poller in job_pollers[-4:]:
        job_poller.deadline = clock.now.timestamp()
    decisions = polled(slow, job_pollers, clock)
    assert all(decision.outcome.ending is Ending.REACHED for decision in decisions[-4:])
    assert 4 <= sum(decision is not None for decision in decisions) <= 12


def test_slow_progress_does_not_delay_the_report_of_a_render_that_is_over():
    farm = Farm(dict.fromkeys(ids(3), "rendering") | {ids(4)[3]: "completed"})
    reports = []

    def reply(call):
        if call.path.endswith("progress"):
            assert [decision.outcome.ending for _, decision in reports] == [Ending.REACHED]
        return farm(call)

    performed([poller_of(i) for i in ids(4)], reply, reports=reports)
    assert len(reports) == 4


def test_jobs_that_cannot_be_read_do_not_hide_others_for_long():
    farm = Farm(dict.fromkeys(ids(9), "rendering"))
    farm.broken = dict.fromkeys(ids(6), Response(500)) | {"list": Response(400)}
    job_pollers = [poller_of(job_id) for job_id in ids(9)]
    for _ in range(100):
        polled(farm, job_pollers)
    assert [job_poller.status for job_poller in job_pollers] == [None] * 6 + ["rendering"] * 3


def test_a_job_that_does_not_exist_ends_only_its_own_wait():
    farm = Farm(dict.fromkeys(ids(20)[1:], "rendering"))
    decisions = polled(farm, [poller_of(job_id) for job_id in ids(20)])
    assert isinstance(decisions[0], Done)
    assert decisions[0].outcome.ending is Ending.REFUSED
    assert all(isinstance(decision, PollAgain) for decision in decisions[1:])


def test_the_progress_of_every_job_is_logged():
    farm = Farm(dict.fromkeys(ids(20), "rendering"))
    decisions = polled(farm, [poller_of(job_id) for job_id in ids(20)])
    assert all("rendering, 50 %" in decision.log_line for decision in decisions)


@given(
    statuses=st.lists(st.sampled_from([*JobStatus, "polishing"]), min_size=1, max_size=40),
    targets=st.lists(st.sampled_from(["validated", "completed"]), min_size=40, max_size=40),
    shape=st.sampled_from(SHAPES),
    again=st.booleans(),
)
def test_together_or_alone_the_decision_is_the_same(statuses, targets, shape, again):
    farm = Farm(dict(zip(ids(len(statuses)), map(str, statuses), strict=True)), shape)
    together = [poller_of(job_id, target) for job_id, target in zip(farm.statuses, targets, strict=False)]
    alone = [poller_of(job_id, target) for job_id, target in zip(farm.statuses, targets, strict=False)]
    for _ in range(1 + again):
        decisions = polled(farm, together)
        expected = [drive(poll(operations_of(), job_poller), farm)[0] for job_poller in alone]
    for decision, other in zip(decisions, expected, strict=True):
        assert type(decision) is type(other)
        if isinstance(decision, Done) and isinstance(other, Done):
            assert (decision.outcome.ending, decision.outcome.status) == (other.outcome.ending, other.outcome.status)
    assert [job_poller.status for job_poller in together] == [job_poller.status for job_poller in alone]


def test_a_dozen_renders_in_the_emulator_cost_a_handful_of_requests(client, emulator, tmp_path):
    jobs = [created(client, tmp_path, f"{number}.blend", seconds_per_frame=1e6).id for number in range(12)]
    for job_id in jobs:
        client.validate_job(job_id)
    for job_id in jobs:
        wait_for(client, job_id, "validated")
        client.start_render(job_id, CONFIG)
    for job_id in jobs:
        wait_for(client, job_id, "rendering")
    job_pollers = [poller_of(job_id) for job_id in jobs]

    def poll_together():
        return dict(report for flow in poll_round(client.operations, job_pollers) for report in client.run(flow))

    poll_together()
    client.cancel_job(jobs[0])
    before = len(emulator.ledger.entries)
    decisions = poll_together()
    assert Counter(operations(emulator)[before:]) == {"list_jobs": 1, "get_job": 1, "list_progress": 1}
    assert decisions[job_pollers[0]].outcome.status == "canceled"
    assert all(job_poller.status == "rendering" for job_poller in job_pollers[1:])


def test_no_request_of_a_round_outlives_the_first_deadline_for_long():
    clock = Clock()
    now = clock().timestamp()
    job_pollers = [
        JobPoller(job_id, "completed", poll_interval=30, started=now, deadline=now + 60 * n)
        for n, job_id in enumerate(ids(3), 1)
    ]
    _, steps = performed(job_pollers, Farm(dict.fromkeys(ids(3), "rendering")), clock)
    asked = [step for step in steps if hasattr(step, "within")]
    assert {step.within for step in asked} == {60}

    def seconds(within):
        return seconds_for_call(30, within)

    assert [seconds(within) for within in (60, 1000, -5, None)] == [60, 120, 30, 120]


def test_a_slow_list_is_not_read_for_ever():
    clock, farm = Clock(), Farm(dict.fromkeys(ids(200), "rendering"), "pages are small")

    def slowly(call):
        clock.now += timedelta(seconds=25)
        return farm(call)

    reports, _ = performed([poller_of(job_id) for job_id in ids(200)], slowly, clock)
    assert farm.asked["list"] == 3
    assert 0 < len(reports) < 200


def test_many_jobs_that_are_said_to_be_completed_are_found_in_the_list_of_those():
    farm = Farm(dict.fromkeys(ids(300), "completed") | dict.fromkeys(map(str, range(300)), "rendering"))
    job_pollers = [poller_of(job_id) for job_id in ids(300)]
    reports = [
        report
        for flow in poll_round(operations_of(), job_pollers, are_completed=True)
        for report in drive(flow, farm)[0]
    ]
    assert {report.decision.outcome.ending for report in reports} == {Ending.REACHED}
    assert len(reports) == 300
    assert farm.asked == {"list": 3}


def test_one_that_is_said_to_be_completed_and_is_not_is_polled_again():
    farm = Farm({ids(1)[0]: "finalizing"})
    (flow, last) = poll_round(operations_of(), [poller_of(ids(1)[0])], are_completed=True)
    ((_, decision),) = drive(flow, farm)[0] + drive(last, farm)[0]
    assert isinstance(decision, PollAgain)
    assert farm.asked == {"get": 1}
