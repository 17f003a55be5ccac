"""Looks at everything, and exits with 1 if something is wrong with a page."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

from proofs.look.looker import SIZE, Looker
from tools.airflow_api import STATES_AT_END
from tools.browser import HOW_TO_GET_ONE, browser, find_browser, log_in
from tools.demo import down
from tools.demo_scenes import build_scenes
from tools.demo_services import DEMO, NIGHTLY, QUICKSTART, SHOT, WALL, start_services
from tools.local_airflow import LocalAirflow
from tools.local_emulator import KEY, LocalEmulator
from tools.progress import Narrator

LOOK = DEMO / "look"
BULK, ON_COMPLETE = "renderjuice_bulk", "renderjuice_on_complete"
FORMS = {
    QUICKSTART: ("scene", "A .blend or .zip", "destination", "config"),
    NIGHTLY: ("shot_list", "The shot list", "destination", "failed_only"),
    SHOT: ("shot", "A name of the shot list", "file", "frames", "quality"),
    BULK: ("scenes", "A folder with", "destination", "config"),
    ON_COMPLETE: ("destination", "Where frames go", "days", "Started by hand"),
}
"""Words of the forms that start a run."""
TASKS = {QUICKSTART: "contact_sheet", NIGHTLY: "report", SHOT: "tell_tracker", BULK: "collect"}
"""What the grid of a run has to show."""
CONNECTION = "renderjuice_look"
FIELDS = ("Time-out (s)", "Attempts per call", "Webhook secret", "Allow plain http")
INBOX, ASSET = "renderjuice_webhooks_renderjuice_default", "renderjuice_completed_renderjuice_default"
WAITING = {"render", "shot"}
"""Tasks that wait for a render, or for the run that waits for it."""
LAYERED_SHOT, REJECTED_SHOT, FAILED_SHOT, BROKEN = "cit_040_label", "cit_020_citrus", "cit_030_ice", "ice"
PATIENCE = 600.0


def main() -> None:
    """Look at everything; exits with 1 if something is wrong with a page."""
    if not find_browser():
        sys.exit(HOW_TO_GET_ONE)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    down(quiet=True)
    shutil.rmtree(DEMO, ignore_errors=True)
    narrator = Narrator()
    with everything(narrator) as (airflow, emulator), browser() as chromium:
        context = log_in(chromium, airflow.url, "admin", airflow.password, viewport=SIZE)
        looker = Looker(context.new_page(), LOOK, narrator.log)
        look_at_everything(looker, airflow, emulator, narrator)
    narrator.log(f"{looker.taken} pictures in {LOOK}: look at them")
    print("\n".join(looker.problems) or "Nothing is wrong with what can be checked.")
    sys.exit(bool(looker.problems))


@contextmanager
def everything(narrator: Narrator) -> Iterator[tuple[LocalAirflow, LocalEmulator]]:
    """The demo's scenes, emulator, tracker and Airflow."""
    narrator.log("Building scenes, starting the emulator and Airflow (a minute)")
    build_scenes(DEMO / "scenes", broken=[BROKEN])
    (DEMO / "bulk").mkdir()
    for name in ("juice", "citrus"):
        shutil.copy(DEMO / "scenes" / f"{name}.blend", DEMO / "bulk")
    with ExitStack() as cleanup:
        services = start_services(cleanup)
        yield services.airflow, services.emulator


