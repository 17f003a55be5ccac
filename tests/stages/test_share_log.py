"""The log of a night's shares: any process may write the next file, and one does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from stages import share_log, shares
from stages.quotes import Quote, by_history, by_probe, probe_frames
from stages.records import RecordError

AT_ONCE = 8


def ask(folder: str, shot: str) -> None:
    quote = Quote(likely=20, least=10, most=30, source="history", nights=1)
    share_log.change(folder, lambda night: shares.joined(night, shot, 50, shot))
    share_log.change(folder, lambda night: shares.quoted(night, shot, shot, {"base": quote}))


def test_of_shots_that_ask_at_once_as_many_get_a_share_as_fit(tmp_path: Path) -> None:
    folder, names = str(tmp_path), [f"s{number}" for number in range(AT_ONCE)]
    share_log.begin(folder, shares.begin(100, [(name, 50) for name in names]))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda name: ask(folder, name), names))
    for file in sorted(tmp_path.glob("*.json")):
        assert shares.Shares.model_validate_json(file.read_text()).handed_out <= 100
    night = share_log.read(folder)
    assert [shot.state for shot in night.shots.values()].count("given") == 3


def test_a_night_begins_once_and_a_change_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    assert share_log.read(str(tmp_path / "none")) is None
    share_log.begin(str(tmp_path), shares.begin(100, [("a", 50)]))
    assert share_log.begin(str(tmp_path), shares.begin(900, [])).ceiling == 100
    share_log.change(str(tmp_path), lambda night: night)
    assert [file.name for file in tmp_path.glob("*.json")] == ["000001.json"]


def test_a_log_that_is_cut_short_hands_nothing_out(tmp_path: Path) -> None:
    share_log.begin(str(tmp_path), shares.begin(100, [("a", 50)]))
    (tmp_path / "000002.json").write_text('{"ceiling": 100')
    with pytest.raises(RecordError, match="cut short"):
        ask(str(tmp_path), "a")


def test_quotes_are_by_frame_with_a_range() -> None:
    assert by_history([], 10) is None
    history = by_history([1.0, 2.0, 3.0], 10)
    assert history
    assert (history.likely, history.nights) == (20, 3)
    assert history.least < 10 < 30 < history.most
    assert by_probe(6.0, 3, 10).likely == 20
    assert probe_frames(range(1, 101)) == [1, 51, 100]
    assert probe_frames([7]) == [7]
