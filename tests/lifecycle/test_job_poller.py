"""One job poller: when it is done and how, what it logs, and how long it pauses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_provider.api.errors import (
    RenderjuiceAuthenticationError,
    RenderjuiceConnectionError,
    RenderjuiceInputError,
    RenderjuiceNotFoundError,
    RenderjuicePaymentError,
    RenderjuiceRateLimitError,
    RenderjuiceRefusedError,
    RenderjuiceResponseError,
    RenderjuiceServerError,
)
from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.lifecycle.job_poller import Done, JobPoller, PollAgain
from renderjuice_provider.lifecycle.outcome import Ending, Outcome

NOW, HOUR = 1_800_000_000.0, 3600.0
TRANSIENT = [
    RenderjuiceConnectionError("reset", sent=True),
    RenderjuiceConnectionError("refused", sent=False),
    RenderjuiceResponseError("html"),
    RenderjuiceRateLimitError("429", status_code=429),
    RenderjuiceServerError("503", status_code=503),
]
FINAL = [
    RenderjuiceAuthenticationError("401", status_code=401),
    RenderjuicePaymentError("402", status_code=402),
    RenderjuiceNotFoundError("404", status_code=404),
    RenderjuiceRefusedError("400", status_code=400),
    RenderjuiceInputError("no uuid"),
]
ON_THE_WAY = ["created", "validating", "validated", "booting", "rendering", "finalizing", "completed"]
STATUSES = [*JobStatus, "pondering"]


def a_poller(target="completed", jitter=0.0, **more):
    times = {"poll_interval": 30.0, "started": NOW, "deadline": NOW + HOUR} | more
    return JobPoller("job", target, jitter=lambda: jitter, **times)


def a_job(status, **fields):
    return Job.model_validate({"id": "job", "status": status} | fields)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("target", ["validated", "completed", "canceled"])
def test_each_status_ends_the_wait_or_does_not(status, target):
    decision = a_poller(target).on_job(a_job(status), None, NOW)
    reached = {
        "validated": {"validated", "booting", "rendering", "finalizing", "completed"},
        "completed": {"completed"},
        "canceled": {"canceled"},
    }[target]
    if status in reached:
        assert decision.outcome.ending is Ending.REACHED
    elif status in {"completed", "failed", "canceled"}:
        assert decision.outcome.ending is Ending.OVER
    else:
        assert isinstance(decision, PollAgain)
        return
    assert decision.outcome.status == status


@pytest.mark.parametrize("error", TRANSIENT)
def test_a_failed_poll_is_not_a_failed_render(error):
    job_poller = a_poller()
    job_poller.on_job(a_job("rendering"), None, NOW)
    decision = job_poller.on_error(error, NOW + 1)
    assert isinstance(decision, PollAgain)
    assert "the render goes on" in decision.log_line


@pytest.mark.parametrize("error", FINAL)
def test_an_error_that_a_retry_cannot_cure_ends_the_wait_at_once(error):
    decision = a_poller().on_error(error, NOW)
    assert (decision.outcome.ending, decision.outcome.message) == (Ending.REFUSED, error.what)


def test_polls_that_fail_in_a_row_are_further_and_further_apart_up_to_five_minutes():
    job_poller = a_poller(jitter=1.0)
    pauses = [job_poller.on_error(TRANSIENT[0], NOW).pause for _ in range(6)]
    assert pauses == [60, 120, 240, 300, 300, 300]
    assert job_poller.on_job(a_job("rendering"), None, NOW).pause == pytest.approx(33)
    assert job_poller.on_error(TRANSIENT[0], NOW).pause == 60


@pytest.mark.parametrize(("poll_interval", "longest"), [(1, 10), (30, 300), (3600, 3600)])
def test_with_a_short_interval_the_end_of_an_outage_is_noticed_soon(poll_interval, longest):
    job_poller = a_poller(jitter=1.0, poll_interval=poll_interval)
    assert max(job_poller.on_error(TRANSIENT[0], NOW).pause for _ in range(12)) == longest


@pytest.mark.parametrize(("asked", "pause"), [(5, 30), (100, 100), (1000, 1000), (1e9, HOUR)])
def test_retry_after_is_obeyed_beyond_our_own_patience_but_not_beyond_the_deadline(asked, pause):
    error = RenderjuiceRateLimitError("429", status_code=429, retry_after=asked)
    assert a_poller().on_error(error, NOW).pause == pause


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_the_polls_of_many_jobs_spread_out(jitter):
    assert a_poller(jitter=jitter).on_job(a_job("rendering"), None, NOW).pause == pytest.approx(30 * (1 + jitter / 10))


@pytest.mark.parametrize("status", ["validated", "rendering", "suspended", "pondering"])
def test_only_the_wait_for_a_completed_render_awaits_an_event(status):
    assert a_poller("completed").on_job(a_job(status), None, NOW).awaits_event
    assert not a_poller("canceled").on_job(a_job(status), None, NOW).awaits_event


def test_after_a_poll_that_failed_no_event_is_relied_on():
    assert not a_poller().on_error(TRANSIENT[0], NOW).awaits_event


def test_the_last_poll_is_at_the_deadline_and_not_after_it():
    job_poller = a_poller()
    assert job_poller.on_job(a_job("rendering"), None, NOW + HOUR - 2).pause == 2
    over = job_poller.on_job(a_job("rendering"), None, NOW + HOUR)
    assert over.outcome.ending is Ending.TIMED_OUT
    assert over.outcome.message == "timed out (timeout): not completed within 1 h 00 min, it is rendering"


def test_a_wait_that_is_over_says_which_argument_ended_it():
    over = a_poller(limit="execution_timeout").on_job(a_job("rendering"), None, NOW + HOUR)
    assert over.outcome.message.startswith("timed out (execution_timeout): not completed within 1 h 00 min")
    assert over.outcome.limit == "execution_timeout"


def test_what_is_done_at_the_deadline_is_done():
    assert a_poller().on_job(a_job("completed"), None, NOW + 2 * HOUR).outcome.ending is Ending.REACHED


def test_a_deadline_that_passes_without_a_status_says_so():
    over = a_poller().on_error(TRANSIENT[0], NOW + HOUR)
    assert over.outcome.message.endswith("within 1 h 00 min, it could not be seen")
    assert over.outcome.status is None


def test_a_wait_that_begins_after_its_deadline_still_polls_once():
    job_poller = a_poller(deadline=NOW - 1)
    assert job_poller.on_job(a_job("completed"), None, NOW).outcome.ending is Ending.REACHED
    assert a_poller(deadline=NOW - 1).on_job(a_job("booting"), None, NOW).outcome.ending is Ending.TIMED_OUT


def test_the_log_gets_what_changes_and_now_and_then_that_nothing_does():
    job_poller = a_poller()
    polls = [("booting", None), ("booting", None), ("rendering", 0), ("rendering", 1), ("rendering", 1)]
    lines = [
        job_poller.on_job(a_job(status), None if done is None else Progress("job", done, 3), NOW + 40 * number).log_line
        for number, (status, done) in enumerate(polls)
    ]
    assert lines == [
        "Job job is booting, 0 s elapsed",
        "",
        "Job job is rendering, 0 of 3 frames, 1 min 20 s elapsed",
        "Job job is rendering, 1 of 3 frames, 2 min 00 s elapsed",
        "",
    ]
    assert job_poller.on_job(a_job("rendering"), Progress("job", 1, 3), NOW + 320).log_line.endswith(
        "1 of 3 frames, 5 min 20 s elapsed"
    )


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("pondering", "a status that this version does not know; it counts as running"),
        ("suspended", "may need attention"),
    ],
)
def test_an_odd_status_is_pointed_out(status, words):
    assert words in a_poller().on_job(a_job(status), None, NOW).log_line


def test_a_status_cannot_write_into_the_log_what_it_likes():
    job_poller = a_poller()
    text = job_poller.on_job(a_job("x\n\x1b[31mFAKE https://a.test/?token=secret" + "y" * 900), None, NOW).log_line
    text += job_poller.on_job(a_job("x\n\x1b[31mFAKE https://a.test/?token=secret"), None, NOW + HOUR).outcome.message
    assert text.isprintable()
    assert "secret" not in text
    assert len(text) < 1200


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (None, "no reason given"),
        ({"type": "OOM", "name": "out of memory"}, "OOM: out of memory"),
        ({"type": "OOM"}, "OOM"),
        ("burnt", "no reason given"),
        ({"name": "see https://a.test/log?token=secret"}, "see https://a.test/log?***"),
    ],
)
def test_a_failure_is_reported_in_renderjuice_s_words(reason, words):
    over = a_poller().on_job(a_job("failed", failedReason=reason), None, NOW)
    assert over.outcome.message == f"failed: {words}"


RESULTS = st.lists(st.sampled_from([*STATUSES, *TRANSIENT, *FINAL]), min_size=1, max_size=40)


@given(RESULTS, st.sampled_from(["validated", "completed", "canceled"]), st.floats(0, 1))
def test_any_sequence_of_polls_leads_to_the_right_end(sequence, target, jitter):
    """The first poll that can end the wait ends it; no poll before it is skipped."""
    job_poller, now, decision, last = a_poller(target, jitter, deadline=NOW + 1e9), NOW, None, None
    for last in sequence:
        decision = (
            job_poller.on_job(a_job(last), None, now) if isinstance(last, str) else job_poller.on_error(last, now)
        )
        if isinstance(decision, Done):
            break
        assert 30 <= decision.pause <= 300 * (1 + jitter)
        now += decision.pause
    ends = [result for result in sequence if _expected(result, target)]
    if not ends:
        assert isinstance(decision, PollAgain)
        return
    assert last is ends[0]
    assert decision.outcome.ending is _expected(last, target)
    assert Outcome.from_event(decision.outcome.to_event()) == decision.outcome


def _expected(result, target):
    if not isinstance(result, str):
        return Ending.REFUSED if result in FINAL else None
    if result == target:
        return Ending.REACHED
    if result in ON_THE_WAY and target in ON_THE_WAY and ON_THE_WAY.index(result) > ON_THE_WAY.index(target):
        return Ending.REACHED
    return Ending.OVER if result in {"completed", "failed", "canceled"} else None


@given(RESULTS, st.floats(1, 1e6), st.floats(0.01, 1e4))
def test_no_wait_outlives_its_deadline(sequence, patience, interval):
    job_poller, now = a_poller(deadline=NOW + patience, poll_interval=interval), NOW
    for result in sequence:
        decision = (
            job_poller.on_job(a_job(result), None, now) if isinstance(result, str) else job_poller.on_error(result, now)
        )
        if isinstance(decision, Done):
            return
        assert decision.pause >= 0
        now += decision.pause
        assert now <= NOW + patience + 1e-3
