"""Try again? After how long? A pure decision, taken in one place for every request.

Politeness first: what the server asks for in `Retry-After` is not shortened, up to a ceiling; without it the pause doubles, with
jitter, so that many clients that failed together do not come back together.
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
"""Seconds for which one `Retry-After` is believed. Rate limits count in seconds, minutes or full hours. What asks for more is
maintenance, which costs one request an hour to look in on, or a wrong clock, which must not silence a connection for a night
(urllib3 believes 6 hours, Stainless' clients one minute)."""


class Repeat(Enum):
    """Which failures a request may be repeated after."""

    SAFELY = "asking twice does nothing twice: reads, upload targets, PUTs, start-render"
    IF_NOT_DONE = "only when it was certainly not carried out: never sent, or turned away by the rate limit"


@dataclass(frozen=True)
class RetryPolicy:
    """How patient one call is, in seconds. A wait of hours is patient beyond it: see `renderjuice_provider.lifecycle`."""

    max_attempts: int = 5
    """Five attempts wait about 8 s in all: a restart of a load balancer passes, an outage is told."""
    first_pause: float = 0.5
    longest_pause: float = 30.0
    longest_retry_after: float = 120.0
    """A server that asks for more gets it from the caller (the error carries `retry_after`), not from a blocked call."""
    jitter: Callable[[], float] = random.random

    def pause(self, failure: RenderjuiceError, attempt: int, repeat: Repeat) -> float | None:
        """Seconds until the next attempt, or None to give up; `attempt` counts those made, from 1."""
        if attempt >= self.max_attempts or not _may_repeat(failure, repeat):
            return None
        asked = retry_after_of(failure)
        if asked is not None:
            return asked + self.jitter() if asked <= self.longest_retry_after else None
        return self.backoff(attempt)

    def backoff(self, attempt: int) -> float:
        """The pause after `attempt` failures in a row when nobody says how long: doubling, half of it jitter."""
        ceiling = min(self.longest_pause, self.first_pause * 2.0 ** min(attempt, 32))
        return ceiling * (0.5 + 0.5 * self.jitter())


def retry_after_of(failure: RenderjuiceError) -> float | None:
    """Seconds that the server asks to be left alone, `LONGEST_QUIET` at most; None when it does not say."""
    asked = failure.retry_after if isinstance(failure, RenderjuiceHTTPError) else None
    return None if asked is None else min(asked, LONGEST_QUIET)


def is_transient(failure: RenderjuiceError) -> bool:
    """Whether waiting may mend it: no answer, a nonsense answer, 429, 5xx."""
    kinds = (RenderjuiceConnectionError, RenderjuiceResponseError, RenderjuiceRateLimitError, RenderjuiceServerError)
    return isinstance(failure, kinds)


def may_have_been_executed(failure: RenderjuiceError) -> bool:
    """Whether the request may have been carried out although its answer says nothing of it."""
    return is_transient(failure) and not _certainly_not_done(failure)


def _certainly_not_done(failure: RenderjuiceError) -> bool:
    unsent = isinstance(failure, RenderjuiceConnectionError) and not failure.sent
    return unsent or isinstance(failure, RenderjuiceRateLimitError)


def _may_repeat(failure: RenderjuiceError, repeat: Repeat) -> bool:
    if isinstance(failure, RenderjuiceServerError) and failure.status_code < 400:
        return False  # a redirect: it may pass with somebody's maintenance, in hours, but not while a call waits
    return is_transient(failure) if repeat is Repeat.SAFELY else _certainly_not_done(failure)
