"""The nightly DAG on what docker-compose.yaml says, while parts of it are killed.

40 shots, each a run of its own, over two workers and two triggerers; the busiest of each is killed
with SIGKILL in the middle. In the end every shot is delivered once, and Renderjuice's ledger shows
one render for each.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
import yaml

from proofs.cluster.compose import load
from proofs.cluster.containers import ROOT
from proofs.cluster.figures import Figure, Kill, TaskKey, count, key_of, show_figures
from proofs.cluster.services import Cluster
from renderjuice_emulator.scenes import write_scene
from tools import packages, postgres
from tools.airflow_api import STATES_AT_END, AirflowApi
from tools.tracker import LocalTracker

COMPOSE_FILE = ROOT / "docker-compose.yaml"
EXAMPLE = ROOT / ".env.example"
DAG = "renderjuice_nightly"
SHOTS = 40
FRAMES = 6
PATIENCE = 40 * 60
"""Seconds for the night. On two cores, shared with others, it takes a third of that."""
EMULATOR_SPEED = 60
"""A render of half an hour takes half a minute, as long as the tasks around it take."""


def main() -> None:
    """The command line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    needs = {"postgresql": str(postgres.programs() / "postgres"), "redis-server": "redis-server", "curl": "curl"}
    packages.ensure(needs, path="/usr/bin:/bin")
    run = Path(mkdtemp(prefix="renderjuice-cluster-"))
    run.chmod(0o711)  # PostgreSQL runs as another user and has to get through
    try:
        well = night(run)
    except BaseException:
        print(f"\nLogs of the services and of Airflow: {run}", flush=True)
        raise
    if not well:
        sys.exit(f"\nNot as it should be. Logs of the services and of Airflow: {run}")
    shutil.rmtree(run)


