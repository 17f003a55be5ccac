"""Whether a failed task is tried again, and when: decided from what its error says about the money.

Nothing here knows of Airflow: `renderjuice_provider.retry_policy` asks this, and does what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from renderjuice_provider.api.errors import RenderjuiceError, RetryEffect
from renderjuice_provider.api.redact import redact
from renderjuice_provider.api.retry import is_transient, retry_after_of

_LONGEST_REASON = 500
"""Characters that Airflow stores."""
_FAILS = {
    RetryEffect.AFTER_CORRECTION: "it fails alike until it is corrected",
    RetryEffect.CANNOT_HELP: "a retry cannot help",
    RetryEffect.NEW_JOB: "a retry would pay for a new job",
}
_MAY_HELP = frozenset({RetryEffect.REPEATS, RetryEffect.REATTACHES, RetryEffect.READS_AGAIN})
_PAYMENT_REQUIRED = 402


class Effect(StrEnum):
    """What a failure leads to."""

    WAIT = "wait"
    """Nothing is wrong with the task: Renderjuice is busy, away, or not paid yet."""
    FAIL = "fail"
    """A retry would fail in the same way, or pay again."""
    AS_USUAL = "as usual"
    """Airflow's own rules apply."""


@dataclass(frozen=True)
class Decision:
    """What to do after a failure.

    Attributes:
        effect: what it leads to.
        delay: until the next attempt, where it is waited for.
        reason: in one sentence; empty where Airflow's own rules apply.
    """

    effect: Effect
    delay: timedelta | None = None
    reason: str = ""


def decide(error: BaseException, waits: int, delay: timedelta, longest_delay: timedelta) -> Decision:
    """The decision after `error`.

    Args:
        error: that failed the task.
        waits: how often the task has waited already. Each time the delay doubles.
        delay: the first one.
        longest_delay: that no delay exceeds, unless the server asks for more (`Retry-After`).
    """
    if not isinstance(error, RenderjuiceError):
        return Decision(Effect.AS_USUAL)
    if _is_worth_waiting(error):
        grown = min(longest_delay, delay * 2 ** min(waits, 32))
        asked = timedelta(seconds=retry_after_of(error) or 0.0)
        return Decision(Effect.WAIT, max(grown, asked), _reason(f"Worth waiting for: {error.what}"))
    if why := _FAILS.get(error.retry):
        return Decision(Effect.FAIL, reason=_reason(f"Not retried, since {why}: {error.what}"))
    return Decision(Effect.AS_USUAL)


def _is_worth_waiting(error: RenderjuiceError) -> bool:
    if getattr(error, "status_code", None) == _PAYMENT_REQUIRED:
        return True  # people correct it outside of Airflow: by paying
    if error.retry is RetryEffect.REPEATS:
        return True
    # A deadline that has passed also leaves a job that a retry would find, and waiting is no help.
    return error.retry in _MAY_HELP and is_transient(error)


def _reason(text: str) -> str:
    return redact(text, longest=_LONGEST_REASON)
