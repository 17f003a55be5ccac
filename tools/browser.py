"""A real browser, and people who have logged in to Airflow with it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HOW_TO_GET_ONE = (
    f"There is no browser here. Install one ({' or '.join(BROWSERS[::2])}; on Debian: apt-get install chromium), "
    "or name its executable in RENDERJUICE_BROWSER."
)


def find_browser() -> str | None:
    """The executable of a browser, or None."""
    named = os.environ.get("RENDERJUICE_BROWSER", "")
    return named or next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a window.

    Raises:
        RuntimeError: there is none.
    """
    from playwright.sync_api import sync_playwright

    executable = find_browser()
    if not executable:
        raise RuntimeError(HOW_TO_GET_ONE)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        try:
            yield found
        finally:
            found.close()


def log_in(browser: Browser, url: str, user: str, password: str, **options: Any) -> BrowserContext:
    """What somebody has who has logged in: cookies, and options such as `viewport`."""
    context = browser.new_context(base_url=url, **options)
    page = context.new_page()
    page.goto(url)
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Home").first.wait_for()
    page.close()
    return context
