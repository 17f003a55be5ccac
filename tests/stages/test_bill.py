"""The bill of a night, and the alerts of its ceiling."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from stages import bill
from stages.morning_figures import quote_text
from stages.summary import report, short, short_of_shot

NIGHT = "2026-11-23"


class Price(NamedTuple):
    per_hour: float
    currency: str


QUOTE = {"likely": 100.0, "least": 80.0, "most": 120.0, "source": "history"}
JUICE = {
    "shot": "cit_010_juice",
    "state": "delivered",
    "frames": 24,
    "settings": "final",
    "spent": {"a": 60.0, "b": 30.0, "c": 5.0},
    "jobs": {
        "a": {"layer": "base", "frames": 24, "again": 0},
        "b": {"layer": "over", "frames": 24, "again": 6},
    },
    "render_seconds": 95.0,
    "quote": QUOTE,
    "share": 120.0,
    "ceiling": 400.0,
}
ICE = {
    "shot": "cit_030_ice",
    "state": "failed",
    "spent": {"d": None, "e": 7.0},
    "jobs": {job: {"layer": "base", "frames": 12, "again": 0} for job in "de"},
}
HELD = {
    "shot": "=HYPERLINK(1)",
    "sequence": "@x",
    "state": "held",
    "reason": "no share",
    "quote": QUOTE,
    "ceiling": 400.0,
}
ENTRIES: dict[str, dict[str, Any]] = {str(entry["shot"]): entry for entry in (JUICE, ICE, HELD)}


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


def test_what_was_ordered_again_is_on_the_bill_with_its_part_of_the_cost(tmp_path: Path) -> None:
    rows = lines(tmp_path)

    job = of(rows, level="job", job="b")
    assert (job["frames_ordered"], job["frames_again"], job["seconds_again"]) == ("24", "6", "7.5")
    assert of(rows, level="sequence", sequence="cit")["seconds_again"] == "7.5"
    assert bill.line(JUICE).startswith(
        "95 s (base 60 s, over 30 s), 7.5 s of it for frames ordered again, quoted 100 s"
    )
    assert "7.5 s of it for frames ordered again" in short_of_shot(JUICE)


def test_the_summary_has_the_bill_in_short_and_nothing_of_shots_that_cost_nothing() -> None:
    text = bill.as_text([*ENTRIES.values(), {"shot": "cit_020_old", "state": "skipped"}])

    assert "- **cit**: 102 s + 1 job unknown\n  - **cit_010_juice**: 95 s" in text
    assert "cit_020_old" not in text
    assert bill.as_text([{"shot": "cit_020_old", "state": "skipped"}]) == ""


def test_what_is_not_known_is_an_empty_cell_and_never_nothing(tmp_path: Path) -> None:
    rows = lines(tmp_path)

    assert of(rows, level="job", job="d")["seconds"] == ""
    assert (of(rows, level="shot", shot="cit_030_ice")["jobs_of_unknown_cost"]) == "1"


def test_money_goes_by_the_rate_of_the_connection(tmp_path: Path) -> None:
    assert of(lines(tmp_path, Price(3.6, "EUR")), level="night")["amount_EUR"] == "0.102"


@pytest.mark.parametrize(
    "name",
    [
        "=A1",
        "+1",
        "-1+1",
        "@x",
        "\t=A1",
        " =A1",
        "a\n=A1",
        "a;=A1",
        'a,"=A1',
        "a\t@x",
        "\uff1dA1",
        "a|-1",
        "\r+1",
        '"=1',
    ],
)
def test_a_name_is_no_formula_whatever_separates_the_cells(tmp_path: Path, name: str) -> None:
    entry = {"shot": name, "sequence": name, "state": "held", "spent": {name: 1.0}}
    entry |= {"jobs": {name: {"layer": name, "frames": 0, "again": 0}}}
    text = Path(bill.write(str(tmp_path), NIGHT, {name: entry}, None)).read_text()

    for separator in ",;\t|":
        cells = [cell for line in csv.reader(io.StringIO(text), delimiter=separator) for cell in line]
        assert not [cell for cell in cells if cell.strip(' \t\r\n"').startswith(tuple("=+-@\uff1d"))]


def test_a_quote_stands_beside_what_it_came_to() -> None:
    assert quote_text(JUICE) == "quoted 100 s (80 to 120), share 120 s"
    assert "quoted 100 s (80 to 120), share 120 s, 95 s" in short_of_shot(JUICE)
    found = report(NIGHT, [JUICE | {"movie": "m"}, HELD])
    assert short(found) == "1 delivered, 0 skipped, 0 rejected, 1 held, 0 failed; 95 render seconds of a ceiling of 400"
