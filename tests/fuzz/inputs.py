"""Odd values, and valid ones that were changed a little: most mistakes are nearly right."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

JOB_ID = "0f2a6a3e-6a54-4be2-9d2b-3f4f5a6b7c8d"
KEY = "RJ-key-that-nobody-may-see"
SIGNATURE = "X-Sig=signature-that-nobody-may-see"
LONG = 50_000
"""Characters of the longest texts."""

PIECES = [
    *("", " ", "\0", "\ud800", "\udce9", "\x1b[31m", "\u202e", "\r\n", "é", "ß", "İ", "ﬀ", "\u0663", "²", "/", "\\"),
    *("..", "../", ".", "-", "~", "CON", "%2e%2e%2f", "%00", ":", "://", "http://[", "https://", "https://store.test/"),
    *(
        "http://127.0.0.1:1/",
        "//",
        "@",
        "?",
        "#",
        "[",
        "]",
        "{",
        "}",
        "{{",
        "{%",
        "{{ 7*7 }}",
        "${X}",
        "'",
        '"',
        "`id`",
    ),
    *(
        "0",
        "1",
        "-1",
        "7",
        "0010",
        "1-10",
        "1-10:2",
        "10-1",
        "1-99999999",
        "-5--1",
        "1,2",
        "1e5",
        "1e999",
        "0x10",
        "1_0",
    ),
    *("nan", "inf", "None", "null", "true", "False", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2026-11-23"),
    *(
        "created",
        "rendering",
        "validated",
        "completed",
        "failed",
        "canceled",
        "suspended",
        "left",
        "right",
        "_L",
        "v003",
    ),
    *(".blend", ".zip", ".png", ".exr", ".mp4", "0001.png", "sh010_v2.0014.exr", "frames", "composites", "a" * 300),
    *(
        KEY,
        f"https://store.test/a.png?{SIGNATURE}",
        f"https:/store.test/a?{SIGNATURE}",
        f"s3://u:{KEY}@bucket/x",
        JOB_ID,
    ),
    *(
        "&a",
        "*a",
        "<<",
        "!!python/object",
        "- ",
        ": ",
        "\t",
        "|",
        ">",
        "---",
        "%YAML",
        "ok",
        "429 retry-after=",
        "stall ",
    ),
]
NUMBERS = [
    *(0, 1, -1, 2, 24, 255, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**30, 10**400, -(10**400)),
    *(0.0, -0.0, 0.5, 1.5, 23.976, 1e-9, 5e-324, 1e16, 1e300, float("nan"), float("inf"), float("-inf")),
]
NAMES = """
    id status data jobs pagination page totalPages slug uploadUrl expiresAt frames compositeNodes transforms
    frameOutputs compositeNodeOutputs url fileName view relativePath compositeNodeName output
    isDeletedForClient failedReason name type message error errors detail normalizedSeconds createdAt jobId
    job_id framesTotal framesCompleted percentage analysis requestedConfig finalConfig frameStart frameEnd
    frameStep views compositorOutputs cameras missingFiles resolution samples fps engine filmTransparent
    resolutionPercentage frameRanges colorManagementPreset outputSettings sampleCount notes event model_config
    __class__ is_over version ending started deadline
