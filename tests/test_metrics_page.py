"""Every figure has its line on the page, and the dashboard asks for none that is not counted."""

from __future__ import annotations

import json
import re

import pytest

from renderjuice_provider import _metrics
from tests.support.pages import ROOT

PAGE = (ROOT / "docs" / "metrics.md").read_text()
DASHBOARD = json.loads((ROOT / "docs" / "grafana" / "renderjuice.json").read_text())
COUNTED = sorted(
    value for value in vars(_metrics).values() if isinstance(value, str) and value.startswith("renderjuice.")
)
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_figures_are_found() -> None:
    assert len(COUNTED) == 10
    assert len(EXPRESSIONS) > len(DASHBOARD["panels"]) > 8


def test_the_page_lists_what_is_counted_and_nothing_else() -> None:
    listed = re.findall(r"^\| `(renderjuice\.[\w.]+)` \|", PAGE, re.MULTILINE)
    assert sorted(listed) == COUNTED


@pytest.mark.parametrize("name", COUNTED)
def test_the_dashboard_shows_every_figure(name: str) -> None:
    assert any(f"airflow_{name.replace('.', '_')}" in expression for expression in EXPRESSIONS)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_dashboard_asks_for_figures_that_there_are(expression: str) -> None:
    known = {f"airflow_{name.replace('.', '_')}" for name in COUNTED}
    ends = "|".join(("_total", "_milliseconds", "_sum", "_count"))
    asked = [re.sub(rf"({ends})+$", "", name) for name in re.findall(r"airflow_renderjuice_\w+", expression)]
    assert asked
    assert set(asked) <= known
    assert expression.count("(") == expression.count(")")


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
