"""A browser, a studio that works, and the people who look at its wall.

All of it ends with this package: while a browser is open, no event loop can run in this process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.support.wall_page import SIZE, WallPage
from tests.support.wall_studio import Studio, studio
from tools.browser import HOW_TO_GET_ONE, browser, find_browser, log_in


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    if "RENDERJUICE_PICTURES" not in os.environ:
        pytest.skip("`make screenshots` runs these: other tests beside them leave a browser too little time")
    if not find_browser():
        pytest.skip(HOW_TO_GET_ONE)
    with browser() as found:
        yield found


@pytest.fixture(scope="package")
def house(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The studio; nothing is started where there is no browser."""
    with studio(tmp_path_factory.mktemp("studio")) as found:
        yield found


@pytest.fixture(scope="package")
def admin(chromium: Browser, house: Studio) -> Iterator[BrowserContext]:
    """What the browser of somebody with all rights holds."""
    context = log_in(chromium, house.airflow.url, "admin", house.airflow.password, viewport=SIZE)
    yield context
    context.close()


@pytest.fixture(scope="package")
def viewer(chromium: Browser, house: Studio) -> Iterator[BrowserContext]:
    """What the browser of somebody holds who may see everything, and change nothing."""
    context = log_in(chromium, house.airflow.url, "viewer", house.password("viewer"), viewport=SIZE)
    yield context
    context.close()


@contextmanager
def watched(context: BrowserContext, house: Studio) -> Iterator[WallPage]:
    """A tab in which nothing may go wrong, and that may see no secret."""
    found = WallPage(context, house.airflow.url)
    try:
        yield found
        assert found.problems == []
        text = "\n".join([*found.seen, found.page.content()])
        for secret in (house.farm.api_key, "RJ-no-key", house.farm.storage_url, "signature=", "token="):
            assert secret not in text
    finally:
        found.page.close()


@pytest.fixture
def wall(admin: BrowserContext, house: Studio) -> Iterator[WallPage]:
    """The wall of somebody with all rights; not opened yet."""
    with watched(admin, house) as found:
        yield found


@pytest.fixture
def wall_of_viewer(viewer: BrowserContext, house: Studio) -> Iterator[WallPage]:
    with watched(viewer, house) as found:
        yield found


@pytest.fixture
def wall_of(house: Studio) -> Callable[[BrowserContext], WallPage]:
    """One more tab, of any browser; what goes wrong in it is not judged."""
    return lambda context: WallPage(context, house.airflow.url)
