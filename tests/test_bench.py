"""What `make bench` writes: its table, its plots, and the requests that nobody may accept."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET

import pytest

from benchmarks.plots import chart
from benchmarks.sender import FORGERIES, ODDITIES, event, signed
from benchmarks.table import Row, at_least, at_most, head, markdown, percentile, ratio_of, under
from benchmarks.wall_page import groups
from renderjuice_provider.api.errors import RenderjuiceResponseError, RenderjuiceWebhookError
from renderjuice_provider.api.webhooks import read_webhook

SECRET = "whsec-of-this-test"


def test_a_goal_is_met_or_the_table_says_so() -> None:
    rows = [at_most("a", 12, 12), at_most("b", 12.1, 12), under("c", 50, 50, " ms"), at_least("d", 0.95, 0.95)]
    assert [row.met for row in rows] == [True, False, False, True]
    lines = markdown([*rows, Row("e", "", "7", note="for information")]).splitlines()
    assert lines[3] == "| b | at most 12 | 12.1 | **no** |"
    assert lines[4] == "| c | under 50 ms | 50.0 ms | **no** |"
    assert lines[6:] == ["| e |  | 7 |  |", "", "- e: for information"]


def test_the_machine_the_date_and_the_versions_stand_above_the_table() -> None:
    text = head()
    for word in ("Date: ", " cores", "Python 3.", "apache-airflow 3.", "aiohttp "):
        assert word in text


def test_a_percentile_is_one_of_the_values() -> None:
    assert [percentile(range(1, 101), percent) for percent in (50, 95, 100)] == [50, 95, 100]
    assert percentile([7.0], 95) == 7.0


def test_a_ratio_is_taken_pair_by_pair() -> None:
    assert ratio_of([(1, 2), (10, 10), (30, 10)]) == 1


def test_a_plot_is_an_svg_with_a_point_for_each_value_and_zero_has_a_place() -> None:
    text = chart("Requests & more", "renders", [10, 100, 1000], {"ours": [0, 4, 11], "theirs": [10, 100, 1000]}, 1)
    root = ET.fromstring(text)
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 6
    places = [float(circle.attrib["cy"]) for circle in circles]
    assert places[3] > places[4] > places[5]  # more is higher
    assert all(40 <= place <= 310 for place in places)


def test_what_the_receiver_is_to_refuse_is_refused_and_the_genuine_is_not() -> None:
    body, headers = signed(event(), SECRET)
    assert read_webhook(headers, body, SECRET, time.time()).event == "onRenderComplete"


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_a_forgery(name: str) -> None:
    body, headers = FORGERIES[name](SECRET)
    with pytest.raises(RenderjuiceWebhookError):
        read_webhook(headers, body, SECRET, time.time())


@pytest.mark.parametrize("name", ODDITIES)
def test_an_oddity_is_genuine_and_no_event(name: str) -> None:
    body, headers = ODDITIES[name](SECRET)
    with pytest.raises(RenderjuiceResponseError):
        read_webhook(headers, body, SECRET, time.time())


def test_requests_that_follow_each_other_are_one_refresh() -> None:
    requests = [(5000.0, 5040.0), (0.0, 30.0), (10.0, 90.0), (95.0, 120.0), (5010.0, 5020.0)]
    assert groups(requests) == [(0.0, 120.0), (5000.0, 5040.0)]
    assert groups([]) == []