"""


class Chance(random.Random):
    """Where all inputs come from: the same number, the same input."""

    def text(self) -> str:
        """A text of a few odd pieces, now and then a long one."""
        if self.random() < 0.01:
            piece = self.choice(PIECES) or "x"
            return (piece * (self.randint(500, LONG) // len(piece) + 1))[:LONG]
        return "".join(self.choice(PIECES) for _ in range(self.choice((1, 1, 1, 2, 3, 5))))

    def scalar(self) -> Any:
        return self.choice((None, True, False, self.number, self.number, self.text, self.text, self.text))

    def number(self) -> Any:
        return self.choice(NUMBERS) if self.random() < 0.6 else self.randint(-1000, 100_000)

    def value(self, depth: int = 3) -> Any:
        """Anything that JSON can say."""
        kind = self.random()
        if depth == 0 or kind < 0.5:
            found = self.scalar()
            return found() if callable(found) else found
        if kind < 0.52:
            return self.nested()
        if kind < 0.75:
            return [self.value(depth - 1) for _ in range(self.randint(0, 4))]
        return {self.name(): self.value(depth - 1) for _ in range(self.randint(0, 5))}

    def name(self) -> str:
        return self.choice(NAMES.split()) if self.random() < 0.8 else self.text()

    def nested(self) -> Any:
        """Deeper than anybody means."""
        inner = self.value(0)
        for _ in range(self.choice((40, 200, 900))):
            inner = [inner] if self.random() < 0.5 else {"a": inner}
        return inner

    def anything(self) -> Any:
        """Also what is not JSON."""
        if self.random() < 0.7:
            return self.value()
        return self.choice(
            (
                b"\xff",
                (),
                set(),
                object(),
                int,
                datetime(2026, 1, 1, tzinfo=UTC),
                1j,
                range(3),
                (1, "2"),
                {1: 2},
                {None: 1},
            )
        )

    def changed(self, value: Any) -> Any:
        """`value` with one to three places replaced, taken out, or added to."""
        for _ in range(self.choice((1, 1, 1, 2, 3))):
            value = self._change(value)
        return value

    def _change(self, value: Any) -> Any:
        if isinstance(value, dict) and value and self.random() < 0.95:
            name = self.choice(list(value))
            rest = {key: item for key, item in value.items() if key != name}
            way = self.random()
            if way < 0.12:
                return rest
            if way < 0.2:
                return value | {self.name(): self.value(2)}
            return value | {name: self._change(value[name])}
        if isinstance(value, list) and value and self.random() < 0.9:
            index = self.randrange(len(value))
            way = self.random()
            if way < 0.15:
                return value[:index] + value[index + 1 :]
            if way < 0.25:
                return value * self.choice((2, 3, 50))
            return [*value[:index], self._change(value[index]), *value[index + 1 :]]
        if isinstance(value, str) and self.random() < 0.4:
            return self.changed_text(value)
        return self.value(2)

    def changed_text(self, text: str) -> str:
        """`text` with pieces put in, taken out or doubled."""
        for _ in range(self.choice((1, 1, 2, 4))):
            start = self.randint(0, len(text))
            end = min(len(text), start + self.choice((0, 0, 1, 3, 20)))
            way = self.random()
            middle = self.text() if way < 0.6 else "" if way < 0.8 else text[start:end] * self.choice((2, 3, 200))
            text = text[:start] + middle + text[end:]
        return text

    def changed_bytes(self, data: bytes) -> bytes:
        """`data` as a bad disk, a broken transfer or an ill will leaves it."""
        for _ in range(self.choice((1, 1, 2, 4))):
            data = self._change_bytes(data)
        return data

    def _change_bytes(self, data: bytes) -> bytes:
        start, width = self.randint(0, len(data)), self.choice((1, 2, 4, 8))
        before, after = data[:start], data[start + width :]
        way = self.randrange(6)
        if way == 0:
            return before
        if way == 1:
            return before + self.randbytes(width) + after
        if way == 2:
            return before + self.choice((b"\0", b"\xff", b"\x7f")) * width + after
        if way == 3:
            return before + self.randbytes(width) + data[start:]
        return before + (after if way == 4 else data[max(0, start - 40) :])

    def body(self, *likely: Any) -> bytes:
        """Of an answer: one of `likely`, changed; or anything."""
        way = self.random()
        if way < 0.1:
            return self.choice(
                (b"", b"null", b"[" * 5000, b'{"a":' * 900 + b"1" + b"}" * 900, b"9" * 5000, b"\xff\xfe{")
            )
        if way < 0.2:
            return self.randbytes(self.randint(0, 40))
        value = self.value() if way < 0.4 else self.changed(self.choice(likely))
        data = json.dumps(value, ensure_ascii=self.random() < 0.9).encode(errors="surrogatepass")
        return self.changed_bytes(data) if way > 0.9 else data
