"""Reading what Renderjuice answers: a job, a list, an error of unknown shape, a page of HTML that says 200.

Pure. Whatever comes in, what comes out is a value or a `RenderjuiceError` that shows neither the key nor a signature.
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
"""Bytes of an answer that are read within a few milliseconds. Longer ones are read beside an event loop."""
MOST_VALUES = 1 << 21
"""Values in one answer: 100,000 jobs of 20 fields. Empty objects, of which a megabyte holds 300,000, take 20 times their text."""
LONGEST_ERROR = 1 << 20
"""Bytes of an error's body that may hold a sentence: the rest is a page of somebody's."""


class Reader:
    """Makes sense of answers.

    Args:
        api_key: what errors must not show.
        now: the clock, for a `Retry-After` that is a date.
    """

    def __init__(self, api_key: str, now: Callable[[], datetime]) -> None:
        self._api_key = api_key
        self._now = now

    def failure(self, outcome: Response | NoResponse, who: str = API) -> errors.RenderjuiceError | None:
        """The error that `outcome` is, or None for a success. `who` was asked: the API, or a store."""
        if isinstance(outcome, NoResponse):
            reason = redact(outcome.reason, self._api_key)
            if not outcome.passing:
                return errors.RenderjuiceTransferError(f"{who} was not asked: {reason}")
            return errors.RenderjuiceConnectionError(f"{who} did not answer: {reason}", sent=outcome.sent)
        if outcome.ok:
            return None
        status = outcome.status
        explanation = _known_cause(status, who) or self._explanation(outcome)
        message = f"{who} answered {status}{explanation}"
        return _http_error(status)(message, status_code=status, retry_after=self._retry_after(outcome))

    def json(self, answer: Response) -> Any:
        """The body as JSON, without the key: what is read here may be stored in many places that do not know it.

        Raises:
            RenderjuiceResponseError: for HTML, half a document, nothing, or more than anyone needs.
        """
        if _values(answer.body) > MOST_VALUES:
            raise errors.RenderjuiceResponseError(f"Renderjuice's answer holds more than {MOST_VALUES} values")
        try:
            # With hooks in Python, other threads get their turn between two values of a long list.
            hooks: dict[str, Any] = {"object_hook": _as_it_is, "parse_int": _int} if len(answer.body) > LONG else {}
            value = json.loads(answer.body, **hooks)
            return without_secret(value, self._api_key) if self._may_hold_the_key(answer.body) else value
        except (ValueError, RecursionError):
            kind = answer.headers.get("content-type", "no content type")
            raise errors.RenderjuiceResponseError(
                f"Renderjuice's answer is not JSON ({redact(kind, self._api_key)}, {len(answer.body)} bytes)"
            ) from None

    def _may_hold_the_key(self, body: bytes) -> bool:
        """Whether it is there, or may be: in escapes, or in UTF-16. Few answers are, so few are looked through."""
        return self._api_key.encode() in body or b"\\u00" in body or b"\0" in body

    def job(self, answer: Response) -> Job:
        """The job in `answer`, bare or inside `data`."""
        return parse(Job, unwrap(self.json(answer), "id"), "job")

    def job_or_none(self, answer: Response) -> Job | None:
        """The same, or None for an empty success."""
        return self.job(answer) if answer.body.strip() else None

    def upload_target(self, answer: Response) -> UploadTarget:
        """Where to put a scene."""
        return parse(UploadTarget, unwrap(self.json(answer), "slug"), "upload target")

    def progress(self, answer: Response, job_id: str | None = None) -> tuple[Progress, ...]:
        """Counters, however they are wrapped; empty when there are none. Of `job_id` alone, where that is given."""
        found = read_progress(self.json(answer))
        return tuple(item for item in found if None in {job_id, item.job_id} or same_job(str(item.job_id), str(job_id)))

    def downloads(self, answer: Response, job_id: str | None = None) -> Downloads:
        """The outputs of a job.

        Raises:
            RenderjuiceResponseError: when there is no list, or it says that it is of another job than `job_id`.
        """
        told = unwrap(self.json(answer), "frames")
        if isinstance(told, dict) and isinstance(told.get("jobId"), str):
            check_answer(told["jobId"], job_id)
        downloads = parse(Downloads, told, "download list")
        # Both can be read, or the answer is nonsense and asked for again.
        _ = downloads.frame_files, downloads.composite_files
        return downloads

    def nonsense(self, answer: Response) -> errors.RenderjuiceError | None:
        """The error of a success that holds something and no JSON: whoever wrote that page may not have carried anything out."""
        try:
            if answer.body.strip():
                self.json(answer)
        except errors.RenderjuiceResponseError as nonsense:
            return nonsense
        return None

    def job_if_readable(self, answer: Response) -> Job | None:
        """The same, or None for anything else."""
        try:
            return self.job(answer)
        except errors.RenderjuiceResponseError:
            return None

    def _explanation(self, answer: Response) -> str:
        try:
            text = _message(json.loads(answer.body)) if len(answer.body) <= LONGEST_ERROR else ""
        except (ValueError, RecursionError):
            text = ""
        return f": {redact(text, self._api_key)}" if text else ""

    def _retry_after(self, answer: Response) -> float | None:
        text = answer.headers.get("retry-after", "").strip()
        try:
            seconds = float(text)
        except ValueError:
            return self._seconds_until(text, answer)
        return seconds if math.isfinite(seconds) and seconds >= 0 else None

    def _seconds_until(self, text: str, answer: Response) -> float | None:
        """By the server's own clock where the answer tells it, for one of the two clocks may be wrong."""
        date = _date(text)
        now = _date(answer.headers.get("date", "")) or self._now()
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


def _values(body: bytes) -> int:
    """At least as many as the values in a JSON text: what it takes in memory is known before it is parsed."""
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def unwrap(value: Any, key: str) -> Any:
    """`value`, or what its `data` holds when `key` is not in it: some answers are wrapped, and which may change."""
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


def _known_cause(status: int, who: str) -> str:
    """What a status says on its own, whatever the answer's text."""
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return ", which is a proxy's word: it wants a user and a password (HTTPS_PROXY=http://user:password@proxy:port)"
    if not 300 <= status < 400:
        return ""
    if who == API:
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
