"""Texts that may be shown: without the API key, without the queries of URLs (where signatures live)."""

from __future__ import annotations

import logging
import re
from typing import Any

_URL_SECRET = re.compile(r"(https?://[^\s\"'<>?#]*)[?#][^\s\"'<>]*")
_URL_USER = re.compile(r"(https?://)[^\s/@]+@")
LONGEST = 300
"""Characters of a server's text that reach an error message: enough for a sentence, too few for a page of HTML."""


def redact(text: str, *secrets: str) -> str:
    """`text` without `secrets`, credentials in URLs, and queries of URLs; shortened."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _URL_USER.sub(r"\1***@", _URL_SECRET.sub(r"\1?***", text))
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


class _QueryFilter(logging.Filter):
    """Takes the queries out of the URLs that httpx logs at INFO, one line a request: signed URLs carry their secret there."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _URL_SECRET.sub(r"\1?***", str(arg)) if type(arg).__name__ == "URL" else arg for arg in record.args
            )
        return True


_QUERY_FILTER = _QueryFilter()


def keep_queries_out_of_logs() -> None:
    """Make httpx's own log lines safe; harmless to call often (a logger holds a filter once)."""
    logging.getLogger("httpx").addFilter(_QUERY_FILTER)


def without_signatures(value: Any) -> Any:
    """JSON that may be stored: every URL in it has lost its query."""
    if isinstance(value, str):
        return _URL_SECRET.sub(r"\1?***", value)
    if isinstance(value, list):
        return [without_signatures(item) for item in value]
    if isinstance(value, dict):
        return {key: without_signatures(item) for key, item in value.items()}
    return value
