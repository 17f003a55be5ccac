"""Amounts that people write: normalized seconds, or money by the studio's rate."""

from __future__ import annotations

import math
import re
from typing import Any, Protocol

_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]{3})?\s*", re.ASCII)
HOUR = 3600.0
"""Seconds."""


class Price(Protocol):
    """What a normalized hour costs."""

    @property
    def per_hour(self) -> float:
        """In the currency."""
        ...

    @property
    def currency(self) -> str:
        """ISO 4217, such as `EUR`."""
        ...


def normalized_seconds(value: Any, what: str, price: Price | None) -> float | None:
    """An amount in normalized seconds; None where there is none.

    Args:
        value: a number, or text such as `36000` or `120 EUR`. None or "" for no amount.
        what: its name, for messages.
        price: of the connection; None where it has none.

    Raises:
        ValueError: for an amount that is not above zero, or money that the connection has no rate
            for. Nothing is spent on a guess.
    """
    if value is None or value == "":
        return None
    found = None if isinstance(value, bool) else _AMOUNT.fullmatch(str(value))
    if found is None:
        raise ValueError(f'`{what}` is {value!r}: write normalized seconds, such as 36000, or money, such as "120 EUR"')
    amount, currency = float(found[1]), (found[2] or "").upper()
    if currency:
        amount = amount / _rate(what, currency, price) * HOUR
    if not (math.isfinite(amount) and amount > 0):
        raise ValueError(f"`{what}` is {value!r}: it has to be above zero; leave it empty for none")
    return amount


def _rate(what: str, currency: str, price: Price | None) -> float:
    if price is None or not price.per_hour:
        raise ValueError(
            f"`{what}` is in {currency}, and the connection has no `rate` and `currency`, or a rate of 0: add both to its extras, "
            "or write normalized seconds"
        )
    if price.currency != currency:
        known = price.currency
        raise ValueError(f"`{what}` is in {currency}, and the rate of the connection in {known}: write it in {known}")
    return price.per_hour
