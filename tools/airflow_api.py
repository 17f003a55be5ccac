"""Airflow's REST API, as far as tools and tests need it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

STATES_AT_END = frozenset({"success", "failed"})
PATIENCE = 180
"""Seconds for which an answer that does not come is asked for again."""


class AirflowApi:
    """A running Airflow, as its user `admin` of the simple auth manager sees it."""

    def __init__(self, url: str, password: str) -> None:
        self.url = url
        self.password = password
        self._http = httpx.Client(base_url=url, timeout=30)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def api(self, method: str, path: str, **arguments: Any) -> Any:
        """Call Airflow's public API, and return its JSON."""
        response = self.request(method, f"/api/v2{path}", **arguments)
        if response.is_error:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json() if response.content else None

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Ask Airflow for anything, as the user.

        An answer that does not come is asked for again, for `PATIENCE`, and so is a GET that meets
        an error of the server.

        A POST whose answer was lost may have been carried out: if it makes something of a given
        name, let a 409 be a success.
        """
        if "Authorization" not in self._http.headers:
            login = {"username": "admin", "password": self.password}
            token = self._send("POST", "/auth/token", json=login).raise_for_status().json()["access_token"]
            self._http.headers["Authorization"] = f"Bearer {token}"
        return self._send(method, path, **arguments)

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                response = self._http.request(method, path, **arguments)
            except httpx.TransportError:  # a busy machine may take longer than any time-out that is not an hour
                if time.monotonic() > deadline:
                    raise
            else:
                waited_in_vain = method == "GET" and response.is_server_error  # for SQLite, or a connection to it
                if not waited_in_vain or time.monotonic() > deadline:
                    return response
            time.sleep(0.5)

    def make(self, path: str, content: Mapping[str, Any]) -> None:
        """Make something that has a name of its own, such as a connection or a pool.

        Nothing happens when it is there.
        """
        try:
            self.api("POST", path, json=dict(content))
        except RuntimeError as error:
            if " 409 " not in str(error):
                raise

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, patience: float = 60) -> str:
        """Start a run of a DAG, once it has been parsed, and return the run's id."""
        deadline = time.monotonic() + patience
        now = datetime.now(UTC).isoformat()  # is the logical date, too, as the form of the web UI has it
        run_id = f"manual__{now}"
        body = {"dag_run_id": run_id, "logical_date": now, "conf": dict(conf or {})}
        while True:
            try:  # a DAG that is being parsed for the first time can be unpaused a moment before it can be started
                self.api("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
                self.make(f"/dags/{dag_id}/dagRuns", body)
            except RuntimeError as error:
                if " 404 " not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
            else:
                return run_id

    def run_state(self, dag_id: str, run_id: str) -> str:
        """The state of a run."""
        return str(self.api("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str, *states: str) -> list[dict[str, Any]]:
        """The task instances of a run; only those in certain states, where given."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found: list[dict[str, Any]] = []
        while True:
            page = self.api("GET", path, params={"limit": 100, "offset": len(found), "state": states})
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

    def answers(self, url: str = "") -> bool:
        """Whether an API server answers: this one, or one at another URL."""
        try:
            return self._http.get(f"{url}/api/v2/version").is_success
        except httpx.HTTPError:
            return False

    def is_healthy(self) -> bool:
        """Whether every component reports that it is well."""
        try:
            parts = self._http.get("/api/v2/monitor/health").json()
        except (httpx.HTTPError, ValueError):
            return False
        needed = {"metadatabase", "scheduler", "triggerer", "dag_processor"}
        return all(parts.get(name, {}).get("status") == "healthy" for name in needed)
