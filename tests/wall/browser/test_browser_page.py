"""The wall as a page: light and dark, keyboard, address, narrow and wide, good and bad days."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext

from tests.support.until import until
from tests.support.wall_page import APP, SIZE, WallPage
from tests.support.wall_studio import FOR_EVER, WRONG_KEY, Studio
from tools.browser import log_in

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

SERIOUS = {"serious", "critical"}
LOST = "Airflow does not answer"
BRIGHT = 128
IS_INSIDE = "(element) => element.contains(document.activeElement) || document.activeElement === document.body"
"""The focus; the body has it while the browser's own buttons do."""
IS_FOCUSED = "(element) => element === document.activeElement"


@pytest.fixture(scope="module")
def run(house: Studio) -> str:
    """A run of three renders that go on, and one that fails."""
    scenes = [house.scene(f"page_{name}", frame_end=24, seconds_per_frame=FOR_EVER) for name in "abc"]
    scenes.append(house.scene("page_fails", frame_end=24, seconds_per_frame=1, fail_at_frame=3))
    return house.render(*scenes)


@pytest.fixture
def full(run: str, wall: WallPage) -> WallPage:
    """The wall, open, with these four in their states."""
    wall.open()
    wall.wait_for_state("page_a", "rendering")
    wall.wait_for_state("page_fails", "failed")
    return wall


def findings(wall: WallPage) -> list[str]:
    """What axe-core has found in the wall that keeps people from using it."""
    violations = Axe().run(wall.page, context=APP).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:150] for node in one['nodes']]}"
        for one in violations
        if one["impact"] in SERIOUS
    ]


def brightness(wall: WallPage, css: str) -> float:
    """From 0 to 255, of a colour that a part of the wall is computed to have."""
    script = """
    (element, css) => {
      const clear = (colour) => /^rgba\\(.*, 0\\)$|^transparent$/.test(colour);
      let colour = getComputedStyle(element)[css];
      while (css === "backgroundColor" && clear(colour) && (element = element.parentElement)) {
        colour = getComputedStyle(element)[css];
      }
      const canvas = new OffscreenCanvas(1, 1).getContext("2d");
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    }
    """
    channels: list[int] = wall.app.evaluate(script, css)
    return sum(channels) / 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_light_and_dark_are_as_airflow_is_and_axe_finds_nothing_serious(theme: str, full: WallPage) -> None:
    full.page.evaluate("(theme) => localStorage.setItem('theme', theme)", theme)
    full.open()
    full.wait_for_state("page_fails", "failed")
    until(lambda: theme in (full.page.locator("html").get_attribute("class") or ""), 10, f"a {theme} page")
    is_dark = theme == "dark"
    assert (brightness(full, "backgroundColor") < BRIGHT) == is_dark
    assert (brightness(full, "color") > BRIGHT) == is_dark
    full.take(f"wall-{theme}")
    assert findings(full) == []
    full.expand("page_a")
    assert findings(full) == []
    full.select("page_a")
    full.ask_for("Stop")
    assert findings(full) == []
    full.page.keyboard.press("Escape")


def test_filters_and_sorting_are_in_the_address_which_can_be_sent(
    full: WallPage, admin: BrowserContext, wall_of: Any
) -> None:
    full.chip("failed").click()
    full.page.wait_for_url(re.compile("failed"))
    until(lambda: {row.get_attribute("data-state") for row in full.rows.all()} == {"failed"}, 10, "failed rows alone")
    header = full.app.locator("th[aria-sort]").first
    header.get_by_role("button").click()
    address = full.page.url
    assert re.search(r"[?&]sort=", address)
    order = header.get_attribute("aria-sort")
    other = wall_of(admin)
    other.page.goto(address)
    other.wait_for_state("page_fails", "failed")
    assert {row.get_attribute("data-state") for row in other.rows.all()} == {"failed"}
    assert other.app.locator("th[aria-sort]").first.get_attribute("aria-sort") == order
    other.page.close()


def test_everything_can_be_done_with_the_keyboard_alone(full: WallPage) -> None:
    keyboard = full.page.keyboard
    focus(full, full.chip("failed"))
    keyboard.press("Enter")
    full.app.locator("[aria-pressed=true]").and_(full.chip("failed")).wait_for()
    keyboard.press("Enter")
    full.wait_for_state("page_a", "rendering")
    button = full.button_of("page_a")
    focus(full, full.app.locator(".rj-name[tabindex='0']"))
    for _ in range(full.rows.count()):
        if button.evaluate(IS_FOCUSED):
            break
        keyboard.press("ArrowDown")
    keyboard.press("Enter")
    panel = full.panel("page_a")
    panel.wait_for()
    keyboard.press("Escape")
    panel.wait_for(state="hidden")
    assert button.evaluate(IS_FOCUSED)
    focus(full, full.row("page_a").get_by_role("checkbox"))
    keyboard.press("Space")
    stop = full.button("Stop")
    focus(full, stop)
    keyboard.press("Enter")
    question = full.page.get_by_role("dialog")
    question.wait_for()
    for _ in range(12):  # nothing behind it can be reached
        assert question.evaluate(IS_INSIDE)
        keyboard.press("Tab")
    keyboard.press("Escape")
    question.wait_for(state="hidden")
    assert stop.evaluate(IS_FOCUSED)


