"""Everything that can go wrong, as one tree.

    RenderjuiceError
    ├── RenderjuiceInputError           refused here, before anything was sent or spent (also a ValueError)
    ├── RenderjuiceConnectionError      no answer: DNS, refused, reset, time-out
    ├── RenderjuiceResponseError        an answer that says nothing usable: HTML, half a JSON, a job without an id
    ├── RenderjuiceHTTPError            an answer that says no
    │   ├── RenderjuiceAuthenticationError   401, 403: the key is wrong, or not allowed to do this
    │   ├── RenderjuicePaymentError          402: the account cannot pay for it
    │   ├── RenderjuiceNotFoundError         404: no such job, slug or page
    │   ├── RenderjuiceRefusedError          400, 409, 422 and other 4xx: the request does not fit the job's state
    │   ├── RenderjuiceRateLimitError        429: too many requests
    │   └── RenderjuiceServerError           5xx (and a redirect, which is never followed with the key)
    ├── RenderjuiceAmbiguousError       it was sent and may have been done; repeating it could do it twice
    ├── RenderjuiceTransferError        the bytes of a scene or of an output did not arrive whole
    ├── RenderjuiceJobError             the job is over and was no success
    ├── RenderjuiceTimeoutError         our own deadline passed before the job was over
    ├── RenderjuiceIncompleteError      the job completed, but frames that were ordered are not among its outputs
    ├── RenderjuiceEventError           a task was resumed with an event that this version does not understand
    └── RenderjuiceWebhookError         a request that claims to come from Renderjuice is not signed as Renderjuice signs

No message, and no argument of any of them, holds an API key or the query of a signed URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from renderjuice_provider.api.redact import story

if TYPE_CHECKING:
    from renderjuice_provider.api.models import Job


class RenderjuiceError(Exception):
    """The root of the tree; catch this to catch all of it.

    Its message is fit for a log, a database and a web page, whatever it quotes: see `renderjuice_provider.api.redact`.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(story(str(message)))


class RenderjuiceInputError(RenderjuiceError, ValueError):
    """What was passed in cannot be right. Nothing was sent and nothing was spent."""


class RenderjuiceConnectionError(RenderjuiceError):
    """No answer came.

    Attributes:
        sent: False when the request certainly never left (so any request may be repeated).
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class RenderjuiceResponseError(RenderjuiceError):
    """An answer came that cannot be understood."""


class RenderjuiceHTTPError(RenderjuiceError):
    """An answer came that says no.

    Attributes:
        status_code: the HTTP status.
        retry_after: what the server asked us to wait, in seconds; None when it did not say.
    """

    def __init__(self, message: str, *, status_code: int, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.retry_after = retry_after


class RenderjuiceAuthenticationError(RenderjuiceHTTPError):
    """401 or 403."""


class RenderjuicePaymentError(RenderjuiceHTTPError):
    """402."""


class RenderjuiceNotFoundError(RenderjuiceHTTPError):
    """404."""


class RenderjuiceRefusedError(RenderjuiceHTTPError):
    """400, 409, 422, or another 4xx."""


class RenderjuiceRateLimitError(RenderjuiceHTTPError):
    """429."""


class RenderjuiceServerError(RenderjuiceHTTPError):
    """5xx, or a redirect."""


class RenderjuiceAmbiguousError(RenderjuiceError):
    """The request was sent, its answer was lost, and it must not be repeated blindly."""


class RenderjuiceTransferError(RenderjuiceError):
    """A scene could not be stored, or an output not fetched, whole."""


class RenderjuiceJobError(RenderjuiceError):
    """The job is over and was no success.

    Attributes:
        job: the job as last read; `job.failed_reason` holds Renderjuice's own words.
    """

    def __init__(self, message: str, *, job: Job | None = None) -> None:
        super().__init__(message)
        self.job = job


class RenderjuiceTimeoutError(RenderjuiceError):
    """Our deadline passed. The message says whether the job was cancelled."""


class RenderjuiceIncompleteError(RenderjuiceError):
    """Frames, views or outputs of the compositor are missing from a delivery. The message names them."""


class RenderjuiceEventError(RenderjuiceError):
    """A trigger's event is unknown or malformed, and is not taken for a success."""


class RenderjuiceWebhookError(RenderjuiceError):
    """A webhook whose signature is missing, wrong or too old."""
