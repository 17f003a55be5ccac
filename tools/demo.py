"""`make demo`: from Blender scenes to movies, through a real Airflow, without an account.

First one shot, step by step (the quickstart DAG); then a night of five shots (the nightly DAG,
which starts a run of the shot DAG for each). One of them has two layers, one is rejected, and one
loses its render half way and becomes whole by a second round. Then the same night again, to show
that nothing is rendered twice, and a night with a ceiling, in which a shot waits for its share.
`make up` does the same and leaves it running, `make down` ends that.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shutil
import signal
import sys
import time
from contextlib import ExitStack
from typing import Any

from tools.airflow_api import STATES_AT_END, AirflowApi
from tools.demo_scenes import LOST_AT, UNLUCKY, build_scenes
from tools.demo_services import DEMO, NIGHTLY, QUICKSTART, WALL, start_services
from tools.local_emulator import KEY, LocalEmulator
from tools.processes import stop_sessions
from tools.progress import Narrator

RUNNING = DEMO / "running.json"
DELIVERED = ["cit_010_juice", "cit_030_ice", "cit_040_label", "cit_050_cube"]
CHANGED = ["cit_010_juice", "cit_050_cube"]
RENDERS = 7
"""Paid in all: one each for quickstart, juice and cube; two each for the rounds of the ice and
the layers of the label."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["run", "up", "down"], default="run")
    what = parser.parse_args().what
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    down(quiet=what != "down")
    if what != "down":
        run(keep=what == "up")


def run(*, keep: bool) -> None:
    """The demo; with `keep`, everything stays up afterwards."""
    shutil.rmtree(DEMO, ignore_errors=True)
    narrator = Narrator()
    narrator.log("Building six scenes with Blender")
    blender = build_scenes(DEMO / "scenes")
    if not blender:
        narrator.log("No Blender here (bpy needs Python 3.11): the emulator's fast renderer will invent the pictures")
    narrator.log("Starting the emulator and Airflow (half a minute)")
    with ExitStack() as cleanup:
        services = start_services(cleanup)
        emulator, tracker, airflow = services
        RUNNING.write_text(json.dumps(services.pids))
        show_login(airflow, narrator)
        show_quickstart(airflow, narrator)
        show_night(airflow, emulator, narrator)
        show_ceiling(airflow, narrator)
        narrator.show_results(DEMO)
        if keep:
            cleanup.pop_all()
            show_login(airflow, narrator)
            narrator.log(f"Emulator  {emulator.base_url}   API key {KEY}")
            narrator.log(f"Tracker   {tracker.url}")
            narrator.log("Running until `make down`.")
            return
    RUNNING.unlink(missing_ok=True)


def show_login(airflow: AirflowApi, narrator: Narrator) -> None:
    """Where the web UI is, and how to get in."""
    narrator.log(f"Airflow   {airflow.url}   user admin, password {airflow.password}")
    narrator.log(f"Renders   {airflow.url}/{WALL}")


def show_quickstart(airflow: AirflowApi, narrator: Narrator) -> None:
    """One shot, step by step."""
    narrator.title("The quickstart: one shot, step by step")
    conf = {"scene": str(DEMO / "scenes" / "juice.blend"), "destination": str(DEMO / "quickstart")}
    if finish(airflow, QUICKSTART, conf, narrator) != "success":
        sys.exit(f"The quickstart failed. Logs: {DEMO / 'airflow' / 'logs'}")


def show_night(airflow: AirflowApi, emulator: LocalEmulator, narrator: Narrator) -> None:
    """The night, and the same night again."""
    narrator.title("The night: five shots, one without a camera, one whose render loses its worker half way")
    emulator.flip(worker_lost_at={UNLUCKY: LOST_AT})
    finish(airflow, NIGHTLY, {}, narrator)
    narrator.show_summary(DEMO / "deliveries")
    before = emulator.renders_started()
    narrator.title("The same night again: nothing has changed")
    finish(airflow, NIGHTLY, {}, narrator)
    narrator.show_summary(DEMO / "deliveries")
    narrator.log(
        f"Renders paid for in the first run: {before - 1}; in the second: {emulator.renders_started() - before}"
    )
    delivered = sorted(path.parent.name for path in (DEMO / "deliveries").glob("shots/*/current.json"))
    if delivered != DELIVERED or (before, emulator.renders_started()) != (RENDERS, RENDERS):
        sys.exit(f"The night did not go as it should have: delivered {delivered}. Logs: {DEMO / 'airflow' / 'logs'}")


def show_ceiling(airflow: AirflowApi, narrator: Narrator) -> None:
    """The next night: two shots have changed, and the ceiling is a little below both quotes."""
    first = max((DEMO / "deliveries" / "nights").iterdir())
    before = json.loads((first / "summary.json").read_text())["shots"]
    spent = [before[shot]["render_seconds"] for shot in CHANGED]
    shot_list = DEMO / "scenes" / "shots.yaml"
    for shot in CHANGED:
        file = f"    file: {shot.rpartition('_')[2]}.blend\n"
        shot_list.write_text(shot_list.read_text().replace(file, f"{file}    fps: 24\n"))
    ceiling = round(1.15 * sum(spent) - 0.05 * min(spent), 1)
    date = dt.date.fromisoformat(first.name) + dt.timedelta(days=1)
    narrator.title(
        f"The next night: two shots have changed, and the ceiling of {ceiling:g} s is too low for both at once"
    )
    finish(airflow, NIGHTLY, {"date": str(date), "shots": CHANGED, "ceiling": ceiling}, narrator)
    narrator.show_shares(first.with_name(str(date)))


def finish(airflow: AirflowApi, dag_id: str, conf: dict[str, Any], narrator: Narrator) -> str:
    """Run a DAG to its end, show how it goes, and return its state."""
    run_id = airflow.trigger(dag_id, conf)
    narrator.log(f"{airflow.url}/dags/{dag_id}/runs/{run_id}")
    while True:
        state = airflow.run_state(dag_id, run_id)
        narrator.show_tasks(airflow)
        if state in STATES_AT_END:
            return state
        time.sleep(1)


def down(*, quiet: bool) -> None:
    """End what `make up` left running."""
    if RUNNING.exists():
        stop_sessions(json.loads(RUNNING.read_text()))
        RUNNING.unlink()
        print("Stopped.")
    elif not quiet:
        print("Nothing is running.")


if __name__ == "__main__":
    main()
