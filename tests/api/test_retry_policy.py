"""Try again? After how long? Pure decisions, and the reading of progress."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderjuice_provider.api import errors
from renderjuice_provider.api._flow import Response
from renderjuice_provider.api.progress import Progress, read_progress
from renderjuice_provider.api.retry import Repeat, RetryPolicy, is_transient, may_have_been_executed
from tests.support.flow_driver import START, operations_of

LIMITED = errors.RenderjuiceRateLimitError("429", status_code=429)
BROKEN = errors.RenderjuiceServerError("503", status_code=503)
NONSENSE = errors.RenderjuiceResponseError("html")
LOST = errors.RenderjuiceConnectionError("reset", sent=True)
UNSENT = errors.RenderjuiceConnectionError("refused", sent=False)
FINAL = [
    errors.RenderjuiceAuthenticationError("401", status_code=401),
    errors.RenderjuicePaymentError("402", status_code=402),
    errors.RenderjuiceNotFoundError("404", status_code=404),
    errors.RenderjuiceRefusedError("400", status_code=400),
    errors.RenderjuiceInputError("no"),
    errors.RenderjuiceTransferError("no"),
    errors.RenderjuiceAmbiguousError("no"),
]


@pytest.mark.parametrize(
    ("failure", "safely", "if_not_done", "doubt"),
    [
        (LIMITED, True, True, False),
        (UNSENT, True, True, False),
        (LOST, True, False, True),
        (BROKEN, True, False, True),
        (NONSENSE, True, False, True),
        *((failure, False, False, False) for failure in FINAL),
    ],
)
def test_which_failure_is_followed_by_another_attempt(failure, safely, if_not_done, doubt):
    policy = RetryPolicy()
    assert (policy.pause(failure, 1, Repeat.SAFELY) is not None) is safely is is_transient(failure)
    assert (policy.pause(failure, 1, Repeat.IF_NOT_DONE) is not None) is if_not_done
    assert may_have_been_executed(failure) is doubt


def test_a_redirect_may_pass_in_hours_but_not_while_a_call_waits():
    redirect = errors.RenderjuiceServerError("302", status_code=302)
    assert RetryPolicy().pause(redirect, 1, Repeat.SAFELY) is None
    assert is_transient(redirect)
    assert may_have_been_executed(redirect)


def test_five_attempts_and_no_more():
    policy = RetryPolicy()
    assert [policy.pause(BROKEN, attempt, Repeat.SAFELY) is not None for attempt in range(1, 7)] == [True] * 4 + [
        False
    ] * 2


def test_pauses_double_up_to_half_a_minute():
    policy = RetryPolicy(jitter=lambda: 1.0)
    assert [policy.backoff(attempt) for attempt in (1, 2, 3, 4, 5, 6, 7, 1000)] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert RetryPolicy(jitter=lambda: 0.0).backoff(3) == 2


@given(st.integers(1, 10**9), st.floats(0, 1))
def test_a_pause_is_never_nothing_and_never_endless(attempt, jitter):
    assert 0.5 <= RetryPolicy(jitter=lambda: jitter).backoff(attempt) <= 30


@given(st.floats(0, 120), st.floats(0, 1), st.integers(1, 4))
def test_what_the_server_asks_for_is_never_shortened(asked, jitter, attempt):
    limited = errors.RenderjuiceRateLimitError("429", status_code=429, retry_after=asked)
    assert asked <= RetryPolicy(jitter=lambda: jitter).pause(limited, attempt, Repeat.IF_NOT_DONE) <= asked + 1


def test_more_than_two_minutes_are_left_to_the_caller():
    limited = errors.RenderjuiceRateLimitError("429", status_code=429, retry_after=121)
    assert RetryPolicy().pause(limited, 1, Repeat.SAFELY) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("1.5", 1.5),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60),
        ("Thu, 01 Jan 2026 01:01:00 +0100", 60),
        ("Thu, 01 Jan 2026 00:01:00 -0000", 60),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text, seconds):
    failure = operations_of(lambda: START).read.failure(Response(429, {"retry-after": text}))
    assert failure.retry_after == seconds
    assert failure.status_code == 429


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ([], ()),
        ({}, ()),
        (None, ()),
        ("soon", ()),
        ({"data": []}, ()),
        ({"data": {}}, ()),
        ([{"jobId": "a", "framesCompleted": 1, "framesTotal": 4}], (Progress("a", 1, 4, None, 25.0),)),
        ({"id": "a", "completed": 1, "total": 2, "failedFrames": 1}, (Progress("a", 1, 2, 1, 50.0),)),
        ({"data": [{"percent": 12.5}]}, (Progress(percent=12.5),)),
        ({"a": {"done": 1}, "b": {"done": 2}}, (Progress("a", 1), Progress("b", 2))),
        ([{"framesCompleted": "3", "framesTotal": True, "percent": -1}], (Progress(),)),
        ([{"framesCompleted": math.nan, "framesTotal": 10**400}], (Progress(),)),
        ([{"framesCompleted": 1, "framesTotal": 0}], (Progress(None, 1, 0),)),
        ([7, None, {"done": 1}], (Progress(None, 1),)),
    ],
)
def test_progress_is_read_from_whatever_shape_it_has(answer, found):
    assert read_progress(answer) == found


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(), ""),
        (Progress("a", 1, 4, 2, 25.0), "1 of 4 frames, 25 %, 2 failed"),
        (Progress("a", 1), "1 of ? frames"),
        (Progress(percent=99.6), "100 %"),
        (Progress(frames_failed=0), ""),
    ],
)
def test_progress_is_reported_in_a_few_words(progress, text):
    assert str(progress) == text
