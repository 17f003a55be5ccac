"""Airflow's own REST API, asked inside its server with the rights of the user who asks us.

So whatever is done has Airflow's checks, its audit log and its callbacks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from renderjuice_provider.api.redact import redact

if TYPE_CHECKING:
    import httpx
    from fastapi import Request

    from renderjuice_provider.wall.facts import TaskFacts

__all__ = [
    "AirflowApi",
    "NotDoneError",
]

_IDENTITY = ("authorization", "cookie")
_LONGEST = 500


class NotDoneError(Exception):
    """Airflow has refused a request; its text says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class AirflowApi:
    """The API, as the user of a request.

    Args:
        request: of the user.
        app: Airflow's own; None, the default: the one of this process.
    """

    def __init__(self, request: Request, app: Any = None) -> None:
        import httpx

        headers = {name: request.headers[name] for name in _IDENTITY if name in request.headers}
        client = (request.client.host, request.client.port) if request.client else ("127.0.0.1", 0)
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app or _app_of_this_process(), client=client),
            base_url="http://airflow/api/v2",
            headers=headers,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def fail(self, task: TaskFacts) -> None:
        """Mark a task instance as failed; one that is already is left as it is.

        Raises:
            NotDoneError: when Airflow refuses it.
        """
        mapped = f"/{task.map_index}" if task.map_index >= 0 else ""
        try:
            await self._ask("PATCH", f"{_path(task)}{mapped}", {"new_state": "failed"})
        except NotDoneError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise

    async def clear(self, tasks: Sequence[TaskFacts]) -> None:
        """Clear task instances of one run, and all that come after them.

        Raises:
            NotDoneError: when Airflow refuses it.
        """
        body = {
            "dry_run": False,
            "dag_run_id": tasks[0].run_id,
            "task_ids": [[task.task_id, task.map_index] if task.map_index >= 0 else task.task_id for task in tasks],
            "only_failed": False,
            "include_downstream": True,
            "reset_dag_runs": True,
        }
        await self._ask("POST", f"/dags/{_quoted(tasks[0].dag_id)}/clearTaskInstances", body)

    async def forget(self, task: TaskFacts, key: str) -> None:
        """Remove what a task instance knows of its earlier tries.

        Before Airflow 3.3 it knows nothing.

        Raises:
            NotDoneError: when Airflow refuses it.
        """
        try:
            await self._ask("DELETE", f"{_path(task)}/state-store/{_quoted(key)}?map_index={task.map_index}")
        except NotDoneError as error:
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
                raise

    async def start(self, dag_id: str, run_id: str, conf: Mapping[str, Any], note: str) -> None:
        """Start a run.

        Raises:
            NotDoneError: when Airflow refuses it, as it does when the run is there already.
        """
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf), "note": note}
        await self._ask("POST", f"/dags/{_quoted(dag_id)}/dagRuns", body)

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        response = await self._http.request(method, path, json=body)
        if response.is_error:
            raise NotDoneError(response.status_code, _reason(response))


def _path(task: TaskFacts) -> str:
    run = f"/dags/{_quoted(task.dag_id)}/dagRuns/{_quoted(task.run_id)}"
    return f"{run}/taskInstances/{_quoted(task.task_id)}"


def _quoted(name: str) -> str:
    # `.` and `..` are ids that Airflow takes, and httpx would go up a folder for them.
    return quote(name, safe="").replace(".", "%2E")


def _reason(response: httpx.Response) -> str:
    if response.status_code == HTTPStatus.FORBIDDEN:
        return "Airflow says that you may not do this: ask an administrator for the right to change this DAG's runs."
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        return "Airflow does not know you any more: log in again."
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = ""
    said = detail if isinstance(detail, str) else "; ".join(_messages(detail))
    return f"Airflow refuses it ({response.status_code}){': ' if said else ''}{redact(said, longest=_LONGEST)}"


def _messages(detail: Any) -> list[str]:
    """Of a body that Airflow cannot read: FastAPI's list, without what was sent."""
    return [str(each["msg"]) for each in detail if isinstance(each, dict) and "msg" in each] if detail else []


def _app_of_this_process() -> Any:
    from airflow.api_fastapi.app import cached_app

    # As Airflow itself calls it: another way to say the same would make another app.
    return cached_app(apps=os.environ.get("AIRFLOW_API_APPS", "all"))
