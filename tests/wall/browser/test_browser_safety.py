"""What strangers, scripts and people without rights can do to the wall: nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx
import pytest
from playwright.sync_api import BrowserContext

from tests.support.until import until
from tests.support.wall_page import WallPage
from tests.support.wall_studio import FOR_EVER, Studio

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

SCRIPT = """<img src=x onerror="document.title='stolen';alert(1)">"""
FORM = """
<form method=post enctype=text/plain action="{url}"><input name='{name}' value='{value}'></form>
<script>document.forms[0].submit()</script>
"""
BODY = {"action": "stop", "rows": ["x"], "settings": None, "confirm": "y"}


class Stranger(BaseHTTPRequestHandler):
    """A web page of somebody else."""

    page: ClassVar[str] = ""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def strangers_page(html: str) -> Iterator[str]:
    """The URL of a page of another site: its host has another name than Airflow's."""
    handler = type("Page", (Stranger,), {"page": html})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_name_that_is_html_stays_a_name(house: Studio, wall: WallPage) -> None:
    house.render(house.scene(SCRIPT, frame_end=24, seconds_per_frame=FOR_EVER))
    wall.open()
    wall.wait_for_state(SCRIPT, "rendering")
    title = wall.page.title()
    panel = wall.expand(SCRIPT)
    assert SCRIPT in panel.inner_text() or SCRIPT in wall.row(SCRIPT).inner_text()
    wall.select(SCRIPT)
    assert SCRIPT in wall.ask_for("Stop").inner_text()
    assert wall.page.title() == title
    assert wall.app.locator("img[src=x]").count() == 0
    wall.page.keyboard.press("Escape")


def send(wall: WallPage, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """What the wall answers to a script of its own page."""
    script = """
    async ([path, body]) => {
      const headers = {"Content-Type": "application/json"};
      const url = new URL(`renderjuice/wall/${path}`, document.baseURI);
      const response = await fetch(url, {method: "POST", headers, body});
      return [response.status, await response.json()];
    }
    """
    status, answer = wall.page.evaluate(script, [path, json.dumps(body)])
    return status, answer


def test_a_viewer_sees_everything_and_may_do_nothing(house: Studio, wall_of_viewer: WallPage) -> None:
    house.render(house.scene("watched", frame_end=24, seconds_per_frame=FOR_EVER))
    wall_of_viewer.open()
    wall_of_viewer.wait_for_state("watched", "rendering")
    wall_of_viewer.select("watched")
    for action in ("Stop", "Render again", "Render what is missing", "Take up", "Other settings"):
        buttons = wall_of_viewer.button(action)
        assert all(not buttons.nth(number).is_enabled() for number in range(buttons.count())), action
    body = {"action": "stop", "rows": [wall_of_viewer.row("watched").get_attribute("data-row")]}
    status, plan = send(wall_of_viewer, "plan", body)
    if status != 403:
        assert all(row["refused"] for row in plan["rows"])
        status, done = send(wall_of_viewer, "act", body | {"confirm": plan["confirm"]})
        assert status == 403 or done["done"] == []
    wall_of_viewer.problems = [one for one in wall_of_viewer.problems if not one.startswith(("403", "409"))]
    job = house.job_of("watched.blend")
    until(lambda: job in house.farm.ledger.jobs_left_running(), what="the render, which nobody has stopped")
    assert house.farm.ledger.count("cancel_job", job_id=job) == 0


@pytest.mark.parametrize("path", ["plan", "act"])
def test_a_form_of_another_site_is_refused(path: str, house: Studio, admin: BrowserContext) -> None:
    """With the cookie of somebody with all rights, who has just logged in."""
    name, _, value = json.dumps(BODY | {"z": "="}).partition("=")
    html = FORM.format(url=f"{house.airflow.url}/renderjuice/wall/{path}", name=name, value=value)
    page = admin.new_page()
    with strangers_page(html) as stranger, page.expect_response(f"**/renderjuice/wall/{path}") as answer:
        page.goto(stranger)
    assert answer.value.status in {401, 403, 415}
    page.close()


def test_a_script_of_another_site_reads_and_changes_nothing(house: Studio, admin: BrowserContext) -> None:
    url = f"{house.airflow.url}/renderjuice/wall"
    page = admin.new_page()
    with strangers_page("<title>elsewhere</title>") as stranger:
        page.goto(stranger)
        for path, options in (
            ("night", {"credentials": "include"}),
            ("act", {"method": "POST", "credentials": "include", "body": json.dumps(BODY)}),
            (
                "act",
                {
                    "method": "POST",
                    "credentials": "include",
                    "headers": {"Content-Type": "application/json"},
                    "body": json.dumps(BODY),
                },
            ),
        ):
            script = (
                "async ([url, options]) => { try { return (await fetch(url, options)).status } catch { return 0 } }"
            )
            assert page.evaluate(script, [f"{url}/{path}", options]) == 0, path
    page.close()


@pytest.mark.parametrize("path", ["night", "rows/x", "pictures/x"])
def test_without_a_login_there_is_nothing_to_see(path: str, house: Studio) -> None:
    response = httpx.get(f"{house.airflow.url}/renderjuice/wall/{path}")
    assert response.status_code == 401
    assert set(response.json()) == {"error"}


@pytest.mark.parametrize("path", ["docs", "redoc", "openapi.json"])
def test_no_page_describes_the_wall(path: str, house: Studio) -> None:
    assert httpx.get(f"{house.airflow.url}/renderjuice/wall/{path}").status_code == 404


def test_each_answer_has_the_headers_that_protect_it(house: Studio, wall: WallPage) -> None:
    wall.open()
    response = wall.page.request.get(f"{house.airflow.url}/renderjuice/wall/night")
    headers = response.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "no-store" in headers["cache-control"]
    assert "content-security-policy" in headers
    assert headers["cross-origin-resource-policy"] == "same-origin"


def test_no_secret_is_in_a_log(house: Studio, wall: WallPage) -> None:
    wall.open()
    until(lambda: wall.rows.count() > 0, 60)
    text = "".join(path.read_text(errors="replace") for path in (house.airflow.home / "logs").rglob("*.log"))
    assert text
    for secret in (house.farm.api_key, house.farm.storage_url + "/"):
        assert secret not in text
