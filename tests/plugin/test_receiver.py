"""The receiver: what is genuine is noted before it is answered; of all else the log knows why."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from renderjuice_emulator.scenes import write_scene
from renderjuice_emulator.testing import Emulator
from renderjuice_provider._metrics import ON_SERVERS
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.lifecycle.inbox import MOST_PENDING
from renderjuice_provider.plugin import _inbox_variable, _receiver, _refusals
from renderjuice_provider.plugin._inbox_variable import note_events
from tests.plugin.conftest import (
    COMPLETE,
    CONNECTION,
    PREVIOUS,
    SECRET,
    Sender,
    body_of,
    inbox,
    mounted,
    new_job,
    sender,
    served,
    set_connection,
    signed,
)
from tests.support.until import until

JOB = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
ODD_IDS = (
    "",
    "/",
    "farm/",
    "%00",
    "a%00b",
    "%FF",
    "%F0%9F%8D%8A",
    "a%0d%0aX:y",
    "..%2ffarm",
    "%2e%2e/x",
    "farm?x=1",
    "x" * 9000,
)
"""Of connections that there are not, and of one with a query behind it."""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The reasons that reached the metric of refusals."""
    reasons: list[str] = []

    def count(_: str, tags: Mapping[str, str] | None = None, by: float = 1) -> None:
        reasons.extend([tags["reason"]] if tags else [])

    monkeypatch.setattr(ON_SERVERS, "count", count)
    return reasons


@contextmanager
def without(table: str, database: Engine) -> Iterator[None]:
    """A database that cannot answer what is about this table."""
    with database.begin() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO {table}_gone"))
    try:
        yield
    finally:
        with database.begin() as connection:
            connection.execute(text(f"ALTER TABLE {table}_gone RENAME TO {table}"))


async def test_a_genuine_event_is_noted_when_it_is_answered(airflow: Sender, database: Engine) -> None:
    before = time.time()
    response = await airflow.send(body_of(JOB))
    assert (response.status_code, response.content) == (200, b"")
    found = inbox(database)
    ((number, job_id, name, received),) = found.events
    assert (found.count, number, job_id, name) == (1, 1, JOB, COMPLETE)
    assert before - 1 <= received <= time.time() + 1
    assert found.pending == (), "no DAG wants its asset event"


async def test_an_event_that_comes_again_is_answered_and_not_noted_again(airflow: Sender, database: Engine) -> None:
    assert [await airflow.event(JOB), await airflow.event(JOB)] == [200, 200]
    assert await asyncio.gather(*(airflow.event(JOB) for _ in range(20))) == [200] * 20
    assert inbox(database).count == 1


async def test_what_is_there_before_the_first_event_is_no_work_for_the_garbage_collector(
    airflow: Sender, database: Engine
) -> None:
    gc.unfreeze()
    assert await airflow.event(new_job()) == 200
    frozen = gc.get_freeze_count()
    assert frozen > 100_000
    assert await airflow.event(new_job()) == 200
    assert gc.get_freeze_count() <= frozen, "only once"


async def test_events_that_arrive_together_share_transactions_and_none_is_lost(
    airflow: Sender, database: Engine
) -> None:
    await airflow.event(new_job())
    commits: list[object] = []
    commit = commits.append  # each access makes another bound method
    event.listen(database, "commit", commit)
    try:
        jobs = [new_job() for _ in range(300)]
        assert set(await asyncio.gather(*map(airflow.event, jobs))) == {200}
    finally:
        event.remove(database, "commit", commit)
    assert {noted.job_id for noted in inbox(database).events} >= set(jobs)
    assert inbox(database).count == 301
    assert len(commits) <= 30


async def test_two_api_servers_lose_nothing_to_each_other(database: Engine) -> None:
    """The Variable does not exist at first: both may make it."""
    jobs = [new_job() for _ in range(200)]
    async with sender() as one, sender() as other:
        sent = [(one if number % 2 else other).event(job) for number, job in enumerate(jobs)]
        assert set(await asyncio.gather(*sent)) == {200}
    found = inbox(database)
    assert found.count == 200
    assert sorted(noted.job_id for noted in found.events) == sorted(jobs)
    assert [noted.number for noted in found.events] == list(range(1, 201))


