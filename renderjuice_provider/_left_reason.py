"""What a task leaves for people when it fails: Airflow itself keeps an error in the log alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from renderjuice_provider import xcom_keys
from renderjuice_provider.api._money import Bill, sentence
from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceInputError, RenderjuiceJobError
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.api.redact import redact
from renderjuice_provider.compat import AirflowRescheduleException, AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context

_FREE = frozenset({Bill.NOTHING_SPENT, Bill.NOTHING_RENDERED})
_LONGEST = 1000
"""Characters: a person reads it in one look, and the log has all of it."""
T = TypeVar("T")


def leaving_reason(method: Callable[..., T]) -> Callable[..., T]:
    """Of a method of an operator that takes the context: when it fails, why is left as an XCom."""

    @wraps(method)
    def leaving(self: Any, *args: Any, **kwargs: Any) -> T:
        try:
            return method(self, *args, **kwargs)
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except Exception as error:
            leave_reason(_context_of(args, kwargs), **reason_of(error))
            raise

    return leaving


def leave_reason(context: Context | None, *, state: str, reason: str, next_step: str = "") -> None:
    """Leave what became of a render for the render wall; see `xcom_keys.REASON`.

    Without Airflow, or when it does not take it, nothing happens: the task's own error counts.
    """
    ti: Any = (context or {}).get("ti")
    if ti is not None:
        with suppress(Exception):
            left = {"state": state, "reason": reason, "next_step": next_step}
            ti.xcom_push(
                key=xcom_keys.REASON, value={name: redact(text, longest=_LONGEST) for name, text in left.items()}
            )


def reason_of(error: Exception) -> dict[str, str]:
    """An error as what `leave_reason` takes."""
    if not isinstance(error, RenderjuiceError):
        return {"state": "failed", "reason": f"{type(error).__name__}: {error}", "next_step": ""}
    then = sentence(error.bill, error.retry, error.next_step, normalized_seconds=error.normalized_seconds)
    return {"state": "rejected" if _rejects(error) else "failed", "reason": error.what, "next_step": then}


def _rejects(error: RenderjuiceError) -> bool:
    """Whether a scene, or an order, was not taken, and nothing was spent on it."""
    if isinstance(error, RenderjuiceJobError):
        is_wrong = error.job is not None and error.job.status == JobStatus.FAILED
    else:
        is_wrong = isinstance(error, RenderjuiceInputError)
    return is_wrong and error.bill in _FREE


def _context_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Context | None:
    """`execute` has it first, `resume_execution` last."""
    found: Context | None = kwargs.get("context") or next(
        (arg for arg in args if hasattr(arg, "get") and "ti" in arg), None
    )
    return found
