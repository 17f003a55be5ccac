"""Where the chaos happens.

One Airflow with two triggerers, one emulator, and somebody who restarts what was killed.
"""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from proofs.chaos.case import DIRECT, WEBHOOKED
from proofs.chaos.doorway import Doorway
from proofs.chaos.leaks import find_leaks
from proofs.chaos.relay import Relay
from renderjuice_emulator.testing import Emulator
from tools.local_airflow import LocalAirflow
from tools.processes import free_port, signal_sessions, stop_sessions

DAGS = Path(__file__).parent / "dags"
KEY = "RJ-chaos-key-that-must-never-be-seen"
ANOTHER_KEY = "RJ-chaos-key-of-another-workspace"
WEBHOOK_SECRET = "whsec-chaos-secret-that-must-never-be-seen"
COMPONENTS = {
    "scheduler": "scheduler",
    "dag-processor": "dag-processor",
    "api-server": "api-server",
    "triggerer": "triggerer",
    "triggerer-2": "triggerer",
    # In the public API, Airflow's audit log writes on the event loop. With SQLite that may wait for
    # a transaction of a task's request in the same process, which waits for the event loop. So
    # tasks have a server of their own here.
    "execution-api": "api-server --apps execution --port {execution_port}",
    "api-server-2": "api-server --apps core --port {second_port}",
}
"""Names, and what `airflow` is asked to run."""
RECEIVERS = ("api-server", "api-server-2")
"""Those that take Renderjuice's events, in turn."""
RARELY = 45
"""Seconds between two polls where events are heeded: what an event that is lost costs."""

# Shorter periods than Airflow's own shorten the waiting of the run. They do not change what is
# decided, only how soon Airflow notices a death: after 12 s without a heartbeat (triggerer; else 30
# s), 30 s (task; else 300 s). A scheduler keeps its 30 s: in the storm it is busy for longer than
# half of that, and would take its own tasks for orphans.
SETTINGS = {
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": "200",
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "200",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    # One request of the API may use two connections at a time, and dozens come at once: with the 15
    # of the default they starve.
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": "60",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "3",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "12",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
}


