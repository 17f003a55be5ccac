"""What a hostile Renderjuice answers, byte by byte.

Framing that is wrong, JSON that is odd, and texts that nobody can store.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

KEY = "RJ-hostile-key-that-must-never-be-seen"
SIGNATURE = "sIgNaTuReThatMustNeverBeSeen"
PASSWORD = "hunter2-that-must-never-be-seen"
SECRETS = (KEY, SIGNATURE, PASSWORD)
SIGNED = f"https://store.example/frames/0001.exr?X-Amz-Signature={SIGNATURE}"


@dataclass(frozen=True)
class Drip:
    """A beginning, and then one piece after the other, a few in a second, for ever."""

    head: bytes
    piece: bytes


Answer = Callable[[str], bytes | Drip]
"""All bytes of an answer about the job with this id; the connection is closed after them."""

TEXTS: dict[str, Any] = {
    "a NUL": "a\0b",
    "a lone surrogate": "caf\udce9.png",
    "an ANSI escape": "\x1b]0;owned\x07\x1b[2J",
    "lines": "one\nTask marked as SUCCESS\r\nthree\u2028four",
    "5 MB": "z" * 5_000_000,
    "the key": f"your key is {KEY}",
    "the key in escapes": "\\u0052" + KEY[1:],
    "a signed URL": f"see {SIGNED} and s3://b/k?X-Amz-Signature={SIGNATURE}",
    "a password in a URL": f"https://artist:{PASSWORD}@store.example/x",
    "a template": "{{ conn.hostile.password }}",
    "right to left": "\u202egnp.exe\u2066",
    "an emoji cut in half": "\ud83d",
}
WORST = ("a NUL", "a lone surrogate", "5 MB", "the key in escapes", "a signed URL")
"""Where each costs a task of its own."""
VALUES: dict[str, Any] = TEXTS | {
    "not a number": float("nan"),
    "endless": float("-inf"),
    "10**400": 10**400,
    "400 levels": json.loads("[" * 400 + "]" * 400),
    "100,000 names": [f"tex/{number}.png" for number in range(100_000)],
    "keys that are not text": {"\0": "\0", "\udce9": {KEY: SIGNED}},
}
"""What stands in fields that may hold anything. The texts also stand where only a text may."""


def reply(body: bytes, status: int = 200, *headers: str, length: bool = True) -> bytes:
    """An answer that is whole."""
    phrase = next((each.phrase for each in HTTPStatus if each == status), "Odd")
    lines = [f"HTTP/1.1 {status} {phrase}", "Content-Type: application/json", "Connection: close", *headers]
    lines += [f"Content-Length: {len(body)}"] if length else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def in_json(value: Any) -> bytes:
    """JSON as Python writes it.

    With NaN, and a backslash that was meant as one stays the beginning of an escape.
    """
    return json.dumps(value).replace("\\\\u", "\\u").encode()


def job(status: Any = "rendering", **fields: Any) -> Answer:
    """A job, whatever is in its fields."""
    return lambda job_id: reply(in_json({"data": {"id": job_id, "status": status} | fields}))


def refusal(status: int, message: Any, *headers: str) -> Answer:
    """An answer that says no."""
    return lambda _: reply(in_json({"statusCode": status, "message": message}), status, *headers)


def raw(data: bytes) -> Answer:
    """These bytes, whatever is asked."""
    return lambda _: data


@cache
def _bomb(count: int, packed: int = 1) -> bytes:
    """That many times 16 MB of blanks, compressed so often."""
    packer = zlib.compressobj(9, wbits=31)
    head = packer.compress(b" ") + packer.flush(zlib.Z_FULL_FLUSH)
    body = head + (packer.compress(b" " * (16 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)) * count
    for _ in range(packed - 1):
        body = gzip.compress(body)
    return reply(body, 200, f"Content-Encoding: {', '.join(['gzip'] * packed)}")


def _about(head: str, body: str = '{"id": "%s", "status": "rendering"}') -> Answer:
    return lambda job_id: (head + body.replace("%s", job_id)).encode("latin-1")


_OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
FRAMING: dict[str, Answer] = {
    "nothing": raw(b""),
    "one byte": raw(b"H"),
    "another protocol": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "HTTP/0.9": raw(b"<html>hello</html>"),
    "HTTP/3.0": _about("HTTP/3.0 200 OK\r\n\r\n"),
    "status 000": _about("HTTP/1.1 000 Odd\r\n\r\n"),
    "status 999": _about("HTTP/1.1 999 Odd\r\n\r\n"),
    "status 99999": _about("HTTP/1.1 99999 Odd\r\n\r\n"),
    "a phrase with NULs": _about("HTTP/1.1 200 O\0K\r\n\r\n"),
    "a header without a colon": _about(_OK + "nothing here\r\n\r\n"),
    "a NUL in a header": _about(_OK + "X-Odd: a\0b\r\n\r\n"),
    "a header of 1 MB": _about(_OK + f"X-Odd: {'z' * 1_000_000}\r\n\r\n"),
    "10,000 headers": _about(_OK + "".join(f"X-{number}: z\r\n" for number in range(10_000)) + "\r\n"),
    "a header that never ends": raw((_OK + "X-Odd: z").encode()),
    "a length below zero": _about(_OK + "Content-Length: -1\r\n\r\n"),
    "two lengths": _about(_OK + "Content-Length: 5\r\nContent-Length: 7\r\n\r\n"),
    "a length of 10 EB": _about(_OK + "Content-Length: 9999999999999999999\r\n\r\n"),
    "a length and chunks": _about(_OK + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "a chunk of odd size": _about(_OK + "Transfer-Encoding: chunked\r\n\r\nZZ\r\n"),
    "a chunk of -1": _about(_OK + "Transfer-Encoding: chunked\r\n\r\n-1\r\n"),
    "half a chunk": _about(_OK + "Transfer-Encoding: chunked\r\n\r\nffff\r\n"),
    "half a body": _about(_OK + "Content-Length: 5000\r\n\r\n"),
    "a second answer behind": raw(reply(b"{}") + reply(b'{"status": "completed"}')),
    "a thousand early hints": _about("HTTP/1.1 103 Early Hints\r\n\r\n" * 1000 + _OK + "\r\n"),
    "switching protocols": raw(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n\0\0\0"
    ),
    "204 with a body": raw(reply(b"{}", 204)),
    "304": raw(reply(b"", 304)),
    "damaged gzip": raw(reply(b"\x1f\x8b nothing", 200, "Content-Encoding: gzip")),
    "half a gzip": raw(reply(gzip.compress(b'{"id": "x"}' * 1000)[:40], 200, "Content-Encoding: gzip")),
    "damaged deflate": raw(reply(b"\0\1\2", 200, "Content-Encoding: deflate")),
    "4 MB of blanks in 4 kB": raw(reply(zlib.compress(b" " * 4_000_000), 200, "Content-Encoding: deflate")),
    "an encoding of no name": raw(reply(b"{}", 200, "Content-Encoding: rot13, gzip, br, zstd")),
    "a redirect to a signed URL": raw(reply(b"", 302, f"Location: {SIGNED}")),
    "a redirect to a file": raw(reply(b"", 301, "Location: file:///etc/passwd")),
    "a redirect to nowhere": raw(reply(b"", 307, "Location: http://[half")),
    "a cookie": raw(reply(b"{}", 200, f"Set-Cookie: session={SIGNATURE}; Path=/")),
}
"""All of them are transient: the wait goes on."""
_CHUNKED = (_OK + "Transfer-Encoding: chunked\r\n\r\n").encode()
_NOTHING = zlib.compressobj(9, wbits=31).flush(zlib.Z_SYNC_FLUSH)
ENDLESS: dict[str, Answer] = {
    "a status line that drips": lambda _: Drip(b"", b"H"),
    "a header that drips": lambda _: Drip(_OK.encode(), b"X-Odd: z\r\n"),
    "hints that drip": lambda _: Drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "a body that drips": lambda _: Drip(_OK.encode() + b"Content-Length: 100000\r\n\r\n", b" "),
    "a chunk's extension that drips": lambda _: Drip(_CHUNKED + b"1;a=", b"z"),
    "trailers that drip": lambda _: Drip(_CHUNKED + b"0\r\n", b"X-Odd: z\r\n"),
    "blocks of nothing that drip": lambda _: Drip(
        _OK.encode() + b"Content-Encoding: gzip\r\n\r\n" + _NOTHING, b"\0\0\0\xff\xff"
    ),
    "1.6 GB of blanks in 1.6 MB": lambda _: _bomb(100),
    "0.8 GB of blanks, packed twice": lambda _: _bomb(50, 2),
    "0.8 GB of blanks, packed three times": lambda _: _bomb(50, 3),
}
"""What takes time or memory for ever, unless somebody counts."""
BODIES: dict[str, bytes] = {
    "an empty body": b"",
    "a page of HTML": b"<html><h1>Maintenance</h1></html>",
    "XML": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
    "half a JSON": b'{"id": "3c90',
    "no UTF-8": b'{"id": "\xff\xfe", "status": "\xe9"}',
    "UTF-16": json.dumps({"message": KEY}).encode("utf-16"),
    "a number": b"42",
    "a text": b'"rendering"',
    "a list": b"[[], {}, null]",
    "null": b"null",
    "5,000 levels": b"[" * 5000 + b"]" * 5000,
    "5,000 digits": b"9" * 5000,
    "no id": b'{"status": "rendering"}',
    "no status": b'{"id": "3c90c3cc-0d44-4b50-8888-8dd25736052a"}',
    "a status that is a list": b'{"id": "3c90c3cc-0d44-4b50-8888-8dd25736052a", "status": ["completed"]}',
    "an error that says 200": in_json({"error": {"message": f"{KEY}\0"}}),
}
PASSING: dict[str, Answer] = (
    FRAMING
    | ENDLESS
    | {name: raw(reply(body)) for name, body in BODIES.items()}
    | {f"500, its message: {name}": refusal(500, text) for name, text in TEXTS.items()}
    | {
        f"429, Retry-After: {text[:12]}": refusal(429, "slow down", f"Retry-After: {text}")
        for text in ("nan", "-1", "soon", "9" * 400, "0", "Wed, 21 Oct 99999 07:28:00 GMT")
    }
    | {f"status: {name}": job(text) for name, text in TEXTS.items()}
    | {
        f"{field}: {name}": job(**{field: value})
        for field in ("previewUrl", "analysis", "requestedConfig", "normalizedSeconds")
        for name, value in VALUES.items()
    }
)
"""After each of these the job may still be rendering."""
ENDING: dict[str, Answer] = (
    {f"failed: {name}": job("failed", failedReason={"name": value, "type": "x"}) for name, value in TEXTS.items()}
    | {f"401, its message: {name}": refusal(401, TEXTS[name]) for name in WORST}
    | {f"404, its message: {name}": refusal(404, {"detail": [TEXTS[name]]}) for name in WORST}
)
"""With each of these a wait ends, and says why: in an event, a log and an error."""
LATE: dict[str, Answer] = {f"until the deadline, status: {name}": job(TEXTS[name]) for name in WORST}
"""What is in the event when the deadline passes."""
FOUND: dict[str, Answer] = {
    f"validated, its analysis: {name}": job("validated", analysis={"missingFiles": [value], "warnings": [value]})
    for name, value in VALUES.items()
}
"""What a task returns."""
ASIDE: dict[str, bytes] = {
    f"{place}: {name}": in_json(made)
    for name, value in VALUES.items()
    for place, made in (
        ("progress", [{"jobId": value, "framesDone": value, "percent": value}]),
        ("a list of jobs", {"jobs": [{"id": value, "status": value}], "pagination": {"page": value}}),
    )
}
"""Answers to what is asked beside the jobs: nobody's wait depends on them."""