async def test_both_secrets_count_while_one_is_rotated(
    airflow: Sender, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_connection(monkeypatch, CONNECTION, webhook_secret=SECRET, webhook_secret_previous=PREVIOUS)
    for secret in (SECRET, PREVIOUS):
        body = body_of(new_job())
        assert (await airflow.send(body, signed(body, secret))).status_code == 200
    assert inbox(database).count == 2


async def test_an_event_with_the_urls_of_5000_frames_is_taken(airflow: Sender, database: Engine) -> None:
    urls = [f"https://store.test/frame_{number:04}.exr?X-Amz-Signature={'f' * 1400}" for number in range(5000)]
    body = body_of(JOB, outputs={"frames": urls})
    assert (await airflow.send(body)).status_code == 200
    assert "store.test" not in inbox(database).serialize()
    assert inbox(database).count == 1


@pytest.mark.parametrize(
    ("reason", "status", "request_"),
    [
        ("wrong_signature", 401, {"headers": signed(body_of(JOB), "another secret")}),
        ("wrong_signature", 401, {"headers": signed(body_of(JOB) + b" ")}),
        ("wrong_signature", 401, {"headers": signed(body_of(JOB)) | {"X-Renderjuice-Signature": ""}}),
        ("wrong_signature", 401, {"headers": signed(body_of(JOB), PREVIOUS)}),
        ("no_timestamp", 401, {"headers": {}}),
        ("no_timestamp", 401, {"headers": signed(body_of(JOB)) | {"X-Renderjuice-Timestamp": "soon"}}),
        ("not_recent", 401, {"headers": signed(body_of(JOB), age=40_000)}),
        ("not_recent", 401, {"headers": signed(body_of(JOB), age=-40_000)}),
        ("unknown_connection", 404, {"connection": "nobody"}),
        ("unknown_connection", 404, {"connection": "a/farm%1B[31m%00"}),
        ("no_secret", 404, {"connection": "keyed"}),
        ("no_secret", 404, {"connection": "other"}),
        ("no_secret", 404, {"connection": "broken"}),
        ("too_large", 413, {"body": b" " * (_receiver.SIZE_LIMIT + 1)}),
    ],
)
async def test_what_is_refused_has_a_reason_in_the_log_and_a_metric_and_never_in_the_answer(
    reason: str,
    status: int,
    request_: dict[str, Any],
    airflow: Sender,
    database: Engine,
    counted: list[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_connection(monkeypatch, "keyed")
    set_connection(monkeypatch, "other", conn_type="http", webhook_secret=SECRET)
    set_connection(monkeypatch, "broken", webhook_secret=SECRET, webhook_poll_interval="soon")
    response = await airflow.send(**{"body": body_of(JOB)} | request_)
    assert (response.status_code, response.content) == (status, b"")
    assert counted == [reason]
    (line,) = [record.getMessage() for record in caplog.records if record.name == _refusals.__name__]
    assert f"({reason})" in line
    assert line.isprintable()
    assert SECRET not in line
    for connection in (CONNECTION, "keyed", "other", "broken"):
        assert inbox(database, connection).count == 0


async def test_a_length_with_thousands_of_digits_is_a_large_one(airflow: Sender, database: Engine) -> None:
    body = body_of(JOB)
    response = await airflow.send(body, signed(body) | {"Content-Length": "9" * 5000})
    assert (response.status_code, inbox(database).count) == (413, 0)


async def test_a_body_that_turns_out_too_large_is_not_read_to_its_end(airflow: Sender, database: Engine) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1 << 20
            yield b" " * (1 << 20)

    response = await airflow.client.post(f"/renderjuice/webhooks/{CONNECTION}", content=endless())
    assert response.status_code == 413
    assert sent <= _receiver.SIZE_LIMIT + (2 << 20)


@pytest.mark.parametrize("body", [b"", b"null", b"<html>", b'{"event": "onRenderComplete"}', b'{"jobId": 7}'])
async def test_a_genuine_request_that_is_no_event_about_a_job_is_answered_and_logged(
    body: bytes, airflow: Sender, database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await airflow.send(body)).status_code == 200
    assert "not an event about a job" in caplog.text
    assert inbox(database).count == 0


async def test_while_the_database_is_down_renderjuice_is_to_send_again(
    airflow: Sender, database: Engine, counted: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with without("variable", database):
        response = await airflow.send(body_of(JOB))
        assert (response.status_code, response.content) == (503, b"")
        assert counted == ["unavailable"]
    assert await airflow.event(JOB) == 200
    assert inbox(database).count == 1
    assert SECRET not in caplog.text


async def test_while_too_many_renders_wait_for_their_asset_events_renderjuice_is_to_send_again(
    airflow: Sender,
    database: Engine,
    counted: list[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_inbox_variable, "find_asset", lambda *_: "one")
    note_events(CONNECTION, [(f"job {number}", COMPLETE) for number in range(MOST_PENDING)])
    before = inbox(database)
    assert await airflow.event(JOB) == 503
    assert (inbox(database), counted) == (before, ["busy"])
    assert "10,000 completed jobs wait for their asset events" in caplog.text


async def test_a_connection_that_cannot_be_looked_up_is_not_taken_for_unknown(
    airflow: Sender, database: Engine, counted: list[str]
) -> None:
    with without("connection", database):
        assert (await airflow.send(body_of(JOB), connection="stored")).status_code == 503
        assert counted == ["unavailable"]


async def test_a_body_that_does_not_arrive_holds_nobody_up(
    airflow: Sender, database: Engine, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_receiver, "PATIENCE", 0.5)
    others: list[int] = []

    async def stalls() -> AsyncIterator[bytes]:
        yield b"{"
        others.append(await airflow.event(JOB))
        await asyncio.sleep(30)

    response = await airflow.client.post(f"/renderjuice/webhooks/{CONNECTION}", content=stalls())
    assert response.status_code == 503
    assert counted == ["too_slow"]
    assert others == [200]


async def test_a_sender_that_goes_away_is_no_error_of_the_server(
    database: Engine, counted: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[Any] = []
    received = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(received)

    async def send(message: Any) -> None:
        sent.append(message)

    path = f"/renderjuice/webhooks/{CONNECTION}"
    scope = {"type": "http", "method": "POST", "path": path, "root_path": "", "query_string": b"", "headers": []}
    await mounted()(scope, receive, send)
    assert sent[0]["status"] == 400
    assert counted == ["cut_off"]
    assert "Traceback" not in caplog.text


async def test_large_bodies_take_turns_and_small_ones_do_not_wait(airflow: Sender, database: Engine) -> None:
    large = body_of(JOB, outputs={"frames": ["u" * 1000] * 200})
    finish = asyncio.Event()
    begun = asyncio.Semaphore(0)

    async def held() -> AsyncIterator[bytes]:
        yield large[:-1]
        begun.release()
        await finish.wait()
        yield large[-1:]

    headers = signed(large)
    url = f"/renderjuice/webhooks/{CONNECTION}"
    posts = [
        asyncio.create_task(airflow.client.post(url, content=held(), headers=headers))
        for _ in range(_receiver.LARGE_AT_ONCE)
    ]
    for _ in posts:
        await begun.acquire()
    late = asyncio.create_task(airflow.send(large))
    assert await airflow.event(new_job()) == 200
    assert not late.done()
    finish.set()
    assert [(await post).status_code for post in (*posts, late)] == [200] * (_receiver.LARGE_AT_ONCE + 1)
    assert inbox(database).count == 2


@pytest.mark.parametrize("path", ["docs", "redoc", "openapi.json", "webhooks", ""])
async def test_no_page_describes_the_receiver(path: str, airflow: Sender) -> None:
    assert (await airflow.client.get(f"/renderjuice/{path}")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_it_only_takes_posts(method: str, airflow: Sender) -> None:
    assert (await airflow.client.request(method, f"/renderjuice/webhooks/{CONNECTION}")).status_code == 405


@pytest.mark.parametrize(
    ("request_line", "headers", "body"),
    [
        *((f"POST /renderjuice/webhooks/{conn_id}", ("Content-Length: 2",), b"{}") for conn_id in ODD_IDS),
        ("POST //renderjuice/webhooks/farm", ("Content-Length: 2",), b"{}"),
        ("POST /renderjuice/webhooks/farm", ("Content-Length: 2", "Content-Length: 3"), b"{}"),
        ("POST /renderjuice/webhooks/farm", (f"Content-Length: {'9' * 5000}",), b"{}"),
        ("POST /renderjuice/webhooks/farm", ("Content-Length: -1",), b"{}"),
        (
            "POST /renderjuice/webhooks/farm",
            ("Content-Length: 2", "Transfer-Encoding: chunked"),
            b"2\r\n{}\r\n0\r\n\r\n",
        ),
        ("POST /renderjuice/webhooks/farm", ("Transfer-Encoding: chunked",), b"zz\r\n{}\r\n"),
        ("POST /renderjuice/webhooks/farm", ("Transfer-Encoding: chunked",), b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"),
        ("POST /renderjuice/webhooks/farm", ("X-Renderjuice-Timestamp: 1",) * 2 + ("Content-Length: 2",), b"{}"),
        ("POST /renderjuice/webhooks/farm", ("X-Renderjuice-Signature: \xff\xfe", "Content-Length: 2"), b"{}"),
        ("POST /renderjuice/webhooks/farm", (f"X-Renderjuice-Timestamp: {'9' * 5000}", "Content-Length: 2"), b"{}"),
        ("POSTPOST /renderjuice/webhooks/farm", ("Content-Length: 2",), b"{}"),
        ("HEAD /renderjuice/webhooks/farm", (), b""),
        ("OPTIONS /renderjuice/webhooks/farm", ("Origin: https://x.test",), b""),
    ],
)
def test_whatever_is_sent_over_the_wire_is_refused_and_no_error_of_the_server(
    request_line: str, headers: tuple[str, ...], body: bytes, database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    head = "\r\n".join([f"{request_line} HTTP/1.1", "Host: airflow.test", "Connection: close", *headers, "", ""])
    with served(mounted()) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 20) as line:
        line.sendall(head.encode("latin-1") + body)
        answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 4")
    assert inbox(database).count == 0
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_what_the_emulator_sends_over_the_wire_is_noted(database: Engine, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "shot.blend", frame_end=1)
    with served(mounted()) as url, Emulator(webhook_secret=SECRET) as emulator:
        emulator.webhooks.url = f"{url}/renderjuice/webhooks/{CONNECTION}"
        emulator.switches.webhook_duplicates = 2
        with RenderjuiceClient(emulator.api_key, emulator.base_url) as client:
            job_id = client.create_job(client.upload(scene).slug).id
            client.validate_job(job_id)
            while client.get_job(job_id).status != "validated":
                time.sleep(0.01)
            client.start_render(job_id, {"colorManagementPreset": "default"})
            until(lambda: emulator.ledger.count("webhook", status=200) == 3)
    assert [noted.job_id for noted in inbox(database).events] == [job_id]


async def test_nothing_that_is_noted_or_logged_holds_a_secret_or_a_url(
    airflow: Sender, database: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    url = "https://store.test/0001.exr?X-Amz-Signature=0f0f0f"
    with caplog.at_level(logging.DEBUG, "renderjuice_provider"):
        for body in (body_of(JOB, outputs={"frames": [url]}), body_of(JOB, event=f"onRenderFail {url}")):
            assert (await airflow.send(body)).status_code == 200
            assert (await airflow.send(body, signed(body, "another"))).status_code == 401
    found = inbox(database)
    assert found.count == 2
    for secret in ("0f0f0f", SECRET):
        assert secret not in caplog.text
        assert secret not in found.serialize()