def focus(wall: WallPage, wanted: Any) -> None:
    """Go there as a person does who has no mouse."""
    wanted.wait_for()
    for key in ("Tab", "Shift+Tab"):
        for _ in range(150):
            if wanted.evaluate(IS_FOCUSED):
                return
            wall.page.keyboard.press(key)
    raise AssertionError(f"{wanted} cannot be reached")


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (3840, 2160)])
def test_nothing_is_cut_off_on_a_laptop_or_a_wall_screen(width: int, height: int, full: WallPage) -> None:
    full.page.set_viewport_size({"width": width, "height": height})
    overflow = "(element) => element.scrollWidth - element.clientWidth"
    assert full.app.evaluate(overflow) <= 1
    assert full.page.locator("html").evaluate(overflow) <= 1
    full.page.set_viewport_size(SIZE)


def test_it_is_a_tab_of_a_run_and_of_a_task(run: str, full: WallPage) -> None:
    page = full.page
    page.goto(f"{full.url}/dags/any_renders/runs/{run}")
    page.locator("a[href$='/plugin/renderjuice-run']").click()
    full.wait_for_state("page_a", "rendering")
    names = full.app.inner_text()
    assert "page_c" in names
    page.goto(f"{full.url}/dags/any_renders/runs/{run}/tasks/render_scene/mapped/0")
    page.locator("a[href$='/mapped/0/plugin/renderjuice-task']").click()
    full.panel("page_a").wait_for()  # a task is its row alone, open
    assert full.rows.count() == 0


def test_it_works_below_a_path(house: Studio, run: str, chromium: Browser) -> None:
    with house.below("studio") as url:
        context = log_in(chromium, url, "admin", house.airflow.password, viewport=SIZE)
        wall = WallPage(context, url).open()
        wall.wait_for_state("page_a", "rendering")
        wall.expand("page_a")
        wall.page.keyboard.press("Escape")
        wall.row("page_fails").get_by_role("link", name="Log").click()
        wall.page.wait_for_url(re.compile(r"/studio/dags/any_renders/runs/.*/tasks/"))
        wall.page.get_by_text("RENDER_ERROR").first.wait_for()
        assert wall.problems == []
        context.close()


def test_a_key_that_is_refused_is_a_sentence_on_the_page(house: Studio, wall: WallPage) -> None:
    house.render(house.scene("no_key", frame_end=2), dag=WRONG_KEY)
    wall.open()
    wall.wait_for_state("no_key", "failed")
    assert "key" in wall.row("no_key").inner_text()
    until(lambda: "wrong_key" in wall.troubles, 30, "a sentence about the connection")


def test_a_farm_that_is_away_is_a_sentence_and_what_was_known_stays(house: Studio, full: WallPage) -> None:
    operations = ("list_jobs", "list_progress", "get_job", "get_progress")
    for operation in operations:
        house.farm.faults.add(operation, *["503"] * 60)
    try:
        until(lambda: "renderjuice_default" in full.troubles, 60, "a sentence")
        assert full.row("page_a").count() == 1
    finally:
        house.farm.faults.clear()
    until(lambda: "renderjuice_default" not in full.troubles, 120, "the farm is back")


def test_a_browser_that_slept_says_how_old_its_data_is_and_catches_up(full: WallPage, admin: BrowserContext) -> None:
    admin.set_offline(offline=True)
    try:
        until(lambda: LOST in full.troubles, 60, "a sentence about what is lost")
        assert full.rows.count() >= 4
        assert re.search(r"\d+ (s|min) old", full.app.inner_text())
    finally:
        admin.set_offline(offline=False)
    until(lambda: LOST not in full.troubles, 60, "newer data")


def test_a_run_that_is_deleted_while_it_is_open_leaves_a_sentence(house: Studio, wall: WallPage) -> None:
    run = house.render(house.scene("goes", frame_end=2, seconds_per_frame=1))
    wall.open()
    wall.wait_for_state("goes", "rendered")
    until(lambda: house.airflow.run_state("any_renders", run) == "success", 60)
    wall.expand("goes")
    house.airflow.api("DELETE", f"/dags/any_renders/dagRuns/{run}")
    until(lambda: wall.row("goes").count() == 0, 60, "a row less")
    wall.page.reload()
    until(lambda: "deleted" in wall.troubles, 30, "a sentence in what was open")
    wall.problems = [one for one in wall.problems if not one.startswith("404")]
