"""Texts that may be shown: without the API key, without the queries of URLs (where signatures live)."""

from __future__ import annotations

import logging
import re
from typing import Any

# Any scheme (`s3:`, `https:`), and one slash or more: a URL that was taken for a path has lost one.
_URL_SECRET = re.compile(r"\b([a-z][a-z0-9+.-]{1,15}:/+[^\s\"'<>?#]*)[?#][^\s\"'<>]*", re.IGNORECASE)
_URL_USER = re.compile(r"\b([a-z][a-z0-9+.-]{1,15}:/+)[^\s/@]+@", re.IGNORECASE)
_LOGGED_SECRET = re.compile(r"""(b'(?:location|set-cookie)', b)('[^']*'|"[^"]*")""", re.IGNORECASE)
LONGEST = 300
"""Characters of a server's text that reach an error message: enough for a sentence, too few for a page of HTML."""
_CONSIDERED = 4000
"""Characters that are looked at for it."""


def redact(text: str, *secrets: str) -> str:
    """`text` in one printable line, without `secrets`, credentials in URLs, and queries of URLs; shortened."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = "".join(char if char.isprintable() else " " for char in text[:_CONSIDERED])
    text = _URL_USER.sub(r"\1***@", _URL_SECRET.sub(r"\1?***", text))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


class _QueryFilter(logging.Filter):
    """Takes the queries out of the URLs that httpx logs at INFO, one line a request: signed URLs carry their secret there.

    At DEBUG httpcore also logs the headers of answers, and a redirect's target can be a signed URL as well.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str) and record.name.startswith("httpcore"):
            record.msg = _LOGGED_SECRET.sub(r"\1'***'", record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(
                _URL_SECRET.sub(r"\1?***", str(arg)) if type(arg).__name__ == "URL" else arg for arg in record.args
            )
        return True


_QUERY_FILTER = _QueryFilter()


def keep_queries_out_of_logs() -> None:
    """Make httpx's own log lines safe; harmless to call often (a logger holds a filter once)."""
    for name in ("httpx", "httpcore.http11", "httpcore.http2", "httpcore.proxy"):
        logging.getLogger(name).addFilter(_QUERY_FILTER)


def without_signatures(value: Any) -> Any:
    """JSON that may be stored: every URL in it has lost its query."""
    if isinstance(value, str):
        return _URL_SECRET.sub(r"\1?***", value)
    if isinstance(value, list):
        return [without_signatures(item) for item in value]
    if isinstance(value, dict):
        return {key: without_signatures(item) for key, item in value.items()}
    return value
