"""How Airflow retries a task that failed with one of our errors: `RenderjuiceRetryPolicy`.

Airflow knows retry policies since 3.3. Before, this module has no such name: give tasks `retries`
then only where a retry cannot pay again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from renderjuice_provider._retry_decision import Effect, decide

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["RenderjuiceRetryPolicy"]

try:
    from airflow.sdk import RetryAction, RetryDecision, RetryPolicy
except ImportError:  # before Airflow 3.3
    pass
else:

    class RenderjuiceRetryPolicy(RetryPolicy):
        """Waits where waiting helps, and fails at once where a retry would fail or pay again.

        What is decided follows from the fields `bill` and `retry` of the error:

        - Renderjuice is full, busy or away (429, 5xx, no response), or the account cannot pay
          (402): the task is tried again, later and later, and never sooner than the server asks for
          (`Retry-After`). Airflow 3.4 reschedules it, which uses up no retry. On 3.3 each attempt
          is one of the task's `retries`: give it enough.
        - The input is wrong, the key is (401, 403), there is no such job (404), the job failed, or
          a delivery is not complete: the task fails at once.
        - Everything else: as Airflow does it without a policy.

        The reason is in the task's log, and in the field `retry_reason` of the task instance: of a
        retry since Airflow 3.3, of a failure since 3.4. A task that fails with an
        `AirflowFailException` asks no policy.

            RenderjuiceRenderJobOperator(..., retries=4, retry_policy=RenderjuiceRetryPolicy())

        Args:
            delay: until the first further attempt; it doubles with each. Five minutes by default: a
                farm that is full, or an account without credit, changes in minutes to hours, and a
                call has repeated itself for some seconds before it fails.
            longest_delay: that no delay exceeds, unless the server asks for more. By default half
                an hour: a night is short.
            patience: how long a task is rescheduled in all, over all of its retries; after that
                Airflow's own rules apply. By default six hours, most of a night. On Airflow 3.3 its
                `retries` are the limit.
        """

        def __init__(
            self,
            *,
            delay: timedelta = timedelta(minutes=5),
            longest_delay: timedelta = timedelta(minutes=30),
            patience: timedelta = timedelta(hours=6),
        ) -> None:
            self.delay = delay
            self.longest_delay = longest_delay
            self.patience = patience

        def evaluate(
            self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
        ) -> RetryDecision:
            """The decision for one failure: Airflow asks on the worker, with the error itself."""
            reschedules = hasattr(RetryAction, "RESCHEDULE")
            waits = int((context or {}).get("task_reschedule_count") or 0) if reschedules else try_number - 1
            found = decide(exception, waits, self.delay, self.longest_delay)
            if found.effect is Effect.FAIL:
                return RetryDecision.fail(found.reason)
            if found.effect is Effect.AS_USUAL or found.delay is None:
                return RetryDecision.default()
            # Up to a tenth more: what failed together does not come back together.
            delay = found.delay * (1 + random.random() / 10)  # noqa: S311
            if not reschedules:
                return RetryDecision.retry(delay, found.reason)
            # Airflow counts from the first reschedule of each try.
            of_this_try = self.patience / (max_tries + 1)
            reschedule: Callable[..., RetryDecision] = RetryDecision.reschedule  # type: ignore[attr-defined]
            return reschedule(delay, reschedule_timeout=of_this_try, reason=found.reason)

        def serialize(self) -> dict[str, Any]:
            """Its arguments in seconds, as JSON."""
            names = ("delay", "longest_delay", "patience")
            return {"__type": type(self).__name__} | {name: getattr(self, name).total_seconds() for name in names}

        @classmethod
        def deserialize(cls, data: dict[str, Any]) -> RenderjuiceRetryPolicy:
            """The policy of which `data` is the serialized form."""
            return cls(**{name: timedelta(seconds=data[name]) for name in ("delay", "longest_delay", "patience")})
