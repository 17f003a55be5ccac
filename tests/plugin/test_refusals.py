"""A flood of refusals is counted, and fills no log."""

from __future__ import annotations

import re

import pytest

from renderjuice_provider._metrics import ON_SERVERS
from renderjuice_provider.plugin._refusals import MOST_PLACES, QUIET, STATUS, RefusalLog, RefusedError
from tests.support.pages import ROOT


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reasons: list[str] = []
    monkeypatch.setattr(ON_SERVERS, "count", lambda name, tags: reasons.append(f"{name} {tags['reason']}"))
    return reasons


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_there_is_one_line_in_ten_seconds_that_counts_the_others(
    counted: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    log = RefusalLog(clock)
    for _ in range(500):
        log.add(RefusedError("wrong_signature", "It is not signed."), "farm")
    assert lines(caplog) == ["Refused a webhook for the connection 'farm' (wrong_signature): It is not signed."]
    clock.now = QUIET
    log.add(RefusedError("wrong_signature", "It is not signed."), "farm")
    assert lines(caplog)[1].endswith("It is not signed. 499 more like it since the last such line.")
    clock.now = 2 * QUIET
    log.add(RefusedError("wrong_signature", "It is not signed."), "farm")
    assert lines(caplog)[2].endswith("It is not signed.")
    assert counted == ["renderjuice.webhooks.refused wrong_signature"] * 502


@pytest.mark.usefixtures("counted")
def test_each_reason_and_each_connection_has_a_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog(Clock())
    for connection in ("farm", "other"):
        for reason in ("wrong_signature", "not_recent"):
            log.add(RefusedError(reason, "No."), connection)
    assert len(lines(caplog)) == 4


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("reason", ["unknown_connection", "busy", "unavailable", "too_slow"])
def test_made_up_connections_share_one_line(reason: str, caplog: pytest.LogCaptureFixture) -> None:
    log = RefusalLog(Clock())
    for number in range(1000):
        log.add(RefusedError(reason, "No."), f"made up {number}")
    assert len(lines(caplog)) == 1


@pytest.mark.usefixtures("counted")
def test_places_are_not_kept_for_ever() -> None:
    clock = Clock()
    log = RefusalLog(clock)
    for number in range(10 * MOST_PLACES):
        clock.now = number / 10
        for _ in range(2):
            log.add(RefusedError("wrong_signature", "No."), f"fArM {number}")
    assert len(log._quiet_until) <= MOST_PLACES
    assert len(log._unlogged) <= MOST_PLACES


@pytest.mark.usefixtures("counted")
def test_no_id_can_forge_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    RefusalLog(Clock()).add(
        RefusedError("unknown_connection", "No."), "x\n2026 [info] all is well\x1b[31m" + "x" * 5000
    )
    (line,) = lines(caplog)
    assert line.isprintable()
    assert len(line) < 1000


def test_the_page_lists_every_reason_with_its_answer() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", (ROOT / "docs" / "webhooks.md").read_text(), re.MULTILINE)
    assert {reason: int(status) for reason, status in rows} == STATUS


def test_nothing_that_is_refused_is_answered_with_success() -> None:
    assert {status // 100 for status in STATUS.values()} <= {4, 5}
