"""`make look` on a machine without a browser."""

from __future__ import annotations

import pytest

from proofs.look import __main__ as look
from proofs.look.looker import Looker
from tools.browser import find_browser


class Nothing:
    """A page of which nothing is asked here."""

    def on(self, *_):
        pass

    def click(self):
        pass


@pytest.fixture
def looker(tmp_path):
    return Looker(Nothing(), tmp_path / "look", lambda text: None)


def test_without_a_browser_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("RENDERJUICE_BROWSER", raising=False)
    with pytest.raises(SystemExit, match=r"no browser here. Install one .*chromium.* or name .* RENDERJUICE_BROWSER"):
        look.main()


def test_the_browser_that_is_named_goes_first(monkeypatch, tmp_path):
    (tmp_path / "chromium").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("RENDERJUICE_BROWSER", raising=False)
    assert find_browser() == str(tmp_path / "chromium")
    monkeypatch.setenv("RENDERJUICE_BROWSER", "/opt/chrome/chrome")
    assert find_browser() == "/opt/chrome/chrome"


@pytest.mark.parametrize(("clicks", "problems"), [(2, 0), (3, 1)])
def test_a_reason_three_clicks_away_is_a_problem(clicks, problems, looker):
    for _ in range(clicks):
        looker.click(looker.page)
    looker.at_most_two_clicks("from here to there")
    assert len(looker.problems) == problems
