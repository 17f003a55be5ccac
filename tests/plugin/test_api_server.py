"""A real API server with two processes: what is sent to it, by anyone, and what people then see."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from proofs.hostile.database import Database
from renderjuice_provider.lifecycle.inbox import Inbox, variable_of
from tests.plugin.conftest import CONNECTION, SECRET, body_of, new_job, signed
from tests.support.until import until
from tools import postgres
from tools.local_airflow import LocalAirflow

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

MOST_AT_ONCE = 50


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """An API server on PostgreSQL; on SQLite, with one process, where there is none."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "dags").mkdir()
    environment = {"AIRFLOW__CORE__UNIT_TEST_MODE": "False"}
    with ExitStack() as stack:
        if (postgres.programs() / "postgres").exists():
            database = stack.enter_context(Database(folder / "postgres.log"))
            environment |= {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.url, "AIRFLOW__API__WORKERS": "2"}
        airflow = LocalAirflow(folder / "home", folder / "dags", environment)
        stack.callback(airflow.stop)
        airflow.prepare()
        airflow.start_component("api-server")
        airflow.until_answers()
        extra = json.dumps({"webhook_secret": SECRET})
        connection = {"connection_id": CONNECTION, "conn_type": "renderjuice", "password": "RJ-key", "extra": extra}
        airflow.make("/connections", connection)
        yield airflow


def post(airflow: LocalAirflow, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    response = httpx.post(f"{airflow.url}/renderjuice/{path}", content=body, headers=headers)
    return response.status_code, response.content


def noted(airflow: LocalAirflow) -> Inbox:
    """What people see among Airflow's Variables."""
    response = airflow.request("GET", f"/api/v2/variables/{variable_of(CONNECTION)}")
    return Inbox.parse(response.json()["value"] if response.is_success else None)


def log(airflow: LocalAirflow) -> str:
    return (airflow.home / "logs" / "api-server.log").read_text()


def test_an_event_needs_no_login_and_is_there_for_people_to_see(airflow: LocalAirflow) -> None:
    job = new_job()
    body = body_of(job)
    assert post(airflow, f"webhooks/{CONNECTION}", body, signed(body)) == (200, b"")
    assert job in [event.job_id for event in noted(airflow).events]
    plugins = airflow.api("GET", "/plugins")["plugins"]
    assert [app["url_prefix"] for plugin in plugins for app in plugin["fastapi_apps"]] == ["/renderjuice"]
    assert airflow.api("GET", "/plugins/importErrors")["total_entries"] == 0


@pytest.mark.parametrize(
    ("path", "headers", "status", "reason"),
    [
        (f"webhooks/{CONNECTION}", {}, 401, "no_timestamp"),
        (f"webhooks/{CONNECTION}", signed(b"another body"), 401, "wrong_signature"),
        ("webhooks/nobody", signed(b"{}"), 404, "unknown_connection"),
    ],
)
def test_what_is_refused_is_in_the_log(
    path: str, headers: dict[str, str], status: int, reason: str, airflow: LocalAirflow
) -> None:
    before = noted(airflow).count
    assert post(airflow, path, b"{}", headers) == (status, b"")
    until(lambda: f"({reason})" in log(airflow))
    assert noted(airflow).count == before


@pytest.mark.parametrize("path", ["docs", "openapi.json"])
def test_no_page_describes_the_receiver(path: str, airflow: LocalAirflow) -> None:
    assert httpx.get(f"{airflow.url}/renderjuice/{path}").status_code == 404


def test_many_events_at_once_are_all_noted_once(airflow: LocalAirflow) -> None:
    before = noted(airflow)
    jobs = [new_job() for _ in range(400)]

    async def send_all() -> list[int]:
        turns = asyncio.Semaphore(MOST_AT_ONCE)
        async with httpx.AsyncClient(timeout=30) as client:

            async def send(job: str) -> int:
                body = body_of(job)
                async with turns:
                    url = f"{airflow.url}/renderjuice/webhooks/{CONNECTION}"
                    return (await client.post(url, content=body, headers=signed(body))).status_code

            return await asyncio.gather(*map(send, [*jobs, *jobs[:100]]))

    assert set(asyncio.run(send_all())) == {200}
    after = noted(airflow)
    assert after.count == before.count + len(jobs)
    assert set(jobs) <= {event.job_id for event in after.events}
    groups = re.findall(r"Noted events of the connection '\w+': (\d+)", log(airflow))
    assert sum(map(int, groups)) == after.count
    assert len(groups) < after.count / 2, "events that arrive together share transactions"


def test_no_secret_is_in_the_log(airflow: LocalAirflow) -> None:
    assert "Noted" in log(airflow)
    assert SECRET not in log(airflow)
