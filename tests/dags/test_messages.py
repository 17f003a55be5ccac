"""The night's report goes to a chat, where one is named."""

from __future__ import annotations

import json
from types import SimpleNamespace

from airflow.sdk import DAG
from stages.alerts import reported

from tests.support.http_server import answer, serving

STATES = ("delivered", "skipped", "rejected", "failed")
FOUND = {"night": "2026-11-23", "frames": 0, "render_seconds": 0.0} | {state: {} for state in STATES}


def context(**params):
    return {"params": params, "ti": SimpleNamespace(xcom_pull=lambda task_ids: FOUND if task_ids == "report" else None)}


def test_without_a_chat_there_are_no_callbacks():
    assert reported("") == {}


def test_a_night_is_reported_whether_it_failed_or_not_but_no_dry_run(monkeypatch):
    with serving(lambda _: answer({})) as server:
        monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps({"conn_type": "http", "host": server.url}))
        callbacks = reported("chat")
        callbacks["on_success_callback"](context(dry_run=True))
        callbacks["on_success_callback"](context(dry_run=False))
        callbacks["on_failure_callback"](context())

    texts = [json.loads(request.body)["text"] for request in server.requests]
    assert len(texts) == 2
    assert all(text.startswith("Night of 2026-11-23: 0 delivered") for text in texts)


def test_the_task_that_reports_takes_them():
    from stages.night import report

    with DAG("a_night", schedule=None) as dag:
        report.override(**reported("chat"))()
    (task,) = dag.tasks
    assert [len(task.on_success_callback), len(task.on_failure_callback)] == [1, 1]
