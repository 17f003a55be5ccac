"""The render wall in a real browser, as a person uses it."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from playwright.sync_api import Error

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page, Response, ViewportSize

WALL = "plugin/renders"
APP = "[data-renderjuice=wall]"
SIZE: ViewportSize = {"width": 1280, "height": 800}
PATIENCE_MS = 30_000
_QUALITY = 60


class WallPage:
    """One tab of somebody's browser. Notes what goes wrong in it, and all that it got to see.

    Attributes:
        page: Playwright's.
        problems: what is wrong: scripts that failed, answers of the wall with an error.
        seen: addresses that were asked for, and the texts of the wall's answers.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url.rstrip("/")
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.problems: list[str] = []
        self.seen: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(f"a script failed: {error}"))
        self.page.on("dialog", lambda dialog: self.problems.append(f"a dialog: {dialog.message}"))
        self.page.on("response", self._note)

    def _note(self, response: Response) -> None:
        self.seen.append(response.url)
        path = urlsplit(response.url).path
        if "/renderjuice/" not in path:
            return
        if response.status >= 400:
            self.problems.append(f"{response.status} from {path}")
        self.seen.append(str(response.headers))
        if "json" in response.headers.get("content-type", ""):
            with suppress(Error):  # the tab was closed meanwhile
                self.seen.append(response.text())

    def open(self, query: str = "", path: str = WALL) -> WallPage:
        """Open the wall, and return once it shows something."""
        self.page.goto(f"{self.url}/{path}{query}")
        self.app.wait_for()
        return self

    @property
    def app(self) -> Locator:
        """All of the wall, and nothing of Airflow."""
        return self.page.locator(APP)

    @property
    def rows(self) -> Locator:
        """The rows that are shown."""
        return self.app.locator("[data-row]")

    def row(self, name: str) -> Locator:
        """The row of a shot or a scene; before it has a label, it is called after its file."""
        return self.rows.filter(has=self.page.get_by_text(_exactly(name)))

    def state(self, name: str) -> str:
        """The state of a row; empty when there is no such row."""
        row = self.row(name)
        return (row.first.get_attribute("data-state") or "") if row.count() else ""

    def wait_for_state(self, name: str, *states: str) -> None:
        """Wait until a row is in one of these states."""
        any_of = ", ".join(f"[data-state={state}]" for state in states)
        self.row(name).and_(self.app.locator(any_of)).wait_for()

    def frames_done(self, name: str) -> int:
        """What the bar of a row says."""
        bar = self.row(name).get_by_role("progressbar")
        return int(float(bar.get_attribute("aria-valuenow") or 0)) if bar.count() else 0

    def pictures(self) -> int:
        """How many rows have a picture that has come, and can be seen."""
        script = "(images) => images.filter((image) => image.complete && image.naturalWidth > 1).length"
        return int(self.rows.locator("img").evaluate_all(script))

    def expand(self, name: str) -> Locator:
        """Open a row: its panel."""
        self.button_of(name).click()
        panel = self.panel(name)
        panel.wait_for()
        return panel

    def button_of(self, name: str) -> Locator:
        """What opens a row: its name."""
        return self.row(name).get_by_role("button", name=_exactly(name))

    def panel(self, name: str) -> Locator:
        """Of a row that is open."""
        return self.app.get_by_role("region", name=_exactly(name, "Details of "))

    def frames(self, name: str) -> Locator:
        """The pictures on the contact sheet of a row that is open."""
        return self.panel(name).locator("[data-frame] img")

    @property
    def troubles(self) -> str:
        """The sentences on what is wrong with what is shown."""
        return " ".join(self.app.get_by_role("alert").all_inner_texts())

    def chip(self, state: str) -> Locator:
        """The chip that filters by a state."""
        return self.app.get_by_role("button", name=re.compile(rf"^{state}\b", re.IGNORECASE))

    def select(self, *names: str) -> None:
        """Select these rows."""
        for name in names:
            self.row(name).get_by_role("checkbox").check()

    def button(self, action: str) -> Locator:
        """Of an action on the rows that are selected."""
        selection = self.app.get_by_role("group", name="What to do with the selected rows")
        return selection.get_by_role("button", name=action)

    def ask_for(self, action: str) -> Locator:
        """Press the button of an action on what is selected: the question that comes."""
        self.button(action).click()
        question = self.page.get_by_role("dialog")
        question.locator("button[type=submit]:enabled").wait_for()
        return question

    def confirm(self, question: Locator) -> None:
        """Answer a question with yes, and return once it is done."""
        question.locator("button[type=submit]").click()
        question.wait_for(state="hidden")

    def take(self, name: str) -> None:
        """Keep a picture for the documentation, when it is wanted (`make screenshots`)."""
        folder = os.environ.get("RENDERJUICE_PICTURES")
        if folder:
            self.page.wait_for_timeout(500)
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"{name}.jpg", type="jpeg", quality=_QUALITY)


def _exactly(name: str, before: str = "") -> re.Pattern[str]:
    return re.compile(rf"^({before})?{re.escape(name)}(\.blend)?$")
