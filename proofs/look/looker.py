"""Somebody who looks at pages of a web UI, notes what is wrong with them, and keeps pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Response, ViewportSize

SIZE: ViewportSize = {"width": 1440, "height": 900}
_PATIENCE_MS = 15_000
_SETTLING_MS = 1_500
_MOST_CLICKS = 2
_ERRORS = "[data-scope=toast][data-type=error], [role=alert]"


class Looker:
    """Takes pictures of a page, and checks it.

    Args:
        page: of a browser.
        folder: for the pictures, and for `asked.txt`: every address that the pages asked for.
        log: gets a line for each picture.

    Attributes:
        problems: what is wrong, picture by picture.
        taken: how many pictures there are.
        clicks: how often something was clicked since this was set to 0.
    """

    def __init__(self, page: Page, folder: Path, log: Callable[[str], None]) -> None:
        self.page = page
        self.problems: list[str] = []
        self.taken = self.clicks = 0
        self._folder = folder
        self._log = log
        self._refused: list[str] = []
        self._asked: set[str] = set()
        folder.mkdir(parents=True)
        page.on("response", self._note)
        page.on("pageerror", lambda error: self._refused.append(f"a script failed: {error}"))

    def _note(self, response: Response) -> None:
        address = urlsplit(response.url)
        if address.path.startswith(("/ui/", "/api/")):
            self._asked.add(re.sub(r"manual__[^/]+", "{run}", address.path))
            (self._folder / "asked.txt").write_text("\n".join(sorted(self._asked)) + "\n")
        if response.status >= 400:
            self._refused.append(f"{response.status} from {address.path}")

    def visit(self, path: str) -> None:
        """Open a page of the web UI."""
        self.page.goto(path)

    def click(self, what: Locator) -> None:
        """Click, and count it."""
        what.click()
        self.clicks += 1

    def at_most_two_clicks(self, way: str) -> None:
        """Say how many there were; more are a problem."""
        self._log(f"{way}: {self.clicks} clicks")
        if self.clicks > _MOST_CLICKS:
            self.problems.append(f"{way}: {self.clicks} clicks")

    def open_groups(self) -> None:
        """Open all task groups, where there are any."""
        self._settle()
        button = self.page.get_by_role("button", name="Expand all task groups")
        if button.count() and button.is_enabled():
            button.click()

    def take(self, name: str, *words: str, dialog: bool = False, page: bool = False) -> None:
        """A picture of the page, which has to show these words.

        Args:
            name: of the picture.
            words: each has to be somewhere on the page.
            dialog: whether it is about a dialog, of which all is to be seen, also what is scrolled
                out of sight.
            page: whether all of the page is to be seen, also what is scrolled out of sight.
        """
        self._settle()
        problems: list[str] = []
        for word in words:
            patience = _PATIENCE_MS if not problems else _SETTLING_MS  # the rest has had the same time to come
            problems += [] if self._shows(word, patience) else [f"does not show {word!r}"]
        if dialog:
            self._make_room(self.page.get_by_role("dialog").last)
        self.page.screenshot(path=self._folder / f"{name}.png", full_page=page)
        if dialog:
            self.page.set_viewport_size(SIZE)
        if len(self.page.locator("body").inner_text().strip()) < 50:
            problems.append("is blank")
        problems += [f"shows an error: {text}" for text in self.page.locator(_ERRORS).all_inner_texts() if text.strip()]
        problems += sorted(set(self._refused))
        self._refused.clear()
        self.taken += 1
        self.problems += [f"{name}: {problem}" for problem in problems]
        self._log(f"{name}.png" + "".join(f"\n            {problem}" for problem in problems))

    def _shows(self, word: str, patience_ms: float) -> bool:
        from playwright.sync_api import TimeoutError as NotInTime

        try:
            self.page.get_by_text(word).first.wait_for(state="attached", timeout=patience_ms)
        except NotInTime:
            return False
        return True

    def _settle(self) -> None:
        """Until pictures move no more.

        A page of what runs asks for news for ever, so its silence cannot be waited for.
        """
        self.page.wait_for_load_state()
        self.page.wait_for_timeout(_SETTLING_MS)

    def _make_room(self, box: Locator) -> None:
        height = int(box.evaluate("element => element.scrollHeight"))
        self.page.set_viewport_size(SIZE | {"height": max(SIZE["height"], height + 150)})
        self.page.wait_for_timeout(_SETTLING_MS)
