"""Airflow's REST API, as far as a render needs it. Standard library only.

airflow = Airflow("https://airflow.studio", sign_in("https://airflow.studio", user, password))
airflow.start(run_id, {"file": "/mnt/studio/incoming/sh010.zip"})
airflow.read(run_id)
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import Any

SHOT_DAG = "renderjuice_shot"
_TIMEOUT = 30
_MOST = 16 << 20
"""Bytes of an answer that are read."""
_OVER = frozenset({"success", "failed"})
_AT_WORK = ("running", "deferred", "queued", "scheduled", "up_for_retry", "up_for_reschedule", "restarting")
_STAGES = {
    "take_order": "checking the scene",
    "upload": "uploading",
    "create": "uploading",
    "validate": "validating",
    "decide": "choosing settings",
    "render": "rendering",
    "composite": "compositing",
    "deliver": "delivering",
}


class AirflowError(Exception):
    """Airflow did not do it; the text says why, and what to do.

    Attributes:
        is_transient: whether the same may work in a moment.
    """

    def __init__(self, message: str, *, is_transient: bool = False) -> None:
        super().__init__(message)
        self.is_transient = is_transient


@dataclass(frozen=True)
class Run:
    """A run of the pipeline, as it is now.

    Attributes:
        is_over: whether it has ended.
        is_delivered: whether it ended well.
        stage: what it does, for people.
        done, total: frames, where that is known.
        reason: what the pipeline noted of its end, such as why it failed.
    """

    is_over: bool
    is_delivered: bool
    stage: str
    done: int | None = None
    total: int | None = None
    reason: str = ""


def check_address(url: str, *, allow_http: bool = False) -> str:
    """`url` without a slash at its end.

    Raises:
        AirflowError: for what is no address, and for plain http to another machine, unless that is
            allowed: passwords would be readable on the way.
    """
    parts = urllib.parse.urlsplit(url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise AirflowError("Fill in Airflow's address as in the browser, such as https://airflow.studio")
    is_here = parts.hostname in {"localhost", "::1"} or parts.hostname.startswith("127.")
    if parts.scheme == "http" and not is_here and not allow_http:
        raise AirflowError("Airflow's address begins with http: passwords would be sent unencrypted. Write https")
    return url.strip().rstrip("/")


def sign_in(url: str, user: str, password: str) -> str:
    """A token for `Airflow`. It holds for a day by default, and is not written down anywhere."""
    answer = _call("POST", f"{url}/auth/token", {"username": user, "password": password})
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str):
        raise AirflowError("Airflow gave no token: its way of signing in may have none. Ask who runs it for a token")
    return token


class Airflow:
    """The studio's pipeline.

    Args:
        url: as `check_address` returns it.
        token: of the user.
        dag_id: of the pipeline; it takes the params of `renderjuice_shot`.
    """

    def __init__(self, url: str, token: str, dag_id: str = SHOT_DAG) -> None:
        self._url = url
        self._token = token
        self._dag_id = dag_id

    def start(self, run_id: str, conf: Mapping[str, Any]) -> None:
        """Start a run. Nothing happens when the run is there: an earlier answer was lost."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        try:
            self._api("POST", "dagRuns", body)
        except AirflowError as error:
            if error.__cause__ is None or getattr(error.__cause__, "code", None) != HTTPStatus.CONFLICT:
                raise

    def read(self, run_id: str) -> Run:
        """The run as it is now."""
        run = self._api("GET", f"dagRuns/{_quoted(run_id)}")
        state = str(run.get("state"))
        if state in _OVER:
            delivered = state == "success"
            reason = str(run.get("note") or "")
            return Run(is_over=True, is_delivered=delivered, stage=state, reason=reason)
        row = self._row(run_id)
        frames = row.get("frames") or {}
        return Run(
            is_over=False,
            is_delivered=False,
            stage=str(row.get("state") or self._stage(run_id)),
            done=frames.get("done"),
            total=frames.get("total"),
        )

    def delivery(self, run_id: str) -> dict[str, Any]:
        """What the pipeline delivered: `manifest` is where, as workers see it.

        It is empty for a run that had nothing to deliver.
        """
        path = f"dagRuns/{_quoted(run_id)}/taskInstances/deliver/xcomEntries/return_value?deserialize=true"
        try:
            value = self._api("GET", path).get("value")
        except AirflowError as error:
            if getattr(error.__cause__, "code", None) != HTTPStatus.NOT_FOUND:
                raise
            return {}
        found = json.loads(value) if isinstance(value, str) else value
        return found if isinstance(found, dict) else {}

    def stop(self, run_id: str) -> None:
        """Mark the run as failed: Airflow ends its tasks, and they cancel what renders."""
        self._api("PATCH", f"dagRuns/{_quoted(run_id)}", {"state": "failed"})

    def page(self, run_id: str) -> str:
        """The run in Airflow's web UI."""
        return f"{self._url}/dags/{_quoted(self._dag_id)}/runs/{_quoted(run_id)}"

    def _row(self, run_id: str) -> dict[str, Any]:
        """The run on the render wall; empty where Airflow has none."""
        query = urllib.parse.urlencode({"dag_id": self._dag_id, "run_id": run_id})
        try:
            night = _call("GET", f"{self._url}/renderjuice/wall/night?{query}", token=self._token)
        except AirflowError:
            return {}
        rows = night.get("rows") if isinstance(night, dict) else None
        return rows[0] if rows and isinstance(rows[0], dict) else {}

    def _stage(self, run_id: str) -> str:
        tasks = self._api("GET", f"dagRuns/{_quoted(run_id)}/taskInstances?limit=100").get("task_instances") or []
        states = {str(task.get("task_id")): task.get("state") for task in tasks}
        for state in _AT_WORK:
            for task_id in reversed([name for name, found in states.items() if found == state]):
                return _STAGES.get(task_id, task_id)
        return "queued"

    def _api(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        url = f"{self._url}/api/v2/dags/{_quoted(self._dag_id)}/{path}"
        answer = _call(method, url, body, token=self._token)
        return answer if isinstance(answer, dict) else {}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token goes to Airflow alone."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _call(method: str, url: str, body: Mapping[str, Any] | None = None, token: str = "") -> Any:
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    data = None
    if body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - checked by check_address
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=_TIMEOUT) as response:
            return json.loads(response.read(_MOST) or b"null")
    except urllib.error.HTTPError as error:
        raise _refused(error) from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise AirflowError(f"Airflow does not answer ({reason})", is_transient=True) from None
    except ValueError:
        raise AirflowError("This address answers, but not as Airflow does: check it in the browser") from None


def _refused(error: urllib.error.HTTPError) -> AirflowError:
    match error.code:
        case HTTPStatus.UNAUTHORIZED:
            return AirflowError("Airflow refused the sign-in, or it has expired: sign in again")
        case HTTPStatus.FORBIDDEN:
            return AirflowError(
                "Airflow does not permit this to your user: ask who runs it for the right to start runs"
            )
        case HTTPStatus.NOT_FOUND:
            return AirflowError("Airflow has no such page: check its address, and the name of the pipeline's DAG")
        case code if code in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT} or code >= 500:
            return AirflowError(f"Airflow is in trouble ({code})", is_transient=True)
        case code if 300 <= code < 400:
            return AirflowError("Airflow's address leads elsewhere: fill in the one that the browser shows in the end")
    return AirflowError(f"Airflow refused this ({error.code}): {_detail(error)}")


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        detail = json.loads(error.read(_MOST)).get("detail")
    except (OSError, HTTPException, ValueError, AttributeError):
        return str(error.reason)
    return detail if isinstance(detail, str) else json.dumps(detail)[:500]


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")
