"""`make cluster-test`: the nightly DAG on what docker-compose.yaml says, while parts of it are killed.

40 shots over two workers and two triggerers; the busiest of each is killed with SIGKILL in the middle. In the end every shot is
delivered once, and Renderjuice's ledger shows one render for each.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx
import yaml

from devtools import packages, postgres
from devtools.airflow_api import AirflowApi
from devtools.cluster import Cluster
from devtools.compose import load
from devtools.containers import ROOT
from renderjuice_emulator.scenes import write_scene

COMPOSE_FILE = ROOT / "docker-compose.yaml"
EXAMPLE = ROOT / ".env.example"
DAG = "renderjuice_nightly"
SHOTS = 40
FRAMES = 6
EVERY_RUN = "~"
"""Towards evening, Airflow adds the scheduled run of the day to ours. The later one finds nothing left to do, which counts, too."""
PATIENCE = 30 * 60
"""Seconds for the night. On two cores it takes a quarter of that."""
EMULATOR_SPEED = 60
"""A render of half an hour takes half a minute, as long as Airflow needs for the tasks around it."""


def main() -> None:
    """The command line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    needs = {"postgresql": postgres.programs() / "postgres", "redis-server": "redis-server", "curl": "curl"}
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

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)

    with tracker() as (tracker_url, told):
        variables = environment(run, tracker_url)
        write_shots(Path(variables["RENDERJUICE_SCENES"]))
        with Cluster(load(COMPOSE_FILE, variables), run, say) as cluster:
            show_mapping(cluster)
            cluster.up()
            airflow = AirflowApi(
                f"http://{cluster.address('airflow-apiserver', 8080)}", variables["AIRFLOW_ADMIN_PASSWORD"]
            )
            emulator = httpx.Client(base_url=f"http://{cluster.address('emulator', 8787)}/_emulator", timeout=30)
            airflow.trigger(DAG)
            say(f"{DAG} is running with {SHOTS} shots: {airflow.url}")
            started = time.monotonic()
            kills = watch(cluster, airflow, emulator, say)
            wall = time.monotonic() - started
            for name in cluster.restarts:
                cluster.wait_until_healthy(name)
            say("The night is over, and what was killed is well again. Counting")
            ledger = emulator.get("/ledger").raise_for_status().json()
            tasks = airflow.tasks(DAG, EVERY_RUN)
            figures = count(ledger, tasks, Path(variables["RENDERJUICE_DELIVERIES"]), told, kills)
        say("Everything is stopped")
    return show_figures([*figures, Figure("wall time of the night", f"{wall:.0f} s")])


# Before the night


def environment(run: Path, tracker_url: str) -> dict[str, str]:
    """What a studio would write into its .env: every name of the example, with secrets made up for this run."""
    names = re.findall(r"^([A-Z_]+)=", EXAMPLE.read_text(), flags=re.MULTILINE)
    required = set(re.findall(r"\$\{([A-Z_]+):\?", COMPOSE_FILE.read_text()))
    tracker_connection = {"conn_type": "http", "host": tracker_url}
    return {name: secrets.token_hex(16) for name in names if name in required} | {
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "RENDERJUICE_API_KEY": f"RJ-{secrets.token_hex(16)}",
        "PRODUCTION_TRACKER": json.dumps(tracker_connection),
        "COMPOSE_PROFILES": "emulator",
        "EMULATOR_SPEED": str(EMULATOR_SPEED),
        "RENDERJUICE_POLL_INTERVAL": "5",
        "RENDERJUICE_SCENES": str(run / "scenes"),
        "RENDERJUICE_DELIVERIES": str(run / "deliveries"),
    }


def write_shots(folder: Path) -> None:
    """Scenes for the fast renderer, each with a time of its own so that they do not march in step, and the list that names them."""
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


