"""The notifiers against a chat of our own: what arrives, and what reaches no log."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from types import SimpleNamespace

import pytest

from renderjuice_provider.api.errors import Bill, RenderjuiceJobError
from renderjuice_provider.api.retry import RetryPolicy
from renderjuice_provider.notifications import _chat
from renderjuice_provider.notifications.renderjuice import RenderjuiceNotifier, RenderjuiceRenderNotifier
from tests.support.http_server import Reply, answer, serving

PATH = "/services/T000/B000/the-secret-path"
TOKEN = "a-bearer-token"
FOUND = {
    "night": "2026-11-23",
    "delivered": {"juice": "/d/juice.mp4"},
    "skipped": {},
    "rejected": {"citrus": "no usable camera"},
    "failed": {"ice": "RENDER_ERROR: frame 4 could not be rendered"},
    "frames": 24,
    "render_seconds": 4210.4,
    "report": "s3://aws_default@bucket/nights/2026-11-23/report.html",
}


def context(found=FOUND):
    def xcom_pull(task_ids):
        assert task_ids == "report"
        return found

    return {
        "ti": SimpleNamespace(xcom_pull=xcom_pull),
        "dag_run": {"dag_id": "renderjuice_nightly", "dag_run_id": "r1"},
    }


@pytest.fixture
def logged(caplog, capsys):
    """All that was logged: by libraries, and by Airflow's own logger, which prints."""
    caplog.set_level(logging.DEBUG)
    printed = []

    def logged():
        printed.extend(capsys.readouterr())
        return caplog.text + "".join(printed)

    return logged


@pytest.fixture(params=["notify", "async_notify"])
def send(request, monkeypatch, logged):
    """Sends a message as Airflow does: by a call in a worker, awaited in the triggerer."""
    monkeypatch.setattr(_chat, "RETRY", RetryPolicy(max_attempts=3, first_pause=0.01))

    def send(url, within=None, message=None, notifier=RenderjuiceNotifier, **fields):
        connection = {"conn_type": "http", "host": url} | fields
        monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps(connection))
        within = context() if within is None else within
        if request.param == "notify":
            notifier(http_conn_id="chat", message=message)(within)
        else:

            async def triggerer():
                await notifier(http_conn_id="chat", message=message, context=within)

            asyncio.run(triggerer())
        assert "the-secret-path" not in logged()
        assert TOKEN not in logged()

    return send


def texts(server):
    return [json.loads(request.body)["text"] for request in server.requests]


def test_by_default_it_is_the_report_in_a_few_lines(send):
    with serving(lambda _: answer({})) as server:
        send(server.url + PATH, password=TOKEN)

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", PATH)
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert json.loads(request.body) == {
        "text": "Night of 2026-11-23: 1 delivered, 0 skipped, 1 rejected, 1 failed; 24 frames, 4,210 render seconds\n"
        "ice failed: RENDER_ERROR: frame 4 could not be rendered\n"
        "Report: s3://aws_default@bucket/nights/2026-11-23/report.html"
    }


def test_a_message_of_ones_own_is_a_template(send):
    with serving(lambda _: Reply(204)) as server:
        send(server.url + PATH, message="Not delivered by 07:00: {{ dag_run.dag_run_id }}")

    assert texts(server) == ["Not delivered by 07:00: r1"]
    assert "Authorization" not in server.requests[0].headers


def test_hundreds_of_failures_are_bounded_and_unknown_cost_is_named(send):
    failed = {f"s{number:03}": "frame 1 " * 500 for number in range(200)}
    found = FOUND | {"failed": failed, "jobs_of_unknown_cost": ["1", "2"]}
    with serving(lambda _: answer({})) as server:
        send(server.url + PATH, context(found))

    (text,) = texts(server)
    assert len(text) < _chat.LONGEST
    assert "4,210 render seconds, and 2 jobs of unknown cost" in text
    assert "... and 190 more" in text


def test_a_reason_calls_nobody_and_shows_no_signature(send):
    reason = "<!channel> @everyone https://bucket/a?X-Signature=42"
    with serving(lambda _: answer({})) as server:
        send(server.url + PATH, context(FOUND | {"failed": {"ice": reason}}))

    assert "ice failed: (!channel) @ everyone https://bucket/a?***" in texts(server)[0]


@pytest.mark.parametrize("found", [None, "a text", {"night": "x"}, FOUND | {"failed": 7}])
def test_a_run_without_a_report_is_named(send, found):
    with serving(lambda _: answer({})) as server:
        send(server.url + PATH, context(found))

    assert texts(server) == ["Renderjuice: run r1 of renderjuice_nightly left no report"]


def test_a_deadline_knows_no_task_and_perhaps_no_run(send):
    with serving(lambda _: answer({})) as server:
        send(server.url + PATH, {"deadline": {}})

    assert texts(server) == ["Renderjuice: run ? of ? left no report"]


def test_it_tries_again_where_that_may_help(send, logged):
    replies = iter([Reply(503), Reply(429), Reply(200)])
    with serving(lambda _: next(replies)) as server:
        send(server.url + PATH)

    assert len(server.requests) == 3
    assert "was sent" in logged()


@pytest.mark.parametrize(("status", "requests"), [(500, 3), (404, 1), (302, 1)])
def test_it_gives_up_without_failing_the_task(send, logged, status, requests):
    with serving(lambda _: Reply(status, headers={"Location": "http://127.0.0.1:1" + PATH})) as server:
        send(server.url + PATH)

    assert len(server.requests) == requests
    assert f"The message by connection chat was not sent: 127.0.0.1 answered {status}" in logged()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1" + PATH, "ftp://127.0.0.1" + PATH, "http://[" + PATH, "http://a\x00b" + PATH, ""]
)
def test_an_address_that_cannot_be_used_is_an_error_in_the_log(send, logged, url):
    send(url)

    assert "The message by connection chat was not sent" in logged()


