"""What becomes of jobs whose completion was reported: when each is read, and what follows."""

from __future__ import annotations

import pytest

from renderjuice_provider.api.errors import (
    RenderjuiceAuthenticationError,
    RenderjuiceConnectionError,
    RenderjuiceNotFoundError,
    RenderjuiceRateLimitError,
    RenderjuiceRefusedError,
    RenderjuiceResponseError,
    RenderjuiceServerError,
)
from renderjuice_provider.api.models import Job
from renderjuice_provider.lifecycle.inbox import Pending
from renderjuice_provider.lifecycle.pending import MOST_TRIES, Decision, PendingJobs, read_jobs
from renderjuice_provider.lifecycle.poll_round import obstacle
from tests.support.both_clients import completed, validated

ONE, OTHER = Pending(1, "a"), Pending(2, "b")


def job(status):
    return Job(id="a", status=status)


def http(kind, status, **more):
    return kind("no", status_code=status, **more)


UNKNOWN = http(RenderjuiceNotFoundError, 404)
NOT_OURS = http(RenderjuiceAuthenticationError, 403)
SILENT = [
    http(RenderjuiceAuthenticationError, 401),
    http(RenderjuiceRateLimitError, 429),
    http(RenderjuiceServerError, 503),
    RenderjuiceConnectionError("away", sent=True),
    RenderjuiceResponseError("nonsense"),
]


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        ("completed", Decision.ANNOUNCE),
        ("failed", Decision.DROP),
        ("canceled", Decision.DROP),
        ("finalizing", Decision.LATER),
        ("a new word", Decision.LATER),
    ],
)
def test_the_job_decides_and_not_what_was_reported_of_it(status, decision):
    assert PendingJobs().decide(ONE, job(status), 0.0) is decision


@pytest.mark.parametrize("found", [job("rendering"), UNKNOWN, NOT_OURS, http(RenderjuiceRefusedError, 400)])
def test_a_job_that_is_not_completed_or_not_ours_leaves_after_some_tries(found):
    jobs, now, decisions = PendingJobs(), 0.0, []
    while Decision.DROP not in decisions:
        assert jobs.due([ONE], now) == [ONE]
        decisions.append(jobs.decide(ONE, found, now))
        assert jobs.due([ONE, OTHER], now) == [OTHER], "not twice at once, whatever else is pending"
        now += 60
    assert len(decisions) == MOST_TRIES


@pytest.mark.parametrize("error", SILENT, ids=lambda error: type(error).__name__)
def test_an_error_that_is_not_about_the_job_is_waited_out_however_long(error):
    jobs, now = PendingJobs(), 0.0
    for _ in range(50):
        assert jobs.decide(ONE, error, now) is Decision.LATER
        pause = jobs.silence(error, now)
        assert 2 <= pause <= 60
        assert (jobs.due([ONE], now + pause - 0.1), jobs.due([ONE], now + pause)) == ([], [ONE])
        now += pause
    assert jobs.decide(ONE, job("completed"), now) is Decision.ANNOUNCE


def test_a_retry_after_is_obeyed_even_when_it_is_long():
    jobs = PendingJobs()
    assert jobs.silence(http(RenderjuiceRateLimitError, 429, retry_after=300.0), 0.0) == 300


def test_what_is_answered_ends_the_growth_of_pauses():
    jobs = PendingJobs()
    pauses = [jobs.silence(SILENT[2], 0.0) for _ in range(3)]
    jobs.decide(ONE, job("completed"), 0.0)
    assert (pauses, jobs.silence(SILENT[2], 0.0)) == ([2, 4, 8], 2)


def test_a_job_that_is_not_pending_any_more_is_forgotten():
    jobs = PendingJobs()
    jobs.decide(ONE, UNKNOWN, 0.0)
    assert jobs.due([], 0.0) == []
    assert jobs.due([ONE], 0.0) == [ONE]


def test_an_error_about_one_job_is_no_obstacle_for_the_others():
    assert obstacle([SILENT[2], job("completed")]) is None
    assert obstacle([SILENT[2], SILENT[3]]) is SILENT[2]
    assert obstacle([job("completed"), SILENT[1]]) is SILENT[1], "silence is asked for"
    assert obstacle([]) is None


def test_a_job_that_cannot_be_read_is_tried_ever_more_rarely_and_never_dropped_for_it():
    jobs, now = PendingJobs(), 0.0
    for _ in range(MOST_TRIES + 5):
        assert jobs.decide(ONE, SILENT[2], now) is Decision.LATER
        assert jobs.due([ONE, OTHER], now + 1.9) == [OTHER]
        now += 60
        assert jobs.due([ONE, OTHER], now) == [ONE, OTHER]
    assert jobs.decide(ONE, job("finalizing"), now) is Decision.LATER, "the first read that says anything"


def read(client, *job_ids):
    return client.run(read_jobs(client.operations, job_ids))


def test_a_few_jobs_are_read_one_by_one(client, emulator, tmp_path):
    done, ready = completed(client, tmp_path), validated(client, tmp_path)
    unknown = "00000000-0000-4000-8000-000000000000"

    found = read(client, done.id, ready.id, unknown)

    assert (found[done.id].status, found[ready.id].status) == ("completed", "validated")
    assert isinstance(found[unknown], RenderjuiceNotFoundError)
    assert (emulator.ledger.count("list_jobs"), obstacle(found.values())) == (0, None)


def test_many_jobs_are_read_with_few_requests(client, emulator, tmp_path):
    jobs = [completed(client, tmp_path).id for _ in range(20)]
    reads = emulator.ledger.count("get_job")

    found = read(client, *jobs)

    assert {found[job_id].status for job_id in jobs} == {"completed"}
    assert (emulator.ledger.count("list_jobs"), emulator.ledger.count("get_job") - reads) == (1, 0)


def test_where_lists_do_not_work_many_jobs_are_read_all_the_same(client, emulator, tmp_path):
    jobs = [completed(client, tmp_path).id for _ in range(9)]
    emulator.faults.add("list_jobs", "400")
    emulator.faults.add("list_jobs", "400")  # without a page size, too
    assert {job.status for job in read(client, *jobs).values()} == {"completed"}


def test_a_job_that_cannot_be_read_keeps_no_other_from_being_read(new_client, emulator, tmp_path):
    client = new_client()
    jobs = [completed(client, tmp_path).id for _ in range(8)]
    emulator.faults.add("get_job", "500")

    found = read(client, *jobs)

    assert len(found) == 8
    assert sum(isinstance(answer, Job) for answer in found.values()) == 7


def test_a_farm_that_does_not_answer_is_not_asked_for_each_job(new_client, emulator, tmp_path):
    client = new_client()
    jobs = [completed(client, tmp_path).id for _ in range(8)]
    reads = emulator.ledger.count("get_job")
    for _ in range(4):
        emulator.faults.add("get_job", "503")

    found = read(client, *jobs)

    assert emulator.ledger.count("get_job") - reads == len(found) == 4
    assert isinstance(obstacle(found.values()), RenderjuiceServerError)