@contextmanager
def tracker() -> Iterator[tuple[str, Counter[str]]]:
    """A production tracker of our own: its address, and how often each delivery was told to it."""
    told: Counter[str] = Counter()

    class Tracker(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            told[self.path] += 1
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as its base calls it
            """Nothing: the counter says it all."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Tracker)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def show_mapping(cluster: Cluster) -> None:
    """What is started, and what stands here for what the file says."""
    for container in cluster.containers.values():
        words = " ".join(" ".join(container.service.command).split())
        print(f"{container.name:<22} {words if len(words) < 100 else words[:97] + '...'}")
        for said, here in container.mapped:
            print(f"{'':<22}   {said} -> {here}")
    print(flush=True)


# The night


@dataclass
class Kill:
    """One SIGKILL: of which container, and which tasks were on it."""

    container: str
    tasks: set[tuple[str, int]]
    seconds: float


def watch(cluster: Cluster, airflow: AirflowApi, emulator: httpx.Client, say: Callable[[str], None]) -> list[Kill]:
    """Follow the night to its end, and kill the busiest worker and triggerer once renders are under way."""
    began = time.monotonic()
    kills: dict[str, Kill] = {}
    told_at = 0.0
    while not airflow.is_over(DAG):
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"the night did not end within {PATIENCE // 60} minutes")
        active = airflow.tasks(DAG, EVERY_RUN, "running", "deferred")
        started = emulator.get("/ledger").raise_for_status().json()["rendersStarted"]
        if started >= SHOTS // 4:
            for service, least in (("airflow-worker", 2), ("airflow-triggerer", 3)):
                name, tasks = busiest(service, active)
                if service not in kills and len(tasks) >= least:
                    cluster.kill(name)
                    kills[service] = Kill(name, tasks, time.monotonic() - began)
                    say(f"{name}: SIGKILL, with {len(tasks)} tasks on it")
        if time.monotonic() - told_at > 15:
            told_at = time.monotonic()
            counts = Counter(task["state"] for task in active)
            say(f"{started} renders started; {counts['running']} tasks running, {counts['deferred']} deferred")
        time.sleep(2)
    return list(kills.values())


def busiest(service: str, active: list[dict[str, Any]]) -> tuple[str, set[tuple[str, int]]]:
    """The container of a service with the most tasks: running ones for workers, deferred ones for triggerers."""
    found: dict[str, set[tuple[str, int]]] = {}
    for task in active:
        where = task["hostname"] if task["state"] == "running" else (task.get("triggerer_job") or {}).get("hostname")
        if where and where.startswith(service):
            found.setdefault(where, set()).add((task["task_id"], task["map_index"]))
    return max(found.items(), key=lambda item: len(item[1]), default=(service, set()))


# After the night


@dataclass(frozen=True)
class Figure:
    """A line of the table; `expected` is None for what is only told."""

    name: str
    value: Any
    expected: Any = None

    @property
    def is_right(self) -> bool:
        """Whether it is as it should be."""
        return self.expected is None or self.value == self.expected


@dataclass(frozen=True)
class Deliveries:
    """What a reader of the delivery folder sees."""

    shots: int = 0
    versions: int = 0
    whole: int = 0
    movies: list[Path] = field(default_factory=list)


def deliveries(folder: Path) -> Deliveries:
    """Look at every shot's folder: which versions there are, and whether the valid one has all files that its manifest names."""
    shots = sorted((folder / "shots").glob("*"))
    whole = 0
    for shot in shots:
        pointer = shot / "current.json"
        if pointer.exists():
            manifest = shot / json.loads(pointer.read_text())["manifest"]
            files = json.loads(manifest.read_text())["files"]
            whole += all((manifest.parent / file["path"]).stat().st_size == file["bytes"] for file in files)
    versions = sum(len([path for path in shot.iterdir() if path.is_dir()]) for shot in shots)
    return Deliveries(len(shots), versions, whole)


def count(
    ledger: Mapping[str, Any], tasks: list[dict[str, Any]], folder: Path, told: Counter[str], kills: list[Kill]
) -> list[Figure]:
    """Everything that has to be right."""
    delivered = deliveries(folder)
    renders = Counter[str]()
    for job in ledger["jobs"]:
        renders[job["file_name"]] += job["renders_started"]
    tries = {(task["task_id"], task["map_index"]): task["try_number"] for task in tasks}
    worker_killed = [kill for kill in kills if "worker" in kill.container]
    cut_off = sum(tries[task] > 1 for kill in worker_killed for task in kill.tasks)
    failed = [task for task in tasks if task["state"] in {"failed", "upstream_failed"}]
    return [
        Figure("shots", len(renders), SHOTS),
        Figure("delivered, whole", delivered.whole, SHOTS),
        Figure("versions delivered", delivered.versions, SHOTS),
        Figure("deliveries told to the tracker", len(told), SHOTS),
        Figure("jobs created", len(ledger["jobs"])),
        Figure("renders started", ledger["rendersStarted"], SHOTS),
        Figure("most renders of one job", max((job["renders_started"] for job in ledger["jobs"]), default=0), 1),
        Figure("most renders of one shot", max(renders.values(), default=0), 1),
        Figure("jobs left running", len(ledger["jobsLeftRunning"]), 0),
        Figure("tasks failed in the end", len(failed), 0),
        Figure("containers killed", len(kills), 2),
        *(Figure(f"{kill.container} killed", f"after {kill.seconds:.0f} s, {len(kill.tasks)} tasks") for kill in kills),
        Figure("tasks cut off and tried again", cut_off),
        Figure("tasks with more than one try", sum(number > 1 for number in tries.values())),
    ]


def show_figures(figures: list[Figure]) -> bool:
    """Print the table; whether all is as it should be."""
    print()
    for figure in figures:
        should = "" if figure.is_right else f"   should be {figure.expected}"
        mark = " " if figure.expected is None else "x" if not figure.is_right else "✓"
        print(f"{mark} {figure.name:<32} {figure.value}{should}")
    return all(figure.is_right for figure in figures)


if __name__ == "__main__":
    main()
