"""Reads responses: a job, a list, an error of unknown shape, a page of HTML with a 200.

Pure. Whatever comes in, what comes out is a value or a `RenderjuiceError` that shows neither the
key nor a signature.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from renderjuice_provider.api import _redirects as redirects
from renderjuice_provider.api import errors
from renderjuice_provider.api._flow import NoResponse, Response
from renderjuice_provider.api._ids import check_answer, same_job
from renderjuice_provider.api.models import Downloads, Job, UploadTarget, parse
from renderjuice_provider.api.progress import Progress, read_progress
from renderjuice_provider.api.redact import redact, without_secret

API = "Renderjuice"
LONG = 64 << 10
"""Bytes of a body that are read within milliseconds. Longer ones are read beside an event loop."""
MOST_VALUES = 1 << 21
"""Values in one response: 100,000 jobs of 20 fields. A megabyte may be 300,000 empty objects, which
take 20 times as much memory as their text."""
LONGEST_ERROR = 1 << 20
"""Bytes of an error's body up to which a sentence is searched in it."""


class Reader:
    """Makes values and errors of responses.

    Args:
        api_key: what errors must not show.
        now: the clock, for a `Retry-After` that is a date.
    """

    def __init__(self, api_key: str, now: Callable[[], datetime]) -> None:
        self._api_key = api_key
        self._now = now

    def failure(self, outcome: Response | NoResponse, server: str = API) -> errors.RenderjuiceError | None:
        """The error for `outcome`, or None for a 2xx; see `error`."""
        succeeded = isinstance(outcome, Response) and outcome.ok
        return None if succeeded else self.error(outcome, server)

    def error(self, outcome: Response | NoResponse, server: str = API) -> errors.RenderjuiceError:
        """The error for anything but a 2xx; `server` is the name of the API, or of a store."""
        if isinstance(outcome, NoResponse):
            reason = redact(outcome.reason, self._api_key)
            if not outcome.transient:
                return errors.RenderjuiceTransferError(f"{server} was not asked: {reason}")
            return errors.RenderjuiceConnectionError(f"{server} did not answer: {reason}", sent=outcome.sent)
        status = outcome.status
        explanation = _known_cause(status, server) or self._explanation(outcome)
        message = f"{server} answered {status}{explanation}"
        retry_after = self._retry_after(outcome)
        return _http_error(status)(message, status_code=status, retry_after=retry_after)

    def json(self, response: Response) -> Any:
        """The body as JSON, without the key: it may be stored where nobody knows the key.

        Raises:
            RenderjuiceResponseError: for HTML, half a document, nothing, or too many values.
        """
        body = response.body
        # At least the number of values: their memory is known before they are parsed.
        if body.count(b",") + body.count(b"[") + body.count(b"{") > MOST_VALUES:
            raise errors.RenderjuiceResponseError(f"Renderjuice's response holds more than {MOST_VALUES} values")
        try:
            # With hooks in Python, other threads get their turn between two values of a long list.
            hooks: dict[str, Any] = {"object_hook": _as_it_is, "parse_int": _int} if len(body) > LONG else {}
            value = json.loads(body, **hooks)
            # It may also be there in escapes or in UTF-16. Few bodies have these: few are searched.
            if self._api_key.encode() in body or b"\\u00" in body or b"\0" in body:
                value = without_secret(value, self._api_key)
        except (ValueError, RecursionError):
            kind = response.headers.get("content-type", "no content type")
            raise errors.RenderjuiceResponseError(
                f"Renderjuice's response is not JSON ({redact(kind, self._api_key)}, {len(body)} bytes)"
            ) from None
        return value

    def job(self, response: Response, job_id: str | None = None) -> Job:
        """The job in `response`, bare or inside `data`.

        Raises:
            RenderjuiceResponseError: when there is none, or it is another job than `job_id`.
        """
        job = parse(Job, unwrap(self.json(response), "id"), "job")
        if job_id is not None and job.id != job_id:
            check_answer(job.id, job_id)
        return job

    def job_or_none(self, response: Response, job_id: str | None = None) -> Job | None:
        """The job in `response` as `job` reads it, or None for a response without a body."""
        return self.job(response, job_id) if response.body.strip() else None

    def job_if_readable(self, response: Response, job_id: str) -> Job | None:
        """The job in `response` as `job` reads it, or None when `job` would raise."""
        try:
            return self.job(response, job_id)
        except errors.RenderjuiceResponseError:
            return None

    def upload_target(self, response: Response) -> UploadTarget:
        """Where to put a scene."""
        return parse(UploadTarget, unwrap(self.json(response), "slug"), "upload target")

    def progress(self, response: Response, job_id: str | None = None) -> tuple[Progress, ...]:
        """Counters, however they are wrapped; if `job_id` is given, only those of that job."""
        found = read_progress(self.json(response))
        if job_id is None:
            return found
        return tuple(item for item in found if item.job_id in {None, job_id} or same_job(str(item.job_id), job_id))

    def downloads(self, response: Response, job_id: str | None = None) -> Downloads:
        """The outputs of a job.

        Raises:
            RenderjuiceResponseError: when there is no list, or it names another job than `job_id`.
        """
        found = unwrap(self.json(response), "frames")
        if isinstance(found, dict) and isinstance(found.get("jobId"), str):
            check_answer(found["jobId"], job_id)
        downloads = parse(Downloads, found, "download list")
        # Read now, so that a response in which they cannot be read is retried.
        _ = downloads.frame_files, downloads.composite_files
        return downloads

    def nonsense(self, response: Response) -> errors.RenderjuiceError | None:
        """The error for a body that is not JSON, else None. An empty body is none.

        A success with such a body may come from a proxy, and the request may not have been
        executed.
        """
        try:
            if response.body.strip():
                self.json(response)
        except errors.RenderjuiceResponseError as nonsense:
            return nonsense
        return None

    def _explanation(self, response: Response) -> str:
        try:
            text = _message(json.loads(response.body)) if len(response.body) <= LONGEST_ERROR else ""
        except (ValueError, RecursionError):
            text = ""
        return f": {redact(text, self._api_key)}" if text else ""

    def _retry_after(self, response: Response) -> float | None:
        text = response.headers.get("retry-after", "").strip()
        try:
            seconds = float(text)
        except ValueError:
            return self._seconds_until(text, response)
        return seconds if math.isfinite(seconds) and seconds >= 0 else None

    def _seconds_until(self, text: str, response: Response) -> float | None:
        """By the server's clock if the response has it, because ours may be wrong."""
        date = _date(text)
        now = _date(response.headers.get("date", "")) or self._now()
        return None if date is None else max(0.0, (date - now).total_seconds())


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _as_it_is(found: dict[str, Any]) -> dict[str, Any]:
    return found


