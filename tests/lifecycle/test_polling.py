"""Polling one job with either client, against an emulator with every transient fault."""

from __future__ import annotations

import json
import time

import pytest

from renderjuice_provider.api._flow import Call, Response
from renderjuice_provider.lifecycle.job_poller import JobPoller, poll, watch
from renderjuice_provider.lifecycle.outcome import Ending
from tests.support.both_clients import CONFIG, operations, validated, wait_for
from tests.support.flow_driver import Clock, drive, operations_of

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def watched(client, job_id, target="completed", seconds=20.0):
    now, lines = time.time(), []
    job_poller = JobPoller(job_id, target, poll_interval=0.005, started=now, deadline=now + seconds)
    return client.run(watch(client.operations, job_poller, lines.append)), lines


@pytest.fixture
def rendering(client, tmp_path):
    job = validated(client, tmp_path, seconds_per_frame=40)
    client.start_render(job.id, CONFIG)
    return job.id


def test_a_wait_logs_each_state_once_and_ends_when_the_job_does(client, rendering):
    outcome, lines = watched(client, rendering)
    assert (outcome.ending, outcome.status, outcome.job_id) == (Ending.REACHED, "completed", rendering)
    assert len(lines) == len(set(lines))
    assert f"Job {rendering} is rendering, 1 of 3 frames, 33 %" in "\n".join(lines)
    assert lines[-1].startswith(f"Job {rendering} is completed")


@pytest.mark.parametrize("fault", ["503", "429", "reset-before", "nonsense", "html 502", "truncate", "json {}"])
def test_polls_that_fail_for_long_do_not_end_the_wait(client, emulator, rendering, fault):
    emulator.faults.add("get_job", *[fault] * 6)
    outcome, lines = watched(client, rendering)
    assert outcome.ending is Ending.REACHED
    assert sum("Could not poll job" in line for line in lines) == 6  # one for each poll
    assert emulator.ledger.renders_started() == 1


@pytest.mark.parametrize(("fault", "words"), [("401", "401"), ("403", "403"), ("404", "404"), ("402", "402")])
def test_polls_that_are_refused_end_the_wait_at_once(client, emulator, rendering, fault, words):
    emulator.faults.add("get_job", fault)
    outcome, _ = watched(client, rendering)
    assert outcome.ending is Ending.REFUSED
    assert words in outcome.message
    assert emulator.ledger.jobs_left_running() == [rendering]


def test_a_poll_that_fails_is_one_attempt_so_that_the_deadline_is_kept(emulator, client, rendering):
    emulator.faults.add("get_job", *["503 retry-after=1"] * 9)
    job_poller = JobPoller(rendering, "completed", poll_interval=1, started=time.time(), deadline=time.time() + 9)
    before = emulator.ledger.count("get_job")
    decision = client.run(poll(client.operations, job_poller))
    assert emulator.ledger.count("get_job") == before + 1
    assert decision.pause >= 1
    emulator.faults.clear()


def test_a_job_that_does_not_exist_ends_the_wait_at_once(client, emulator):
    assert watched(client, UNKNOWN)[0].ending is Ending.REFUSED
    assert operations(emulator) == ["get_job"]


@pytest.mark.parametrize("fault", ["503", "404", "401", "nonsense", "json [1]"])
def test_progress_that_cannot_be_read_does_not_matter(client, emulator, rendering, fault):
    wait_for(client, rendering, "rendering")
    emulator.faults.add("get_progress", *[fault] * 200)
    assert watched(client, rendering)[0].ending is Ending.REACHED
    assert emulator.ledger.count("get_progress") > 0
    emulator.faults.clear()


def test_progress_is_read_only_while_the_job_renders(client, emulator, tmp_path):
    job = validated(client, tmp_path)
    assert watched(client, job.id, seconds=0.03)[0].ending is Ending.TIMED_OUT
    assert emulator.ledger.count("get_progress") == 0


def test_a_deadline_ends_the_wait_and_leaves_the_job_alone(client, emulator, tmp_path):
    job = validated(client, tmp_path, seconds_per_frame=1e6)
    client.start_render(job.id, CONFIG)
    started = time.monotonic()
    outcome, lines = watched(client, job.id, seconds=0.2)
    assert 0.2 <= time.monotonic() - started < 2
    assert outcome.ending is Ending.TIMED_OUT
    assert lines[-1] == f"Job {job.id} {outcome.message}"
    assert emulator.ledger.jobs_left_running() == [job.id]
    assert emulator.ledger.count("cancel_job") == 0


def test_an_outage_until_the_deadline_is_a_timeout(client, emulator, rendering):
    emulator.faults.add("get_job", *["503"] * 1000)
    assert watched(client, rendering, seconds=0.2)[0].ending is Ending.TIMED_OUT
    emulator.faults.clear()


def test_one_poll_is_one_request_and_one_decision(client, emulator, tmp_path):
    job = validated(client, tmp_path)
    before = len(emulator.ledger.entries)
    job_poller = JobPoller(job.id, "validated", poll_interval=1, started=time.time(), deadline=time.time() + 9)
    assert client.run(poll(client.operations, job_poller)).outcome.ending is Ending.REACHED
    assert operations(emulator)[before:] == ["get_job"]


def test_a_render_of_six_hours_is_polled_about_seven_hundred_times():
    clock, lines = Clock(), []
    started = clock.now.timestamp()
    ends = started + 6 * 3600

    def reply(call):
        if call.path.endswith("progress"):
            return Response(200, body=b"[]")
        status = "completed" if clock.now.timestamp() >= ends else "rendering"
        return Response(200, body=json.dumps({"data": {"id": UNKNOWN, "status": status}}).encode())

    job_poller = JobPoller(UNKNOWN, "completed", poll_interval=30, started=started, deadline=started + 86400)
    outcome, steps = drive(watch(operations_of(clock), job_poller, lines.append), reply, clock)
    assert outcome.ending is Ending.REACHED
    assert 0 <= clock.now.timestamp() - ends <= 33
    assert 650 <= sum(isinstance(step, Call) and step.path.endswith(UNKNOWN) for step in steps) <= 722
    assert 100 <= len(lines) <= 125  # a line about every three minutes, although nothing changes
