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


class RenderjuiceOtherOrderError(RenderjuiceJobOverError, errors.RenderjuiceOtherOrderError):
    """The job renders, or has rendered, another configuration than this task orders.

    Airflow does not retry this.
    """


def not_retried(error: errors.RenderjuiceJobOverError, **money: Unpack[Money]) -> RenderjuiceJobOverError:
    """`error` in the form that Airflow does not retry.

    What is known better about its money replaces what it says.
    """
    is_other_order = isinstance(error, errors.RenderjuiceOtherOrderError)
    kind = RenderjuiceOtherOrderError if is_other_order else RenderjuiceJobOverError
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
