"""The bill of a night, and the alerts of its ceiling."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from stages import bill, ceiling_alerts, share_log, shares
from stages.bill import Price
from stages.morning_figures import quote_text
from stages.summary import report, short, short_of_shot

NIGHT = "2026-11-23"
QUOTE = {"likely": 100.0, "least": 80.0, "most": 120.0, "source": "history"}
JUICE = {
    "shot": "cit_010_juice",
    "state": "delivered",
    "frames": 24,
    "settings": "final",
    "spent": {"a": 60.0, "b": 30.0, "c": 5.0},
    "by_layer": {"base": {"a": 60.0}, "over": {"b": 30.0}},
    "render_seconds": 95.0,
    "quote": QUOTE,
    "share": 120.0,
    "ceiling": 400.0,
}
ICE = {
    "shot": "cit_030_ice",
    "state": "failed",
    "spent": {"d": None, "e": 7.0},
    "by_layer": {"base": {"d": None, "e": 7.0}},
}
HELD = {
    "shot": "=HYPERLINK(1)",
    "sequence": "@x",
    "state": "held",
    "reason": "no share",
    "quote": QUOTE,
    "ceiling": 400.0,
}
ENTRIES = {entry["shot"]: entry for entry in (JUICE, ICE, HELD)}


def lines(tmp_path: Path, price: Price | None = None) -> list[dict[str, str]]:
    with Path(bill.write(str(tmp_path), NIGHT, ENTRIES, price)).open(newline="") as file:
        return list(csv.DictReader(file))


def of(rows: list[dict[str, str]], **wanted: str) -> dict[str, str]:
    (found,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return found


def test_each_level_of_the_bill_is_the_sum_of_the_one_before(tmp_path: Path) -> None:
    rows = lines(tmp_path)

    assert of(rows, level="layer", shot="cit_010_juice", layer="base")["seconds"] == "60.0"
    assert of(rows, level="job", job="c")["layer"] == "", "of an earlier run"
    shot = of(rows, level="shot", shot="cit_010_juice")
    assert (shot["seconds"], shot["quote"], shot["share"]) == ("95.0", "100.0", "120.0")
    assert of(rows, level="sequence", sequence="cit")["seconds"] == "102.0"
    night = of(rows, level="night")
    assert (night["seconds"], night["jobs_of_unknown_cost"], night["ceiling"]) == ("102.0", "1", "400.0")


def test_what_is_not_known_is_an_empty_cell_and_never_nothing(tmp_path: Path) -> None:
    rows = lines(tmp_path)

    assert of(rows, level="job", job="d")["seconds"] == ""
    assert (of(rows, level="shot", shot="cit_030_ice")["jobs_of_unknown_cost"]) == "1"


def test_money_goes_by_the_rate_of_the_connection(tmp_path: Path) -> None:
    assert of(lines(tmp_path, Price(3.6, "EUR")), level="night")["amount_EUR"] == "0.102"


def test_a_name_is_no_formula(tmp_path: Path) -> None:
    text = Path(bill.write(str(tmp_path), NIGHT, ENTRIES, None)).read_text()

    assert "'=HYPERLINK(1)" in text
    assert ",=" not in text
    assert ",@" not in text


def test_a_quote_stands_beside_what_it_came_to() -> None:
    assert quote_text(JUICE) == "quoted 100 s (80 to 120), share 120 s"
    assert "quoted 100 s (80 to 120), share 120 s, 95 s" in short_of_shot(JUICE)
    found = report(NIGHT, [JUICE | {"movie": "m"}, HELD])
    assert short(found) == "1 delivered, 0 skipped, 0 rejected, 1 held, 0 failed; 95 render seconds of a ceiling of 400"


@pytest.mark.parametrize(("spent", "percents"), [(40.0, []), (55.0, [50]), (95.0, [50, 75, 90])])
def test_an_alert_comes_once_for_each_part_of_the_ceiling(tmp_path: Path, spent: float, percents: list[int]) -> None:
    folder = share_log.folder_of(str(tmp_path), NIGHT)
    night = shares.settled(shares.joined(shares.begin(100, [("a", 50)]), "a", 50, "run"), "a", "run", spent)
    share_log.begin(folder, night)

    sent = ceiling_alerts.alert(folder, night, {})

    texts = [f"has spent {percent} % of its ceiling: {spent:.0f} of 100 s" for percent in percents]
    assert len(sent) == len(texts)
    assert all(text in message for text, message in zip(texts, sent, strict=True))
    assert ceiling_alerts.alert(folder, night, {}) == [], "another process of the same night"
