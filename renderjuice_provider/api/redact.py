"""What may be shown and stored.

Without the API key, without the queries of URLs (where signatures live), and fit to be kept.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

__all__ = [
    "redact",
    "storable",
]

T = TypeVar("T")

# What a URL can hold, up to the next blank, quotation mark or angle bracket. Each pattern here
# looks at a character a few times at most: a text of colons and slashes must not keep anyone busy.
_WORD = re.compile(r"[^\s\"'<>]+")
# The end of any scheme (`s3:`, `https:`), and one slash or more: a URL that was taken for a path
# has lost one. Before it may stand anything: a text that somebody glued it to. One letter and one
# slash are a drive.
_SCHEME = re.compile(r"://|[a-z0-9+.-]{2}:/", re.IGNORECASE)
_QUERY = re.compile(r"[?#]")
_URL_USER = re.compile(r"(:/+)([^\s/]+)@")
_CONNECTION_ID = re.compile(r"[\w.-]+")
_LOGGED_SECRET = re.compile(r"""(b'(?:location|set-cookie)', b)('[^']*'|"[^"]*")""", re.IGNORECASE)
LONGEST = 300
"""Characters of a server's text that reach an error message: enough for a sentence, too few for a
page of HTML."""
_CONSIDERED = 4000
"""Characters that are looked at for it."""
LONGEST_STORY = 2000
"""Characters of a whole message of ours: what happened, to which job, what became of the money, and
what to do next."""
DEEPEST = 32
"""Levels of lists and objects. Airflow's own JSON refuses some hundreds."""
MOST = 1 << 20
"""Characters and values of one thing that is stored: XComs and events are meant for some
kilobytes."""
_LARGEST = 2**63
"""Databases count to here."""
_SHORTEST_SECRET = 6
"""Characters. What is shorter is not a key, but a word that may stand anywhere."""


def redact(text: str, *secrets: str, longest: int = LONGEST) -> str:
    """`text` in one printable line of at most `longest` characters, without secrets.

    Secrets are `secrets`, credentials in URLs, and queries of URLs.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = text[:_CONSIDERED]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    text = without_url_secrets(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def story(text: str, *, longest: int = LONGEST_STORY) -> str:
    """`redact` for a message of our own that quotes others: an error's, an event's."""
    return redact(text, longest=longest)


class _QueryFilter(logging.Filter):
    """Takes the queries out of the URLs that httpx logs at INFO, one line a request.

    Signed URLs carry their secret there.

    At DEBUG httpcore also logs the headers of answers, and a redirect's target can be a signed URL
    as well.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str) and record.name.startswith("httpcore"):
            record.msg = _LOGGED_SECRET.sub(r"\1'***'", record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(
                without_url_secrets(str(arg)) if type(arg).__name__ == "URL" else arg for arg in record.args
            )
        return True


_QUERY_FILTER = _QueryFilter()


def keep_queries_out_of_logs() -> None:
    """Make httpx's own log lines safe; harmless to call often (a logger holds a filter once)."""
    for name in ("httpx", "httpcore.http11", "httpcore.http2", "httpcore.proxy"):
        logging.getLogger(name).addFilter(_QUERY_FILTER)


def without_secret(value: Any, secret: str) -> Any:
    """`value` as it is, but for `secret`.

    A server that knows a key may send it back in any text, and the key of any object.
    """
    if isinstance(value, str):
        return value.replace(secret, "***") if len(secret) >= _SHORTEST_SECRET else value
    if isinstance(value, dict):
        return {without_secret(key, secret): without_secret(item, secret) for key, item in value.items()}
    return [without_secret(item, secret) for item in value] if isinstance(value, list) else value


def storable(value: Any, *secrets: str, most: float = MOST, urls: bool = True) -> Any:
    """`value` as JSON that every store takes.

    The one door for what came from outside to an XCom, an event, a record or a report.

    Texts lose `secrets`, credentials and queries of URLs, and show what cannot be printed as an
    escape: PostgreSQL takes no NUL, and UTF-8 no lone surrogate (an old Latin-1 file name has
    some). Numbers that JSON does not know become None. What lies deeper than `DEEPEST`, or comes
    after `most` characters or values, becomes "…".

    Args:
        value: anything.
        secrets: what no text may show.
        most: `float("inf")` for a file whose length follows from what is on disk.
        urls: False for paths that a task will open: the name of an object may hold `?` and `#`.
    """
    return _Door(secrets, most, urls=urls).let_in(value, DEEPEST)


without_signatures = storable
"""Its earlier name, by which others may import it."""


class _Door:
    def __init__(self, secrets: Sequence[str], most: float, *, urls: bool) -> None:
        self._secrets = [secret for secret in secrets if secret]
        self._left = most
        self._urls = urls

    def let_in(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth < 0:
            return "…"
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):
            return value if -_LARGEST < value < _LARGEST else None  # nor is NaN between them
        if isinstance(value, Mapping):
            return {self._text(key): self.let_in(item, depth - 1) for key, item in self._some(value.items())}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.let_in(item, depth - 1) for item in self._some(value)]
        return self._text(value)

    def _some(self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            if self._left < 0:
                return
            yield item

    def _text(self, value: Any) -> str:
        text = str(value)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        if len(text) > self._left:
            text = text[: max(0, int(self._left))] + "…"
        self._left -= len(text)
        if not text.isprintable():
            text = "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text)
        return without_url_secrets(text) if self._urls else text


def without_url_secrets(text: str) -> str:
    """`text` without credentials in URLs, and without their queries and fragments."""
    return _URL_USER.sub(_without_user, _WORD.sub(_without_query, text)) if ":/" in text else text


def _without_user(user: re.Match[str]) -> str:
    """Who stands before a bucket (`s3://aws_default@bucket`) is an Airflow connection, by its id.

    No secret, and needed.
    """
    scheme = user.string[max(0, user.start() - 5) : user.start()].lower()
    is_known = not scheme.endswith(("http", "https", "ftp")) and _CONNECTION_ID.fullmatch(user[2])
    return user[0] if is_known else f"{user[1]}***@"


def _without_query(word: re.Match[str]) -> str:
    text = word[0]
    scheme = _SCHEME.search(text)
    query = _QUERY.search(text, scheme.end()) if scheme else None
    return f"{text[: query.start()]}?***" if query else text
