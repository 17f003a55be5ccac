"""What Renderjuice sends by itself: checked, then read.

A hint that a poll of the job is due, never the truth.

Only `onRenderComplete` is emitted: failures, cancellations and the end of validation are not, so no
wait can rest on webhooks alone. The signature is over `{timestamp}.{body}`, as the documented
procedure says (one sentence of the same page says "the request body"). How the MAC is written is
not documented, so lower- or upper-case hex, base64, and a `sha256=` before either are accepted:
they are the same value. Source: the page on webhook events.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api.errors import RenderjuiceInputError, RenderjuiceResponseError, RenderjuiceWebhookError
from renderjuice_provider.api.redact import redact

__all__ = [
    "WebhookEvent",
    "read_webhook",
]

SIGNATURE = "x-renderjuice-signature"
TIMESTAMP = "x-renderjuice-timestamp"
TOLERANCE = 300.0
"""Seconds between signing and arrival, either way: what Renderjuice recommends against replays."""


@dataclass(frozen=True)
class WebhookEvent:
    """Something happened to a job. `outputs` are not read: take fresh URLs from `get_downloads`."""

    event: str
    job_id: str
    status: str | None


def read_webhook(
    headers: Mapping[str, str], body: bytes | bytearray, secret: str | Collection[str], now: float
) -> WebhookEvent:
    """The event in a request, if Renderjuice sent it.

    Args:
        headers: of the request.
        body: exactly as it was received, before any parsing.
        secret: the webhook secret of the connection; several while one is rotated, each of which is
            believed.
        now: seconds since the epoch.

    Raises:
        RenderjuiceInputError: without a secret, since then anyone could send anything.
        RenderjuiceWebhookError: for a signature that is missing, wrong or too old. Answer 401, and
            say no more. Its `refusal` is `no_timestamp`, `wrong_signature` or `not_recent`.
        RenderjuiceResponseError: for a genuine request that is not an event about a job. Answer
            200: a repeat would be the same.
    """
    secrets = [one for one in ([secret] if isinstance(secret, str) else secret) if one]
    if not secrets:
        raise RenderjuiceInputError(
            "A webhook can only be believed with a secret: put `webhook_secret` into the connection."
        )
    _check_signature({name.lower(): value for name, value in headers.items()}, body, secrets, now)
    try:
        content = json.loads(body)
        event, status = content["event"], content.get("status")
        status = redact(status) if isinstance(status, str) else None
        return WebhookEvent(redact(str(event)), check_job_id(content["jobId"]), status)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        raise RenderjuiceResponseError("The webhook is genuine, but it is not an event about a job") from None


def _check_signature(headers: Mapping[str, str], body: bytes | bytearray, secrets: Collection[str], now: float) -> None:
    timestamp = headers.get(TIMESTAMP, "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16):
        raise _refused("no_timestamp", "The webhook has no usable timestamp")
    given = headers.get(SIGNATURE, "").strip().removeprefix("sha256=").encode(errors="replace")
    if not any(_signs(secret, timestamp, body, given) for secret in secrets):
        raise _refused("wrong_signature", "The webhook is not signed with this connection's secret")
    age = now - int(timestamp)
    if abs(age) > TOLERANCE:
        when = f"{abs(age):,.0f} s {'before' if age > 0 else 'after'} now"
        raise _refused(
            "not_recent",
            f"The webhook was signed more than five minutes away from now: {when}, by this machine's clock",
        )


def _signs(secret: str, timestamp: str, body: bytes | bytearray, given: bytes) -> bool:
    signature = hmac.new(secret.encode(errors="surrogatepass"), f"{timestamp}.".encode(), hashlib.sha256)
    signature.update(body)
    mac = signature.digest()
    accepted = (mac.hex(), mac.hex().upper(), base64.b64encode(mac).decode())
    return any(hmac.compare_digest(given, form.encode()) for form in accepted)


def _refused(refusal: str, message: str) -> RenderjuiceWebhookError:
    error = RenderjuiceWebhookError(message)
    error.refusal = refusal
    return error
