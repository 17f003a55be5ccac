"""What one task has left must not take the night from everybody."""

from __future__ import annotations

import pytest

from renderjuice_provider import xcom_keys
from renderjuice_provider.wall._left import plain, with_xcoms
from tests.wall.facts import task

DEEP = "[" * 200_000


@pytest.mark.parametrize("key", [xcom_keys.CONFIG, xcom_keys.REASON, xcom_keys.JOB_ID])
def test_a_text_of_brackets_is_a_text(key: str) -> None:
    found = with_xcoms(task("render"), {key: plain(DEEP)}, [])
    assert (found.config, found.left) == ({}, None)