def look_at_everything(looker: Looker, airflow: LocalAirflow, emulator: LocalEmulator, narrator: Narrator) -> None:
    """Forms first, then what runs, then what failed."""
    narrator.title("Forms")
    for dag, words in FORMS.items():
        look_at_form(looker, dag, words)
    look_at_connection(looker, emulator)
    narrator.title("Running")
    confs: dict[str, dict[str, Any]] = {
        QUICKSTART: {"scene": str(DEMO / "scenes" / "juice.blend"), "destination": str(DEMO / "quickstart")},
        NIGHTLY: {},
        BULK: {"scenes": str(DEMO / "bulk"), "destination": str(DEMO / "bulk-frames")},
    }
    runs = {}
    for dag, conf in confs.items():  # one by one, or the last is over before it is looked at
        runs[dag] = airflow.trigger(dag, conf)
        look_at_run(looker, airflow, dag, runs[dag])
        if dag == NIGHTLY:
            look_at_shots(looker, airflow)
            look_at_wall(looker, "running", "Rendering")
    narrator.title("Over")
    until(lambda: airflow.run_state(NIGHTLY, runs[NIGHTLY]) in STATES_AT_END)
    look_at_failure(looker, runs[NIGHTLY])
    looker.visit(f"/dags/{SHOT}/runs")
    looker.take("shots-over", LAYERED_SHOT, REJECTED_SHOT, FAILED_SHOT, "Failed")
    look_at_wall(looker, "over", "Delivered", "Rejected", "RENDER_ERROR")
    (report,) = (DEMO / "deliveries" / "nights").glob("*/report.html")
    looker.visit(report.as_uri())
    looker.take("report", LAYERED_SHOT, REJECTED_SHOT, FAILED_SHOT, page=True)
    looker.visit("/dags")
    looker.take("dags", *FORMS)
    narrator.title("Events")
    look_at_events(looker, airflow, emulator)


def look_at_form(looker: Looker, dag: str, words: tuple[str, ...]) -> None:
    """The form that starts a run."""
    looker.visit(f"/dags/{dag}")
    looker.page.get_by_role("button", name="Trigger Dag").click()
    looker.page.get_by_text(f"Trigger Dag - {dag}").wait_for()
    looker.take(f"{dag}-form", *words, dialog=True)


def look_at_connection(looker: Looker, emulator: LocalEmulator) -> None:
    """The form of a connection, with its help texts; and what its test answers."""
    page = looker.page
    looker.visit("/connections")
    page.get_by_role("button", name="Add Connection").click()
    page.fill("input[name=connection_id]", CONNECTION)
    page.get_by_role("combobox").last.click()
    page.keyboard.type("renderjuice")
    page.get_by_role("option", name="Renderjuice").click()
    looker.take("connection-form", "Base URL", "API key", dialog=True)
    page.locator("input[name=host]").fill(emulator.base_url)
    page.locator("input[name=password]").fill(KEY)
    if (port := page.locator("input[name=port]")).is_visible():  # without one, some versions of the test button fail
        port.fill(str(urlsplit(emulator.base_url).port))
    page.get_by_role("button", name="Extra Fields", exact=True).click()
    looker.take("connection-form-extra", *FIELDS, *help_texts(), dialog=True)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("row", name=CONNECTION).wait_for()
    page.get_by_role("row", name=CONNECTION).get_by_role("button", name="Test Connection").click()
    looker.take("connection-test")


def help_texts() -> list[str]:
    """What the form is to say about the fields of our own."""
    from renderjuice_provider.provider_info import get_provider_info

    fields = get_provider_info()["connection-types"][0]["conn-fields"].values()
    return [str(field.get("description") or field["schema"]["description"]) for field in fields]


def look_at_run(looker: Looker, airflow: LocalAirflow, dag: str, run: str) -> None:
    """Grid and graph of a run, with all groups open, while a render of it is waited for."""
    until(lambda: WAITING & {task["task_id"] for task in airflow.tasks(dag, run, "deferred")})
    looker.visit(f"/dags/{dag}/runs/{run}")
    looker.open_groups()
    looker.take(f"{dag}-grid", TASKS[dag], "Running")
    looker.page.get_by_role("button", name="Show Graph").click()
    looker.take(f"{dag}-graph", TASKS[dag], "Running")
    looker.page.get_by_role("button", name="Fit View").click()
    looker.take(f"{dag}-graph-fit")
    looker.page.get_by_role("button", name="Show Grid").click()


