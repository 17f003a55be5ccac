"""Amounts that people write for a night's ceiling."""

from __future__ import annotations

import json
from typing import Any

import pytest
from stages.asking import amount


@pytest.mark.parametrize(
    "value", [0, -1, "0", "-5", "nan", float("nan"), float("inf"), True, "much", "0 EUR", "12 EURO"]
)
def test_what_is_no_amount_is_refused(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    connection(monkeypatch, rate=2.0, currency="EUR")
    with pytest.raises(ValueError, match="`ceiling` is"):
        amount(value, "ceiling")


def test_money_goes_by_the_rate_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    connection(monkeypatch, rate=2.0, currency="EUR")
    assert amount("120 eur", "ceiling") == 216_000
    assert amount("36000", "ceiling") == 36_000
    assert amount("", "ceiling") is None
    with pytest.raises(ValueError, match="the rate of the connection in EUR"):
        amount("120 USD", "ceiling")


def test_money_without_a_rate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    connection(monkeypatch)
    with pytest.raises(ValueError, match="no `rate` and `currency`"):
        amount("120 EUR", "ceiling")


@pytest.mark.parametrize("extra", [{"rate": "0"}, {"rate": -2}, {"rate": "much"}, {"rate": 2, "currency": "Euro"}])
def test_money_by_a_rate_that_is_malformed_is_refused(monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]) -> None:
    connection(monkeypatch, **{"currency": "EUR"} | extra)
    with pytest.raises(ValueError, match=r"extra '(rate|currency)'|a rate of 0"):
        amount("120 EUR", "ceiling")


def connection(monkeypatch: pytest.MonkeyPatch, **extra: Any) -> None:
    content = {"conn_type": "renderjuice", "password": "key", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_RENDERJUICE_DEFAULT", json.dumps(content))
