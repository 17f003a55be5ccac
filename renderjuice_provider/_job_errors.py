"""Errors of the tree in a form that Airflow does not retry.

They stand here because nothing in `renderjuice_provider.api` knows of Airflow.
`renderjuice_provider.operators.renderjuice` exports them.
"""

from __future__ import annotations

from typing import Unpack

from renderjuice_provider.api import errors
from renderjuice_provider.api._money import Money
from renderjuice_provider.compat import AirflowFailException


class RenderjuiceJobOverError(errors.RenderjuiceJobOverError, AirflowFailException):
    """The job is over without success.

    Airflow does not retry this: the same job cannot succeed any more.
    """


class RenderjuiceCeilingError(RenderjuiceJobOverError, errors.RenderjuiceCeilingError):
    """The task has spent what it may.

    Airflow does not retry this: a user who clears the task allows as much again.
    """


class RenderjuiceOtherOrderError(RenderjuiceJobOverError, errors.RenderjuiceOtherOrderError):
    """The job renders, or has rendered, another configuration than this task orders.

    Airflow does not retry this.
    """


_KINDS: dict[type[errors.RenderjuiceJobOverError], type[RenderjuiceJobOverError]] = {
    errors.RenderjuiceCeilingError: RenderjuiceCeilingError,
    errors.RenderjuiceOtherOrderError: RenderjuiceOtherOrderError,
}


def not_retried(error: errors.RenderjuiceJobOverError, **money: Unpack[Money]) -> RenderjuiceJobOverError:
    """`error` in the form that Airflow does not retry.

    What is known better about its money replaces what it says.
    """
    kind = next((kind for known, kind in _KINDS.items() if isinstance(error, known)), RenderjuiceJobOverError)
    known: Money = {
        "bill": error.bill,
        "retry": error.retry,
        "next_step": error.next_step,
        "normalized_seconds": error.normalized_seconds,
        "job_id": error.job_id,
    }
    return kind(error.what, job=error.job, **known).settle(**money)


class RenderjuiceIncompleteError(errors.RenderjuiceIncompleteError, AirflowFailException):
    """Frames are missing after all rounds.

    Airflow does not retry this: another round is only ordered by a user who clears the task.
    """
