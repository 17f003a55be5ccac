"""Whether to retry a request, and after how long: a pure decision, taken here for every request.

What the server asks for in `Retry-After` is never shortened, up to a limit. Without it the pauses
double, with jitter, so that many clients that failed together do not come back together.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from renderjuice_provider.api.errors import (
    RenderjuiceConnectionError,
    RenderjuiceError,
    RenderjuiceHTTPError,
    RenderjuiceRateLimitError,
    RenderjuiceResponseError,
    RenderjuiceServerError,
)

__all__ = [
    "RetryPolicy",
]

LONGEST_QUIET = 3600.0
"""Seconds of one `Retry-After` that are believed. Rate limits count in seconds, minutes or hours.
More than that is maintenance, for which one request an hour is cheap, or a wrong clock, which must
not
silence a connection for a night (urllib3 believes 6 hours, Stainless' clients one minute)."""


class Repeat(Enum):
    """Which failures a request may be repeated after."""

    SAFELY = "sent twice it does nothing twice: reads, upload targets, PUTs, start-render"
    IF_NOT_DONE = "only when it was certainly not executed: never sent, or refused by a rate limit"


@dataclass(frozen=True)
class RetryPolicy:
    """How patient one call is. Waiting for a job is patient beyond it, up to its deadline.

    `RenderjuiceClient(api_key, retry=RetryPolicy(...))` makes a client patient, or impatient in
    tests.

    Attributes:
        max_attempts: how often one call is sent, at least 1. Five attempts pause about 8 s in all:
            enough for the restart of a load balancer; an outage is reported.
        first_pause: seconds; the first pause has between half and all of twice this, the next ones
            double.
        longest_pause: seconds that no pause exceeds, unless the server asks for more.
        longest_retry_after: seconds of a `Retry-After` that a call waits for. When the server asks
            for more, the call fails, and its error carries `retry_after`: the caller should not be
            blocked.
        jitter: gives a number from 0 to 1, the random share of a pause; `lambda: 0.0` makes pauses
            predictable in tests.
    """

    max_attempts: int = 5
    first_pause: float = 0.5
    longest_pause: float = 30.0
    longest_retry_after: float = 120.0
    jitter: Callable[[], float] = random.random

    def pause(self, failure: RenderjuiceError, attempt: int, repeat: Repeat) -> float | None:
        """Seconds until the next attempt, or None to give up; `attempt` attempts were made."""
        if attempt >= self.max_attempts or not _may_repeat(failure, repeat):
            return None
        retry_after = retry_after_of(failure)
        if retry_after is None:
            return self.backoff(attempt)
        return retry_after + self.jitter() if retry_after <= self.longest_retry_after else None

    def backoff(self, attempt: int) -> float:
        """Seconds to pause after `attempt` failures in a row without `Retry-After`.

        They double, and half of them is jitter.
        """
        ceiling = min(self.longest_pause, self.first_pause * 2.0 ** min(attempt, 32))
        return ceiling * (0.5 + 0.5 * self.jitter())


def retry_after_of(failure: RenderjuiceError) -> float | None:
    """Seconds that the server asks to wait, `LONGEST_QUIET` at most; None when it does not say."""
    asked = failure.retry_after if isinstance(failure, RenderjuiceHTTPError) else None
    return None if asked is None else min(asked, LONGEST_QUIET)


def is_transient(failure: RenderjuiceError) -> bool:
    """Whether a retry may succeed: no response, one that is nonsense, 429, 5xx."""
    kinds = (
        RenderjuiceConnectionError,
        RenderjuiceResponseError,
        RenderjuiceRateLimitError,
        RenderjuiceServerError,
    )
    return isinstance(failure, kinds)


def may_have_been_executed(failure: RenderjuiceError) -> bool:
    """Whether the request may have been executed although its response does not say so."""
    return is_transient(failure) and not _certainly_not_done(failure)


def _certainly_not_done(failure: RenderjuiceError) -> bool:
    unsent = isinstance(failure, RenderjuiceConnectionError) and not failure.sent
    return unsent or isinstance(failure, RenderjuiceRateLimitError)


def _may_repeat(failure: RenderjuiceError, repeat: Repeat) -> bool:
    if isinstance(failure, RenderjuiceServerError) and failure.status_code < 400:
        return False  # a redirect: somebody may repair it in hours, but not while a call waits
    return is_transient(failure) if repeat is Repeat.SAFELY else _certainly_not_done(failure)


def asks_for_silence(failure: RenderjuiceError) -> bool:
    """Whether no other request should be sent for now, whatever it is about."""
    return is_transient(failure) and (
        retry_after_of(failure) is not None or isinstance(failure, RenderjuiceRateLimitError)
    )