def _int(text: str) -> int:
    return int(text)


def unwrap(value: Any, key: str) -> Any:
    """`value`, or its `data` when `key` is not in it: only some responses are wrapped."""
    if isinstance(value, dict) and key not in value and isinstance(value.get("data"), dict):
        return value["data"]
    return value


def _message(body: Any) -> str:
    """A sentence out of an error body of unknown shape."""
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        return "; ".join(filter(None, map(_message, body[:3])))
    if isinstance(body, dict):
        return next(filter(None, (_message(body.get(key)) for key in ("message", "error", "errors", "detail"))), "")
    return ""


def _known_cause(status: int, server: str) -> str:
    """What a status alone says, whatever the body."""
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return ", which is a proxy's word: it wants a user and a password (HTTPS_PROXY=http://user:password@proxy:port)"
    if not 300 <= status < 400:
        return ""
    if server == API:
        return ", a redirect, which is not followed with the API key: check the base URL"
    return f", a redirect that is not followed (at most {redirects.LONGEST} in a row are, and to https)"


def _http_error(status: int) -> type[errors.RenderjuiceHTTPError]:
    known: dict[int, type[errors.RenderjuiceHTTPError]] = {
        401: errors.RenderjuiceAuthenticationError,
        402: errors.RenderjuicePaymentError,
        403: errors.RenderjuiceAuthenticationError,
        404: errors.RenderjuiceNotFoundError,
        429: errors.RenderjuiceRateLimitError,
    }
    if status in known:
        return known[status]
    return errors.RenderjuiceRefusedError if 400 <= status < 500 else errors.RenderjuiceServerError