class Harness:
    """Everything that runs. A context manager.

    Args:
        folder: for Airflow's home, the scenes and the logs.
        dags: the folder of DAG files.
        parallelism: how many tasks Airflow's executor runs at once.
        environment: further settings of Airflow.
    """

    def __init__(
        self, folder: Path, dags: Path = DAGS, parallelism: int = 16, environment: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.emulator = Emulator(speed=1, api_keys=[KEY, ANOTHER_KEY], webhook_secret=WEBHOOK_SECRET)
        self.relays: dict[str, Relay] = {}
        self._connections: set[str] = set()
        self.execution_port, self.second_port = free_port(), free_port()
        settings = SETTINGS | {
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{self.execution_port}/execution/",
            "AIRFLOW__CORE__PARALLELISM": str(parallelism),
        }
        settings |= environment or {}
        self.airflow = LocalAirflow(folder / "airflow", dags, settings)
        receivers = (self.airflow.url, f"http://localhost:{self.second_port}")
        self.doorway = Doorway(
            receivers, self.airflow.home / "airflow.db", lambda turn: self.send(signal.SIGKILL, RECEIVERS[turn])
        )
        self._stack = contextlib.ExitStack()
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._restart_the_dead, name="keeper")
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._read_at = float("-inf")
        self._active: frozenset[tuple[str, str]] = frozenset()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.emulator)
            self.emulator.switches.boot_seconds = self.emulator.switches.finalize_seconds = 1
            (self.folder / "scenes").mkdir(parents=True, exist_ok=True)
            stack.callback(self._stop)
            self.airflow.prepare()
            for name in COMPONENTS:
                self._start(name)
            self.until(self._is_ready, 180, "a healthy Airflow")
            self.connect(DIRECT, relayed=False)
            stack.enter_context(self.doorway)
            stack.callback(self._keeper.join)
            stack.callback(self.give_up)
            self._keeper.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def give_up(self) -> None:
        """End every wait: what is waited for is no longer wanted."""
        self._over.set()

    def until(self, condition: Callable[[], Any], patience: float, what: str, pause: float = 0.5) -> Any:
        """What `condition` returns, once that is true.

        Raises:
            TimeoutError: naming `what`, after `patience` seconds.
        """
        deadline = time.monotonic() + patience
        while not (found := condition()):
            if time.monotonic() > deadline or self._over.is_set():
                raise TimeoutError(f"{what}: not within {patience:.0f} s")
            time.sleep(pause)
        return found

    def send(self, number: signal.Signals, component: str) -> None:
        """A signal for every process of a component.

        What was killed is started again, as a service manager would do.
        """
        program = self.airflow.programs[component]
        if number is signal.SIGKILL:
            program.kill()
        else:
            signal_sessions([program.pid], number)

    def leaks(self) -> list[str]:
        """Where something was written down that must stay secret."""
        fernet_key = self.airflow.environment["AIRFLOW__CORE__FERNET_KEY"]
        return find_leaks(self.airflow.home, fernet_key, (KEY, ANOTHER_KEY, WEBHOOK_SECRET))

    def change(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """Change something through Airflow's API, one after the other.

        SQLite has but one writer.
        """
        with self._writing:
            return self.airflow.api(method, path, json=body)

    def make(self, path: str, body: dict[str, Any]) -> None:
        """Make something that has a name of its own.

        An answer that was lost on the way makes no second one.
        """
        with self._writing:
            self.airflow.make(path, body)

    def active_runs(self) -> frozenset[tuple[str, str]]:
        """DAG and id of every run that is not over; at most a second old."""
        with self._reading:
            if time.monotonic() - self._read_at > 1:
                self._active = self._read_runs()
                self._read_at = time.monotonic()
            return self._active

    def _read_runs(self) -> frozenset[tuple[str, str]]:
        found: list[dict[str, Any]] = []
        while True:
            query = {"state": ["queued", "running"], "limit": 100, "offset": len(found)}
            page = self.airflow.api("GET", "/dags/~/dagRuns", params=query)
            found += page["dag_runs"]
            if not page["dag_runs"] or len(found) >= page["total_entries"]:
                return frozenset((run["dag_id"], run["dag_run_id"]) for run in found)

    # As a service manager does it

    def _restart_the_dead(self) -> None:
        while not self._over.wait(0.5):
            for name, program in list(self.airflow.programs.items()):
                if program.process.poll() is not None:
                    stop_sessions([program.pid], patience=0)
                    self._start(name)

    def _start(self, name: str) -> None:
        component = COMPONENTS[name].format(execution_port=self.execution_port, second_port=self.second_port)
        log_server = {"AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port())}
        self.airflow.start_component(component, name, **log_server)

    def _stop(self) -> None:
        """All at once, and soon: nobody here needs a graceful end."""
        stop_sessions([program.pid for program in self.airflow.programs.values()], patience=3)
        self.airflow.stop()

    def _is_ready(self) -> bool:
        for program in self.airflow.programs.values():
            program.check()
        if not self.airflow.is_healthy():
            return False
        query = {"job_type": "TriggererJob", "is_alive": True}
        triggerers = int(self.airflow.api("GET", "/jobs", params=query)["total_entries"])
        dags = int(self.airflow.api("GET", "/dags")["total_entries"])
        return triggerers == 2 and dags > 0

    def lose_worker(self, file_name: str, frame: int) -> None:
        """The first render of this scene fails at this frame."""
        with self._writing:
            switches = self.emulator.switches
            switches.worker_lost_at = switches.worker_lost_at | {file_name: frame}

    # Connections

    def connect(self, name: str, *, relayed: bool) -> None:
        """A connection of this name, if there is none yet.

        Through a relay of its own, it can have outages of its own.
        """
        if name in self._connections:
            return
        self._connections.add(name)
        if name == WEBHOOKED:  # from now on: the receiver reads jobs, too, and would meet what workers are to meet
            self.emulator.webhooks.url = self.webhooks_url
        if not relayed:
            self._connect(name, self.emulator.base_url)
            return
        relay = self.relays[name] = self._stack.enter_context(Relay(_address(self.emulator.base_url)))
        self._connect(name, f"http://127.0.0.1:{relay.port}{urlsplit(self.emulator.base_url).path}", timeout=10)

    @property
    def webhooks_url(self) -> str:
        """Where Renderjuice's events go."""
        return f"http://127.0.0.1:{self.doorway.port}/renderjuice/webhooks/{WEBHOOKED}"

    def _connect(self, name: str, host: str, timeout: float = 30) -> None:
        """As an administrator does it: in Airflow's database."""
        webhooks = {"webhook_secret": WEBHOOK_SECRET, "webhook_poll_interval": RARELY}
        extra = json.dumps({"timeout": timeout} | webhooks)
        body = {"connection_id": name, "conn_type": "renderjuice", "host": host, "password": KEY, "extra": extra}
        self.make("/connections", body)


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 80)
