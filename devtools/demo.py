"""`make demo`: one shot from a scene file through a real Airflow and a real Blender to frames on disk.

`make up` does the same and leaves it running, `make down` ends that.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from devtools.airflow_api import STATES_AT_END
from devtools.local_airflow import LocalAirflow
from devtools.local_emulator import KEY, LocalEmulator
from devtools.processes import stop_sessions
from devtools.progress import Narrator
from renderjuice_emulator.blender import find_blender

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "demo"
RUNNING = DEMO / "running.json"
DAG = "renderjuice_quickstart"
SCENE_SCRIPT = ROOT / "dags" / "scenes" / "build_scene.py"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m devtools.demo", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["run", "up", "down"], default="run")
    what = parser.parse_args().what
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    down(quiet=what != "down")
    if what != "down":
        run(keep=what == "up")


def run(*, keep: bool) -> None:
    """The demo; with `keep`, everything stays up afterwards."""
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()
    narrator = Narrator()
    scene = build_scene(narrator)
    narrator.say("Starting the emulator and Airflow (half a minute)")
    emulator = LocalEmulator(DEMO)
    airflow = None
    try:
        airflow = start_airflow(emulator)
        if keep:
            sessions = [emulator.program.pid, *(program.pid for program in airflow.programs.values())]
            RUNNING.write_text(json.dumps({"sessions": sessions}))
        succeeded = render(airflow, scene, narrator)
        narrator.show_results(DEMO / "output")
        if keep:
            narrator.say(f"Airflow   {airflow.url}   user admin, password {airflow.password}")
            narrator.say(f"Emulator  {emulator.base_url}   API key {KEY}")
            narrator.say("Running until `make down`.")
    except BaseException:
        keep = False
        raise
    finally:
        if not keep:
            if airflow:
                airflow.stop()
            emulator.stop()
            RUNNING.unlink(missing_ok=True)
    if not succeeded:
        sys.exit(f"The run failed. Logs: {DEMO / 'airflow' / 'logs'}")


def build_scene(narrator: Narrator) -> Path:
    """A scene made by Blender itself, or a stand-in for the fast renderer."""
    scene = DEMO / "juice.blend"
    blender = find_blender()
    if blender is None:
        narrator.say("No Blender here (bpy needs Python 3.11): the emulator's fast renderer will invent the pictures")
        command = [sys.executable, "-m", "renderjuice_emulator", "scene", str(scene)]
    else:
        narrator.say(f"Building a scene with Blender ({blender[0]})")
        command = [*scene_builder(blender[0]), str(scene), "--frames", "12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not scene.exists():
        sys.exit(f"The scene could not be built:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return scene


def scene_builder(blender: str) -> list[str]:
    """The command that runs the scene script: in a Python that has bpy, or inside a Blender."""
    if Path(blender).name.startswith("python"):
        return [blender, str(SCENE_SCRIPT)]
    return [blender, "--background", "--factory-startup", "--python", str(SCENE_SCRIPT), "--"]


def start_airflow(emulator: LocalEmulator) -> LocalAirflow:
    """Airflow with a connection to the emulator."""
    connection = {"conn_type": "renderjuice", "host": emulator.base_url, "password": KEY}
    environment = {"AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(connection)}
    airflow = LocalAirflow(DEMO / "airflow", ROOT / "dags", environment)
    try:
        airflow.start()
    except BaseException:
        airflow.stop()
        raise
    return airflow


def render(airflow: LocalAirflow, scene: Path, narrator: Narrator) -> bool:
    """Run the quickstart DAG and tell how it goes."""
    conf = {"scene": str(scene), "destination": str(DEMO / "output")}
    run_id = airflow.trigger(DAG, conf)
    narrator.say(f"DAG {DAG} is running: {airflow.url}/dags/{DAG}/runs/{run_id}")
    while True:
        state = airflow.run_state(DAG, run_id)
        narrator.show_tasks(airflow, DAG, run_id)
        if state in STATES_AT_END:
            return state == "success"
        time.sleep(1)


def down(*, quiet: bool) -> None:
    """End what `make up` left running."""
    if RUNNING.exists():
        stop_sessions(json.loads(RUNNING.read_text())["sessions"])
        RUNNING.unlink()
        print("Stopped.")
    elif not quiet:
        print("Nothing is running.")


if __name__ == "__main__":
    main()
