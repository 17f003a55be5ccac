"""Everything that can go wrong, as one tree.

    RenderjuiceError
    ├── RenderjuiceInputError            refused here, nothing was sent or spent (also a ValueError)
    ├── RenderjuiceConnectionError       no response: DNS, refused, reset, time-out
    ├── RenderjuiceResponseError         an unusable response: HTML, half a JSON, no job id
    ├── RenderjuiceHTTPError             a response that says no
    │   ├── RenderjuiceAuthenticationError     401, 403: the key is wrong, or not allowed to do this
    │   ├── RenderjuicePaymentError            402: the account cannot pay for it
    │   ├── RenderjuiceNotFoundError           404: no such job, slug or page
    │   ├── RenderjuiceRefusedError            other 4xx: it does not fit the job's state
    │   ├── RenderjuiceRateLimitError          429: too many requests
    │   └── RenderjuiceServerError             5xx, or a redirect (never followed with the key)
    ├── RenderjuiceAmbiguousError        it may have been done; a repeat could do it twice
    ├── RenderjuiceTransferError         the bytes of a scene or of an output did not arrive whole
    ├── RenderjuiceJobError              the job is over without success
    │   └── RenderjuiceJobOverError            this job cannot succeed any more
    │       ├── RenderjuiceCeilingError        it has spent what its task may spend
    │       └── RenderjuiceOtherOrderError     it renders another configuration
    ├── RenderjuiceTimeoutError          our own deadline passed before the job was over
    ├── RenderjuiceIncompleteError       the job completed, frames that were ordered are missing
    ├── RenderjuiceEventError            a task was resumed with an event that is not understood
    └── RenderjuiceWebhookError          a webhook is not signed as Renderjuice signs

Each says in two fields what happened to the money (`bill`) and what a retry would do (`retry`). The
end of its message is made from them, since a process hands an error to the next one as text alone.

Those under RenderjuiceJobError are raised by operators and the sensor as subclasses of the same
names that Airflow does not retry: see `renderjuice_provider.operators.renderjuice`.

No message, and no argument of any of them, holds an API key or the query of a signed URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, Unpack

from renderjuice_provider.api._money import Bill, Money, RetryEffect, bill_of, sentence
from renderjuice_provider.api.redact import LONGEST_STORY, story

if TYPE_CHECKING:
    from renderjuice_provider.api.models import Job

__all__ = [
    "Bill",
    "RenderjuiceAmbiguousError",
    "RenderjuiceAuthenticationError",
    "RenderjuiceCeilingError",
    "RenderjuiceConnectionError",
    "RenderjuiceError",
    "RenderjuiceEventError",
    "RenderjuiceHTTPError",
    "RenderjuiceIncompleteError",
    "RenderjuiceInputError",
    "RenderjuiceJobError",
    "RenderjuiceJobOverError",
    "RenderjuiceNotFoundError",
    "RenderjuiceOtherOrderError",
    "RenderjuicePaymentError",
    "RenderjuiceRateLimitError",
    "RenderjuiceRefusedError",
    "RenderjuiceResponseError",
    "RenderjuiceServerError",
    "RenderjuiceTimeoutError",
    "RenderjuiceTransferError",
    "RenderjuiceWebhookError",
    "RetryEffect",
    "reason",
]


class RenderjuiceError(Exception):
    """The root of the tree; catch this to catch all of it.

    Its message is fit for a log, a database and a web page, whatever it quotes: see `api.redact`.

    Args:
        message: what went wrong; the end about the money is added to it.
        **money: where it is not what it usually is for errors of this class: see `Money`.

    Attributes:
        what: what went wrong, without the end about the money: to be quoted in another message.
        bill: what happened to the money.
        retry: what a retry would do.
        next_step: what the reader can do; empty when there is nothing more to say.
        normalized_seconds: what is billed, where Renderjuice has said it.
        job_id: the job that it is about; empty when there is none, or it is unknown.
    """

    bill: Bill = Bill.UNKNOWN
    retry: RetryEffect = RetryEffect.UNKNOWN
    what: str = ""
    next_step: str = ""
    normalized_seconds: float | None = None
    job_id: str = ""

    def __init__(self, message: str = "", **money: Unpack[Money]) -> None:
        super().__init__()
        self.what = story(str(message))
        self.settle(**money)

    def settle(self, **money: Unpack[Money]) -> Self:
        """The same error, once a caller knows better what became of the money.

        What it does not say stays.
        """
        for name, value in money.items():
            setattr(self, name, value)
        end = story(sentence(self.bill, self.retry, self.next_step, self.normalized_seconds, self.job_id))
        what = story(self.what, longest=LONGEST_STORY - len(end) - 2)  # a long reason must not hide the money
        if what and what[-1] not in ".!?…":
            what += "."
        self.args = (f"{what} {end}".lstrip(),)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """By its fields: `pickle` does not know the keyword arguments of the class."""
        return _unpickled, (type(self), self.args), self.__dict__


def _unpickled(kind: type[RenderjuiceError], args: tuple[Any, ...]) -> RenderjuiceError:
    error = kind.__new__(kind)
    error.args = args
    return error


def reason(error: BaseException) -> str:
    """What went wrong, of any error.

    To be quoted in a message that says for itself what became of the money.
    """
    what = error.what if isinstance(error, RenderjuiceError) else str(error)
    return f"{type(error).__name__}: {what}"


class RenderjuiceInputError(RenderjuiceError, ValueError):
    """What was passed in cannot be right. Nothing was sent and nothing was spent."""

    bill = Bill.NOTHING_SPENT
    retry = RetryEffect.AFTER_CORRECTION


class RenderjuiceConnectionError(RenderjuiceError):
    """No response came.

    Attributes:
        sent: False when the request certainly never left (so any request may be repeated).
    """

    bill = Bill.UNCHANGED
    retry = RetryEffect.REPEATS

    def __init__(self, message: str, *, sent: bool, **money: Unpack[Money]) -> None:
        super().__init__(message, **money)
        self.sent = sent


class RenderjuiceResponseError(RenderjuiceError):
    """A response came that cannot be understood."""

    bill = Bill.UNCHANGED
    retry = RetryEffect.REPEATS


class RenderjuiceHTTPError(RenderjuiceError):
    """A response came that says no.

    Attributes:
        status_code: the HTTP status.
        retry_after: what the server asked us to wait, in seconds; None when it did not say.
    """

    bill = Bill.UNCHANGED
    retry = RetryEffect.REPEATS

    def __init__(
        self, message: str, *, status_code: int, retry_after: float | None = None, **money: Unpack[Money]
    ) -> None:
        super().__init__(message, **money)
        self.status_code = status_code
        self.retry_after = retry_after


class RenderjuiceAuthenticationError(RenderjuiceHTTPError):
    """401 or 403."""

    retry = RetryEffect.AFTER_CORRECTION


class RenderjuicePaymentError(RenderjuiceHTTPError):
    """402."""

    retry = RetryEffect.AFTER_CORRECTION


class RenderjuiceNotFoundError(RenderjuiceHTTPError):
    """404."""

    retry = RetryEffect.AFTER_CORRECTION


class RenderjuiceRefusedError(RenderjuiceHTTPError):
    """400, 409, 422, or another 4xx."""

    retry = RetryEffect.AFTER_CORRECTION


class RenderjuiceRateLimitError(RenderjuiceHTTPError):
    """429."""


class RenderjuiceServerError(RenderjuiceHTTPError):
    """5xx, or a redirect."""


class RenderjuiceAmbiguousError(RenderjuiceError):
    """The request was sent, its response was lost, and it must not be repeated blindly."""

    bill = Bill.NOTHING_ORDERED
    retry = RetryEffect.REPEATS


class RenderjuiceTransferError(RenderjuiceError):
    """A scene could not be stored, or an output not fetched, whole."""

    bill = Bill.UNCHANGED
    retry = RetryEffect.REPEATS


class RenderjuiceJobError(RenderjuiceError):
    """The job is over without success.

    Without a `bill` of its own, it says what `job` has cost, if that is over.

    Attributes:
        job: the job as last read; `job.failed_reason` holds Renderjuice's own words.
    """

    bill = Bill.BILLED_IF_RENDERED
    retry = RetryEffect.CANNOT_HELP

    def __init__(self, message: str, *, job: Job | None = None, **money: Unpack[Money]) -> None:
        if job is not None:
            known: Money = {"job_id": job.id, "normalized_seconds": job.normalized_seconds}
            if job.is_over and self.bill is Bill.BILLED_IF_RENDERED:
                known["bill"] = bill_of(job)
            money = {**known, **money}
        super().__init__(message, **money)
        self.job = job


class RenderjuiceJobOverError(RenderjuiceJobError):
    """The job is over without success, and the same job cannot succeed any more."""


class RenderjuiceCeilingError(RenderjuiceJobOverError):
    """The task has spent what it may (`max_normalized_seconds`), and no job of it is running."""


class RenderjuiceOtherOrderError(RenderjuiceJobOverError):
    """The job renders, or has rendered, another configuration than was ordered.

    It was not touched.
    """

    bill = Bill.LEFT_AS_IT_IS


class RenderjuiceTimeoutError(RenderjuiceError):
    """Our deadline passed. The message says whether the job was cancelled."""

    bill = Bill.MAY_RUN
    retry = RetryEffect.REATTACHES


class RenderjuiceIncompleteError(RenderjuiceError):
    """Frames, views or outputs of the compositor are missing from a delivery.

    The message names them.
    """

    bill = Bill.KEPT
    retry = RetryEffect.CANNOT_HELP


class RenderjuiceEventError(RenderjuiceError):
    """A trigger's event is unknown or malformed, and is not taken for a success."""

    bill = Bill.LEFT_ALONE
    retry = RetryEffect.READS_AGAIN


class RenderjuiceWebhookError(RenderjuiceError):
    """A webhook whose signature is missing, wrong or too old: `refusal` names which."""

    refusal: str = ""
    bill = Bill.UNCHANGED
    retry = RetryEffect.AFTER_CORRECTION
