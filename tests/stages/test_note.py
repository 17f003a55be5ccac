"""The note of a run: by the task where Airflow can, else by its API, and never at a task's cost."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

import pytest
from stages.note import LONGEST, write_note

from tests.support.http_server import Reply, answer, serving

NOTE = "1 delivered, 0 skipped, 0 rejected, 0 failed; 4,210 render seconds"
PASSWORD = "not-for-logs"
RUN = "/api/v2/dags/renderjuice_shot/dagRuns/ice__ab%2F12?update_mask=note"


def context(**more):
    return {"ti": SimpleNamespace(dag_id="renderjuice_shot", run_id="ice__ab/12", **more)}


def connect(monkeypatch, url, **fields):
    connection = {"conn_type": "http", "host": url, "password": PASSWORD} | fields
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", json.dumps(connection))


@pytest.fixture(autouse=True)
def all_logs(caplog):
    caplog.set_level(logging.DEBUG)


def test_where_a_task_can_write_it_no_connection_is_needed():
    written = []

    assert write_note(context(update_dagrun_note=written.append), NOTE)
    assert written == [NOTE]


def test_a_note_is_as_long_as_airflow_takes_and_keeps_no_signature():
    written = []
    write_note(context(update_dagrun_note=written.append), "https://bucket/a.png?signature=42 " + "long " * 400)

    assert len(written[0]) == LONGEST
    assert "signature" not in written[0]


def test_without_a_connection_it_says_so_and_goes_on(caplog):
    assert not write_note(context(), NOTE)
    assert [record.levelname for record in caplog.records if record.name == "stages.note"] == ["INFO"]


def test_a_login_is_changed_for_a_token(monkeypatch, caplog):
    def reply(request):
        return answer({"access_token": "a-token"}, 201) if request.path == "/auth/token" else answer({})

    with serving(reply) as server:
        connect(monkeypatch, server.url, login="reporter")
        assert write_note(context(), NOTE)

    login, patch = server.requests
    assert json.loads(login.body) == {"username": "reporter", "password": PASSWORD}
    assert (patch.method, patch.path, json.loads(patch.body)) == ("PATCH", RUN, {"note": NOTE})
    assert patch.headers["Authorization"] == "Bearer a-token"
    assert PASSWORD not in caplog.text
    assert "a-token" not in caplog.text


def test_the_note_of_a_run_goes_to_that_run_whatever_its_name(monkeypatch):
    with serving(lambda _: answer({})) as server:
        connect(monkeypatch, server.url)
        run = context()
        run["ti"].run_id = ".."
        assert write_note(run, NOTE)
        assert server.requests[0].path == "/api/v2/dags/renderjuice_shot/dagRuns/%2E%2E?update_mask=note"


def test_a_password_alone_is_a_token(monkeypatch):
    with serving(lambda _: answer({})) as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        connect(monkeypatch, host, port=int(port), schema="http")
        assert write_note(context(), NOTE)

    assert [request.headers["Authorization"] for request in server.requests] == [f"Bearer {PASSWORD}"]


@pytest.mark.parametrize("reply", [answer({}, 403), answer({}, 500), Reply(200, b"no JSON"), answer([])])
def test_a_server_that_refuses_fails_nothing(monkeypatch, caplog, reply):
    with serving(lambda _: reply) as server:
        connect(monkeypatch, server.url, login="reporter")
        assert not write_note(context(), NOTE)

    assert "The note of this run" in caplog.text
    assert PASSWORD not in caplog.text


def test_nor_does_one_that_is_not_there_or_an_airflow_that_fails(monkeypatch, caplog):
    def broken(_):
        raise RuntimeError(PASSWORD)

    connect(monkeypatch, "http://127.0.0.1:1")
    assert not write_note(context(), NOTE)
    assert not write_note(context(update_dagrun_note=broken), NOTE)
    assert PASSWORD not in caplog.text
