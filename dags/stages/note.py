"""The note of a DAG run, which the list of runs shows beside each: what became of it, in a line.

From Airflow 3.4 on a task can write it. Before, Airflow's API can, for those who let it:

    a connection `airflow_api` of type `http`: host and port of the API server, and login and
    password of a user who may edit DAG runs, or a token alone as the password

Without either nothing is written. A note is never worth a failed task.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

from renderjuice_provider.api.redact import redact
from stages.compat import AirflowNotFoundException

CONNECTION = "airflow_api"
LONGEST = 1000
"""Characters, which is Airflow's own limit."""
_PATIENCE = 10.0
"""Seconds for each of two requests."""
_log = logging.getLogger(__name__)


def write_note(context: Any, text: str) -> bool:
    """Give the run of a task a note, in place of the one before.

    Args:
        context: of the task.
        text: one line. URLs lose their queries.

    Returns:
        Whether it was written. What went wrong is in the log, and fails nothing.
    """
    ti, text = context["ti"], redact(text, longest=LONGEST)
    try:
        if hasattr(ti, "update_dagrun_note"):
            ti.update_dagrun_note(text)
            return True
        return _write_by_api(ti.dag_id, ti.run_id, text)
    except Exception as error:  # noqa: BLE001 - whatever it is, the task has done its work
        # Not the error's text: it may quote the connection.
        _log.warning("The note of this run could not be written: %s", type(error).__name__)
        return False


def _write_by_api(dag_id: str, run_id: str, text: str) -> bool:
    import httpx
    from airflow.sdk import BaseHook

    try:
        connection = BaseHook.get_connection(CONNECTION)
    except AirflowNotFoundException:
        _log.info("The note of this run is not written: there is no connection %s", CONNECTION)
        return False
    with httpx.Client(base_url=_address(connection), timeout=_PATIENCE) as client:
        token = connection.password or ""
        if connection.login:
            user = {"username": connection.login, "password": connection.password}
            answer = client.post("auth/token", json=user).raise_for_status()
            token = answer.json()["access_token"]
        # httpx would go up a folder for a run that is called `..`.
        run = f"api/v2/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='').replace('.', '%2E')}"
        headers = {"Authorization": f"Bearer {token}"}
        answer = client.patch(run, params={"update_mask": "note"}, json={"note": text}, headers=headers)
    if not answer.is_success:
        _log.warning("The note of this run was refused: %d", answer.status_code)
    return answer.is_success


def _address(connection: Any) -> str:
    """Of the API server: a host that is a whole URL, or scheme, host and port."""
    host = (connection.host or "localhost").rstrip("/")
    address = host if "://" in host else f"{connection.schema or 'http'}://{host}"
    return f"{address}:{connection.port}/" if connection.port and "://" not in host else f"{address}/"