def look_at_shots(looker: Looker, airflow: LocalAirflow) -> None:
    """The runs of the shots, each with its name; and the one of a shot of two layers."""
    runs = [run["dag_run_id"] for run in airflow.api("GET", f"/dags/{SHOT}/dagRuns")["dag_runs"]]
    (layered,) = [run for run in runs if run.startswith(f"{LAYERED_SHOT}__")]
    looker.visit(f"/dags/{SHOT}/runs")
    looker.take("shots-running", LAYERED_SHOT, FAILED_SHOT)
    look_at_run(looker, airflow, SHOT, layered)


def look_at_wall(looker: Looker, when: str, *words: str) -> None:
    """The render wall, and one of its rows."""
    looker.visit(f"/{WALL}")
    looker.take(f"wall-{when}", LAYERED_SHOT, REJECTED_SHOT, FAILED_SHOT, *words)
    looker.click(looker.page.get_by_role("button", name=LAYERED_SHOT, exact=True))
    looker.take(f"wall-{when}-row", "Frames", "base", "over")


def look_at_failure(looker: Looker, run: str) -> None:
    """Why a shot failed, in at most two clicks, from the page of the run and of the DAG."""
    looker.visit(f"/dags/{NIGHTLY}/runs/{run}")
    looker.take("failed-run", "Failed")
    looker.clicks = 0
    looker.click(looker.page.locator(f"a[href$='/runs/{run}/tasks/report']").first)
    looker.take("failed-run-report", FAILED_SHOT, "RENDER_ERROR")
    looker.at_most_two_clicks("from the page of the run to the reasons of all shots that failed")

    looker.visit(f"/dags/{SHOT}")
    looker.take("failed-dag", "Recent Failed Task Logs")
    looker.clicks = 0
    looker.click(looker.page.get_by_text("View full logs").first)
    looker.take("failed-task-log", FAILED_SHOT, "RENDER_ERROR")
    looker.at_most_two_clicks("from the page of the DAG to the log of the task that failed")


def look_at_events(looker: Looker, airflow: LocalAirflow, emulator: LocalEmulator) -> None:
    """What shows that events arrive: the inbox, the asset, and the run that an event starts."""
    secret = secrets.token_hex(16)
    connection = {"connection_id": "renderjuice_default", "conn_type": "renderjuice"}
    connection["extra"] = json.dumps({"webhook_secret": secret})
    airflow.api("PATCH", "/connections/renderjuice_default", params={"update_mask": "extra"}, json=connection)
    emulator.send_events(f"{airflow.url}/renderjuice/webhooks/renderjuice_default", secret)
    airflow.api("PATCH", f"/dags/{ON_COMPLETE}", json={"is_paused": False})
    airflow.trigger(QUICKSTART, {"scene": str(DEMO / "scenes" / "juice.blend"), "destination": str(DEMO / "events")})
    address = f"/dags/{ON_COMPLETE}/dagRuns"
    until(lambda: {run["state"] for run in airflow.api("GET", address)["dag_runs"]} & STATES_AT_END)
    (run,) = airflow.api("GET", address)["dag_runs"]
    looker.visit("/variables")
    looker.take("inbox", INBOX, "What Renderjuice has sent")
    (asset,) = airflow.api("GET", "/assets", params={"name_pattern": ASSET})["assets"]
    looker.visit(f"/assets/{asset['id']}")
    looker.take("asset", ASSET, ON_COMPLETE)
    looker.visit(f"/dags/{ON_COMPLETE}/runs/{run['dag_run_id']}")
    looker.take("on-complete-grid", "download", "Success")
    looker.page.get_by_role("button", name="Show Graph").click()
    looker.take("on-complete-graph", "not_downloaded", "Success")


def until(condition: Any) -> None:
    """Wait until `condition` returns something true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Not within {PATIENCE:.0f} s; logs: {DEMO / 'airflow' / 'logs'}")
        time.sleep(1)


if __name__ == "__main__":
    main()
