"""The exit codes of the command `renderjuice`. `docs/command-line.md` has the same table."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from renderjuice_provider.api import errors
from renderjuice_provider.api.models import Job, JobStatus


class Exit(IntEnum):
    """How a command ended. Where it was about several jobs, the first of `_GRAVEST` counts."""

    OK = 0
    FAILED = 1
    USAGE = 2
    KEY = 3
    TIMEOUT = 4
    CANCELED = 5
    BUDGET = 6
    ERROR = 7
    INCOMPLETE = 8
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """For the table of the documentation."""
        return _MEANINGS[self]


_MEANINGS = {
    Exit.OK: "all is well",
    Exit.FAILED: "a job failed",
    Exit.USAGE: "what was asked cannot be right: an argument, a scene, a configuration, a job that does not exist",
    Exit.KEY: "no API key was found, or Renderjuice refuses it",
    Exit.TIMEOUT: "the time to wait was over (`--timeout`)",
    Exit.CANCELED: "a job was canceled",
    Exit.BUDGET: "it would cost more than was allowed, or the account cannot pay for it",
    Exit.ERROR: "Renderjuice could not be reached or gave no usable answer, or this machine failed",
    Exit.INCOMPLETE: "a job completed, and frames that were ordered are missing",
    Exit.INTERRUPTED: "Ctrl-C: what goes on running is said",
}
_GRAVEST = (
    *(Exit.INTERRUPTED, Exit.KEY, Exit.BUDGET, Exit.ERROR, Exit.USAGE),
    *(Exit.FAILED, Exit.INCOMPLETE, Exit.CANCELED, Exit.TIMEOUT, Exit.OK),
)
_BY_STATUS: dict[str, Exit] = {JobStatus.FAILED: Exit.FAILED, JobStatus.CANCELED: Exit.CANCELED}


class KeyMissingError(errors.RenderjuiceInputError):
    """No API key was found where one is looked for."""


class BudgetError(errors.RenderjuiceInputError):
    """It would cost more than was allowed. Nothing was sent."""


_BY_ERROR: tuple[tuple[type[Exception], Exit], ...] = (
    (KeyMissingError, Exit.KEY),
    (BudgetError, Exit.BUDGET),
    (errors.RenderjuiceAuthenticationError, Exit.KEY),
    (errors.RenderjuicePaymentError, Exit.BUDGET),
    (errors.RenderjuiceInputError, Exit.USAGE),
    (errors.RenderjuiceNotFoundError, Exit.USAGE),
    (errors.RenderjuiceOtherOrderError, Exit.USAGE),
    (errors.RenderjuiceTimeoutError, Exit.TIMEOUT),
    (errors.RenderjuiceIncompleteError, Exit.INCOMPLETE),
)


def of_error(error: BaseException) -> Exit:
    """The code for an error."""
    if isinstance(error, errors.RenderjuiceCeilingError):
        return Exit.BUDGET
    if isinstance(error, errors.RenderjuiceJobError) and error.job is not None and error.job.status in _BY_STATUS:
        return _BY_STATUS[error.job.status]
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), Exit.ERROR)


def of_job(job: Job) -> Exit:
    """The code for a job as it is. One that still runs is well."""
    return _BY_STATUS.get(job.status, Exit.OK)


def gravest(codes: Iterable[Exit]) -> Exit:
    """The one of several that a command ends with."""
    return min(codes, key=_GRAVEST.index, default=Exit.OK)
