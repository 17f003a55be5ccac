"""A real Airflow on this machine: SQLite and LocalExecutor unless told otherwise, every component a process of its own."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from devtools.processes import Program, free_port

COMPONENTS = ("scheduler", "dag-processor", "api-server", "triggerer")
STATES_AT_END = frozenset({"success", "failed"})


class LocalAirflow:
    """Airflow's components around one home folder.

    Args:
        home: `AIRFLOW_HOME`; made if it does not exist.
        dags: the folder of DAG files.
        environment: further variables, such as connections and settings.
        port: of the web UI, if it is free.
        password: of the user `admin`; made up when empty.
    """

    def __init__(
        self,
        home: Path,
        dags: Path,
        environment: Mapping[str, str] | None = None,
        *,
        port: int = 8080,
        password: str = "",
    ) -> None:
        self.home = home
        self.password = password or secrets.token_urlsafe(9)
        self.url = f"http://localhost:{free_port(port)}"
        self.environment = os.environ | self._settings(dags) | dict(environment or {})
        self.programs: dict[str, Program] = {}
        self._http = httpx.Client(base_url=self.url, timeout=30)

    def _settings(self, dags: Path) -> dict[str, str]:
        passwords = self.home / "passwords.json"
        return {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            # Each worker process costs memory, and two cores do no more than this at once.
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__PORT": self.url.rpartition(":")[2],
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(24),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port(8793)),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port(8794)),
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        }

    def start(self, components: Iterable[str] = COMPONENTS) -> None:
        """Make the database, start the components, and return when all are healthy."""
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "passwords.json").write_text(json.dumps({"admin": self.password}))
        self.command("db", "migrate")
        for component in components:
            self.start_component(component)
        self._until_healthy()

    def start_component(self, component: str, name: str = "", **environment: str) -> Program:
        """Start one more component, with further variables."""
        name = name or component
        command = [sys.executable, "-m", "airflow", component]
        self.programs[name] = Program(name, command, self.home / "logs" / f"{name}.log", self.environment | environment)
        return self.programs[name]

    def command(self, *arguments: str) -> str:
        """Run an `airflow` command and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.stdout

    def stop(self) -> None:
        """End every component, and everything that they started."""
        for program in reversed(self.programs.values()):
            program.stop()
        self._http.close()

    # The REST API, as far as it is needed

    def api(self, method: str, path: str, **arguments: Any) -> Any:
        """Call Airflow's public API, and return its JSON."""
        if "Authorization" not in self._http.headers:
            login = {"username": "admin", "password": self.password}
            token = self._http.post("/auth/token", json=login).raise_for_status().json()["access_token"]
            self._http.headers["Authorization"] = f"Bearer {token}"
        response = self._http.request(method, f"/api/v2{path}", **arguments)
        if response.is_error:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json() if response.content else None

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, patience: float = 60) -> str:
        """Start a run of a DAG, once it has been parsed, and return the run's id."""
        deadline = time.monotonic() + patience
        while True:
            try:
                self.api("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
                break
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
        body = {"logical_date": None, "conf": dict(conf or {})}
        return str(self.api("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """The state of a run."""
        return str(self.api("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found: list[dict[str, Any]] = []
        while True:
            page = self.api("GET", path, params={"limit": 100, "offset": len(found)})
            found += page["task_instances"]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """A value that a task returned or pushed."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.api("GET", path, params={"map_index": map_index, "deserialize": False})["value"]

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """The log of one try, triggerer's part included."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        content = self.api("GET", path, params={"map_index": map_index, "full_content": True})["content"]
        return "\n".join(line if isinstance(line, str) else str(line.get("event", "")) for line in content)

    def _until_healthy(self, patience: float = 180) -> None:
        deadline = time.monotonic() + patience
        while not self._healthy():
            for program in self.programs.values():
                program.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"Airflow did not become healthy within {patience:.0f} s; see {self.home / 'logs'}")
            time.sleep(0.5)

    def _healthy(self) -> bool:
        try:
            parts = self._http.get("/api/v2/monitor/health").json()
        except (httpx.HTTPError, ValueError):
            return False
        needed = {"metadatabase", "scheduler", "triggerer", "dag_processor"}
        return all(parts.get(name, {}).get("status") == "healthy" for name in needed)
