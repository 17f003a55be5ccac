"""What must hold of every result and every message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from renderjuice_provider.api.redact import storable
from tests.fuzz.inputs import KEY, SIGNATURE

_SIGNED = re.compile(r"(://|[a-z0-9]{2}:/).*[?#]")
"""What stands before a signature in a URL that is whole: broken up with blanks it is none."""


def is_secret_free(text: str) -> None:
    assert KEY not in text, "shows the key"
    for found in re.finditer(re.escape(SIGNATURE), text):
        word = re.split(r"[\s\"'<>]", text[max(0, found.start() - 500) : found.start()])[-1]
        assert not _SIGNED.search(word), "shows a signature"


def is_stored(value: Any) -> None:
    """Every store takes it as it is: PostgreSQL's JSON, UTF-8, strict JSON."""
    text = json.dumps(value, allow_nan=False)
    assert "\\u0000" not in text, "has a NUL"
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()  # no lone surrogates


def is_storable(value: Any) -> None:
    kept = storable(value, KEY)
    is_stored(kept)
    is_secret_free(re.sub(r'\\[nt"]', " ", json.dumps(kept, ensure_ascii=False)))


def is_below(place: PurePosixPath, root: Path = Path("/destination")) -> None:
    assert not place.is_absolute(), "is absolute"
    assert ".." not in place.parts, "goes up"
    assert (root / place).is_relative_to(root), "is outside"
    assert "\0" not in str(place), "has a NUL"
    str(place).encode()
    assert all(len(part.encode()) <= 255 for part in place.parts), "is too long"


@contextmanager
def nothing_outside(folder: Path) -> Iterator[None]:
    """Nothing beside `folder` is there afterwards that was not there before."""
    before = _around(folder)
    yield
    assert _around(folder) == before, "wrote outside"


def _around(folder: Path) -> set[Path]:
    return {path for path in folder.parent.iterdir() if path != folder}


@contextmanager
def secret_free_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        is_secret_free(f"{error} {error.args!r}")
        raise