def night(run: Path) -> bool:
    """Bring the cluster up, run the DAG, kill, count; whether every figure is as it should be."""
    began = time.monotonic()

    def log(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    with ExitStack() as cleanup:
        tracker = LocalTracker(run / "logs")
        cleanup.callback(tracker.program.stop)
        variables = environment(run, tracker.url)
        write_shots(Path(variables["RENDERJUICE_SCENES"]))
        cluster = cleanup.enter_context(Cluster(load(COMPOSE_FILE, variables), run, log))
        for number in (signal.SIGINT, signal.SIGTERM):  # a second Ctrl-C must not leave half of it running
            cleanup.callback(signal.signal, number, signal.SIG_IGN)
        show_mapping(cluster)
        cluster.up()
        url = f"http://{cluster.address('airflow-apiserver', 8080)}"
        airflow = AirflowApi(url, variables["AIRFLOW_ADMIN_PASSWORD"])
        controls = f"http://{cluster.address('emulator', 8787)}/_emulator/{variables['EMULATOR_CONTROL_TOKEN']}"
        emulator = httpx.Client(base_url=controls, timeout=30)
        run_id = airflow.trigger(DAG)
        log(f"{DAG} is running with {SHOTS} shots: {url}")
        started = time.monotonic()
        kills = watch(cluster, airflow, emulator, run_id, log)
        wall = time.monotonic() - started
        for name in cluster.restarts:
            cluster.wait_until_healthy(name)
        log("The night is over, and what was killed is well again. Counting")
        ledger = emulator.get("/ledger").raise_for_status().json()
        deliveries = httpx.get(tracker.url).raise_for_status().json()
        tasks = airflow.tasks("~", "~")  # of the nightly, and of the run that it has started for each shot
        figures = count(SHOTS, ledger, tasks, Path(variables["RENDERJUICE_DELIVERIES"]), deliveries, kills)
    log("Everything is stopped")
    return show_figures([*figures, Figure("wall time of the night", f"{wall:.0f} s")])


# Before the night


def environment(run: Path, tracker_url: str) -> dict[str, str]:
    """What a studio would write into its .env.

    Every name of the example, with secrets made up for this run.
    """
    names = re.findall(r"^([A-Z_]+)=", EXAMPLE.read_text(), flags=re.MULTILINE)
    required = set(re.findall(r"\$\{([A-Z_]+):\?", COMPOSE_FILE.read_text()))
    return {name: secrets.token_hex(32) for name in names if name in required} | {
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "RENDERJUICE_API_KEY": f"RJ-{secrets.token_hex(16)}",
        "RENDERJUICE_ALLOW_HTTP": "true",
        "EMULATOR_CONTROL_TOKEN": secrets.token_hex(16),
        "PRODUCTION_TRACKER": json.dumps({"conn_type": "http", "host": tracker_url}),
        "COMPOSE_PROFILES": "emulator",
        "EMULATOR_SPEED": str(EMULATOR_SPEED),
        "RENDERJUICE_POLL_INTERVAL": "5",
        "RENDERJUICE_SCENES": str(run / "scenes"),
        "RENDERJUICE_DELIVERIES": str(run / "deliveries"),
    }


def write_shots(folder: Path) -> None:
    """Scenes for the fast renderer, each with a time of its own, and the list that names them."""
    folder.mkdir(parents=True)
    shots = []
    for number in range(SHOTS):
        name = f"night_{number + 1:03}"
        seconds_per_frame = 200 + 40 * (number % 7)
        write_scene(
            folder / f"{name}.blend",
            frame_end=FRAMES,
            resolution=(320, 180),
            seconds_per_frame=seconds_per_frame,
            validation_seconds=30 + number % 5,
        )
        shots.append({"name": name, "file": f"{name}.blend"})
    shot_list = {"show": "cluster", "defaults": {"render": {"colorManagementPreset": "default"}}, "shots": shots}
    (folder / "shots.yaml").write_text(yaml.safe_dump(shot_list))


def show_mapping(cluster: Cluster) -> None:
    """What is started, and what stands here for what the file says."""
    for container in cluster.containers.values():
        words = " ".join(" ".join(container.service.command).split())
        print(f"{container.name:<22} {words if len(words) < 100 else words[:97] + '...'}")
        for said, here in container.mapped:
            print(f"{'':<22}   {said} -> {here}")
    print(flush=True)


# The night


def watch(
    cluster: Cluster, airflow: AirflowApi, emulator: httpx.Client, run_id: str, log: Callable[[str], None]
) -> list[Kill]:
    """Follow the night to its end; kill the busiest worker and triggerer once renders run."""
    began = time.monotonic()
    kills: dict[str, Kill] = {}
    reported_at = 0.0
    while airflow.run_state(DAG, run_id) not in STATES_AT_END:
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"the night did not end within {PATIENCE // 60} minutes")
        active = airflow.tasks("~", "~", "running", "deferred")
        started = emulator.get("/ledger").raise_for_status().json()["rendersStarted"]
        if started >= SHOTS // 4:
            for service, least in (("airflow-worker", 2), ("airflow-triggerer", 3)):
                name, tasks = busiest(service, active)
                if service not in kills and len(tasks) >= least:
                    cluster.kill(name)
                    kills[service] = Kill(name, tasks, time.monotonic() - began)
                    log(f"{name}: SIGKILL, with {len(tasks)} tasks on it")
        if time.monotonic() - reported_at > 15:
            reported_at = time.monotonic()
            counts = Counter(task["state"] for task in active)
            log(f"{started} renders started; {counts['running']} tasks running, {counts['deferred']} deferred")
        time.sleep(2)
    return list(kills.values())


def busiest(service: str, active: list[dict[str, Any]]) -> tuple[str, set[TaskKey]]:
    """The container of a service with the most tasks.

    Running ones for workers, deferred ones for triggerers.
    """
    found: dict[str, set[TaskKey]] = {}
    for task in active:
        where = task["hostname"] if task["state"] == "running" else (task.get("triggerer_job") or {}).get("hostname")
        if where and where.startswith(service):
            found.setdefault(where, set()).add(key_of(task))
    return max(found.items(), key=lambda item: len(item[1]), default=(service, set()))


if __name__ == "__main__":
    main()