def test_a_server_that_never_answers_is_left_after_a_while(send, monkeypatch, logged):
    monkeypatch.setattr(_chat, "TIMEOUT", 0.2)
    monkeypatch.setattr(_chat, "RETRY", RetryPolicy(max_attempts=1))

    def reply(_):
        time.sleep(1)
        return Reply()

    with serving(reply) as server:
        send(server.url + PATH)

    assert "there was no response from 127.0.0.1" in logged()


def test_a_connection_that_is_not_there_is_an_error_in_the_log(logged):
    RenderjuiceNotifier(http_conn_id="nowhere", message="text")({})

    assert "The message by connection nowhere was not sent" in logged()


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "https://chat.example/hook?key=1"}, "https://chat.example/hook?key=1"),
        ({"host": "chat.example", "schema": "services/T/B"}, "https://chat.example/services/T/B"),
        ({"host": "chat.example", "schema": "http", "port": 8065}, "http://chat.example:8065"),
        ({"host": "chat.example/hooks/x", "port": 8065}, "https://chat.example:8065/hooks/x"),
        ({"host": "chat.example", "extra": json.dumps({"path": "/hooks/x"})}, "https://chat.example/hooks/x"),
    ],
)
def test_the_address_is_found_in_every_shape_of_a_connection(fields, url):
    from airflow.sdk import Connection

    target = _chat.target_of(Connection(conn_id="chat", conn_type="http", **fields))

    assert target.url == url
    assert url not in repr(target)


JOB = "11111111-1111-4111-8111-111111111111"
RENDERED = {
    "job_id": JOB,
    "status": "completed",
    "normalized_seconds": 1830.4,
    "frames_requested": 24,
    "frames_missing": [3, 4, 9],
}
BASE = "https://airflow.example/studio"
PAGES = (
    f"Log: {BASE}/dags/renderjuice_shot/runs/r1/tasks/render/mapped/2\n"
    f"Wall: {BASE}/dags/renderjuice_shot/runs/r1/plugin/renderjuice-run"
)


def of_render(found=None, error=None, **more):
    def xcom_pull(*, task_ids, key, map_indexes):
        assert (task_ids, map_indexes) == ("render", 2)
        return {"return_value": found, "renderjuice_job_id": JOB}[key]

    key = {"dag_id": "renderjuice_shot", "run_id": "r1", "task_id": "render", "map_index": 2}
    log = f"{BASE}/dags/renderjuice_shot/runs/r1/tasks/render/mapped/2?try_number=1"
    ti = SimpleNamespace(**key, xcom_pull=xcom_pull, rendered_map_index="hero", log_url=log)
    return {"ti": ti, "exception": error} | more


@pytest.fixture
def said(send, monkeypatch):
    """What the notifier of a render says, by default."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", BASE)

    def said(context):
        with serving(lambda _: answer({})) as server:
            send(server.url + PATH, context, notifier=RenderjuiceRenderNotifier)
        return texts(server)[0]

    return said


def test_a_render_is_its_frames_its_cost_and_where_to_look(said):
    assert said(of_render(RENDERED)) == (
        f"hero: completed, 21 of 24 frames, frames 3, 4, 9 are missing, 1,830 normalized seconds (job {JOB})\n{PAGES}"
    )


def test_a_render_whose_cost_is_not_known_is_not_said_to_be_free(said):
    found = RENDERED | {"normalized_seconds": None, "frames_requested": None, "frames_missing": []}
    assert said(of_render(found)).startswith(f"hero: completed, unknown cost (job {JOB})\n")


def test_a_failed_render_says_why_and_what_became_of_the_money(said):
    error = RenderjuiceJobError("RENDER_ERROR: " + "frame 4 " * 500, bill=Bill.BILLED, normalized_seconds=183)
    reason, money, *pages = said(of_render(error=error.settle(next_step="clear this task", job_id=JOB))).splitlines()

    assert reason.startswith("hero failed: RENDER_ERROR: frame 4 frame 4")
    assert len(reason) < 250
    assert "183 normalized seconds are billed" in money
    assert money.endswith(f"(job {JOB})")
    assert "\n".join(pages) == PAGES


def test_a_task_that_was_killed_has_an_error_that_is_not_ours(said):
    assert said(of_render(error="it was killed")).startswith(f"hero failed: it was killed\n(job {JOB})\nLog: ")


@pytest.mark.parametrize("found", [None, "text"])
def test_a_render_that_has_returned_nothing_has_ended(said, found):
    assert said(of_render(found)).startswith("hero: the render has ended\n")


def test_a_render_is_named_by_its_shot_or_its_task(said):
    context = of_render(RENDERED, params={"shot": "sh010"})
    context["ti"].rendered_map_index = None
    assert said(context).startswith("sh010: completed")
    assert said(context | {"params": {}}).startswith("render: completed")


def test_without_a_task_a_render_is_still_said_to_have_failed(said):
    assert said({"exception": ValueError("")}) == "A render failed: ValueError"


def test_a_night_ends_with_its_page_on_the_wall(send, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", BASE)
    within = context()
    within["ti"].dag_id, within["ti"].run_id = "renderjuice_nightly", "r1"
    with serving(lambda _: answer({})) as server:
        send(server.url + PATH, within)

    assert texts(server)[0].endswith(f"\nWall: {BASE}/dags/renderjuice_nightly/runs/r1/plugin/renderjuice-run")
