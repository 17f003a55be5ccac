"""The alerts of a night's ceiling: at each part of it one message, whichever run settles."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from stages import ceiling_alerts, share_log, shares
from stages.shares import Shares

from tests.support.http_server import Reply, serving

NIGHT = "2026-11-23"


def that_has_spent(seconds: float) -> Shares:
    night = shares.joined(shares.begin(100, [("a", 50)]), "a", 50, "run")
    return shares.settled(night, "a", "run", seconds)


@pytest.mark.parametrize(("spent", "percents"), [(40.0, []), (55.0, [50]), (95.0, [50, 75, 90])])
def test_an_alert_comes_once_for_each_part_of_the_ceiling(tmp_path: Path, spent: float, percents: list[int]) -> None:
    folder = share_log.folder_of(str(tmp_path), NIGHT)
    night = that_has_spent(spent)
    share_log.begin(folder, night)

    sent = ceiling_alerts.alert(folder, night, {})

    texts = [f"has spent {percent} % of its ceiling: {spent:.0f} of 100 s" for percent in percents]
    assert len(sent) == len(texts)
    assert all(text in message for text, message in zip(texts, sent, strict=True))
    assert ceiling_alerts.alert(folder, night, {}) == [], "another process of the same night"


def test_of_many_that_settle_at_once_one_sends_the_alert_to_the_chat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = share_log.folder_of(str(tmp_path), NIGHT)
    night = that_has_spent(80)
    share_log.begin(folder, night)
    with serving(lambda _: Reply(204)) as chat:
        monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps({"conn_type": "http", "host": f"{chat.url}/hook"}))
        monkeypatch.setattr("stages.alerts.NOTIFY", "chat")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: ceiling_alerts.alert(folder, night, {}), range(8)))

    texts = [json.loads(request.body)["text"] for request in chat.requests]
    assert 1 <= len(texts) <= 2, "of both parts, or of the higher one for both"
    assert sum("75 % of its ceiling: 80 of 100 s" in text for text in texts) == 1


def test_a_chat_that_is_not_there_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = share_log.folder_of(str(tmp_path), NIGHT)
    night = that_has_spent(80)
    share_log.begin(folder, night)
    monkeypatch.setattr("stages.alerts.NOTIFY", "nobody")

    assert len(ceiling_alerts.alert(folder, night, {})) == 2
