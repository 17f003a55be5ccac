"""A little of `make fuzz`, always the same; and that it would notice."""

from __future__ import annotations

import pytest

from renderjuice_provider.api.errors import RenderjuiceInputError
from tests.fuzz.holds import is_secret_free, is_stored
from tests.fuzz.inputs import KEY, SIGNATURE, Chance
from tests.fuzz.measure import Target, fuzz
from tests.fuzz.targets import TARGETS

INPUTS = 200
"""For each share of a target: some seconds in all."""


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_wrong_input_gets_our_error_in_time_and_in_little_memory(target):
    report = fuzz(target, round(INPUTS * target.share))
    assert report.findings == []
    assert report.inputs > report.refused, "none of them was right, so none was nearly right"


def raising(error):
    def run(_):
        raise error

    return run


def ours(_):
    raise ValueError("a sentence")


@pytest.mark.parametrize(
    ("run", "words", "found"),
    [
        (raising(OSError("no")), True, "OSError"),
        (raising(RecursionError()), True, "RecursionError"),
        (lambda chance: "\ud800".encode(), True, "UnicodeEncodeError"),
        (lambda chance: int("x"), True, "ValueError"),
        (ours, False, "ValueError"),
        (lambda chance: is_secret_free(f"x https://store.test/a?{SIGNATURE}"), True, "a signature"),
        (lambda chance: is_secret_free(KEY), True, "the key"),
        (lambda chance: is_stored({"a": "\0"}), True, "a NUL"),
        (lambda chance: is_stored(float("nan")), False, "ValueError"),
        (lambda chance: sum(range(3 * 10**7)), True, "took"),
        (lambda chance: bytearray(b"x") * (300 << 20), True, "MiB"),
    ],
)
def test_a_foreign_error_a_secret_a_long_time_and_much_memory_are_noticed(run, words, found, monkeypatch):
    monkeypatch.setattr("tests.fuzz.measure.SECONDS", 0.2)
    (finding,) = fuzz(Target("that", run, words=words), 3, most=1).findings
    assert found in finding


@pytest.mark.parametrize(("run", "words"), [(raising(RenderjuiceInputError("no")), False), (ours, True)])
def test_our_own_errors_are_none(run, words):
    report = fuzz(Target("this", run, words=words), 3)
    assert (report.findings, report.refused) == ([], 3)


def test_the_same_number_makes_the_same_input():
    assert Chance("x 0 7").value() == Chance("x 0 7").value()
    assert Chance("x 0 7").text() + Chance("x 0 9").text() != Chance("x 0 8").text() * 2
