"""Limits belong to the attempt and come before the work.

No answer holds a call, fills the memory, or is about something else.
"""

from __future__ import annotations

import gzip
import json
import time
import zlib
from datetime import UTC, datetime

import pytest

from renderjuice_provider.api import _attempt as attempt
from renderjuice_provider.api import _reading as reading
from renderjuice_provider.api import _unpacking as unpacking
from renderjuice_provider.api._flow import Response
from renderjuice_provider.api.errors import (
    RenderjuiceConnectionError,
    RenderjuiceRateLimitError,
    RenderjuiceResponseError,
    RenderjuiceTransferError,
)
from renderjuice_provider.api.retry import LONGEST_QUIET, retry_after_of
from renderjuice_provider.lifecycle.job_poller import JobPoller
from tests.support.flow_driver import START, drive, operations_of
from tests.support.http_server import JOB_ID, Reply, a_job, answer, serving
from tests.support.raw import dripping, steadily

OTHER = "99999999-9999-4999-8999-999999999999"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
NAMED_GZIP = b"\x1f\x8b\x08\x08\0\0\0\0\0\x03"
DRIPS = {
    "header lines": (OK, b"X-A: b\r\n"),
    "one header line": (OK + b"X-A: ", b"b"),
    "the status line": (b"HTTP/1.1 200 ", b"O"),
    "early hints": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "a chunk's extension": (CHUNKED + b"1;", b"a"),
    "a chunk's size": (CHUNKED, b"0"),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-A: b\r\n"),
    "the name in a gzip": (OK + b"Content-Encoding: gzip\r\n\r\n" + NAMED_GZIP, b"n"),
    "gzips of nothing": (OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"", mtime=0)),
    "blanks": (OK + b"\r\n", b" "),
}


@pytest.mark.parametrize("what", DRIPS)
def test_whatever_drips_a_call_ends_after_some_times_its_time_out(new_client, what):
    with dripping(*DRIPS[what]) as url:
        began = time.monotonic()
        with pytest.raises(RenderjuiceConnectionError):
            new_client(base_url=url, timeout=0.1, max_attempts=1).get_job(JOB_ID)
        assert time.monotonic() - began < 10 * attempt.PATIENCE * 0.1


@pytest.mark.parametrize("what", ["header lines", "early hints", "a chunk's extension", "the name in a gzip"])
def test_nor_does_a_store_hold_an_upload_or_a_download_so(new_client, scene, tmp_path, what):
    with dripping(*DRIPS[what]) as store:

        def reply(request):
            if request.path == "/uploads":
                return answer({"uploadUrl": store, "slug": "s"})
            return answer({"frames": [store]} if "downloads" in request.path else a_job("completed"))

        with serving(reply) as server:
            client = new_client(base_url=server.url, timeout=0.2, max_attempts=1)
            for transfer in (lambda: client.upload(scene), lambda: client.download_outputs(JOB_ID, tmp_path)):
                began = time.monotonic()
                with pytest.raises(RenderjuiceTransferError):
                    transfer()
                assert time.monotonic() - began < 5


def test_a_file_that_keeps_coming_may_take_longer_than_any_time_out(new_client, tmp_path, monkeypatch):
    monkeypatch.setattr(attempt, "ENOUGH", 1)
    monkeypatch.setattr("renderjuice_provider.api._bytes.CHUNK", 10)

    def reply(request):
        if request.path == "/file":
            return Reply(200, steadily([b"0123456789"] * 12, 0.1))
        here = f"http://{request.headers['Host']}/file"
        return answer({"frames": [here]} if "downloads" in request.path else a_job("completed"))

    with serving(reply) as server:
        client = new_client(base_url=server.url, timeout=0.5, max_attempts=1)
        assert client.download_outputs(JOB_ID, tmp_path).size == 120


def test_a_thread_is_stopped_by_the_clock_of_its_attempt_alone():
    now = [0.0]
    clock = attempt.Attempt(10, lambda: now[0])
    now[0] = 4
    with clock.stopped():
        now[0] = 1000
    assert clock.left == 6
    clock.moved(attempt.ENOUGH - 1)
    assert clock.left == 6
    clock.moved(1)
    assert clock.left == 10


# Bytes are counted as they are unpacked


def packed(content, coding="gzip"):
    return lambda _: Reply(200, content, {"Content-Encoding": coding})


def test_one_gzip_is_unpacked_and_so_are_joined_ones(new_client):
    text = json.dumps(a_job("rendering")).encode()
    for content in (gzip.compress(text, mtime=0), gzip.compress(text[:9], mtime=0) + gzip.compress(text[9:], mtime=0)):
        with serving(packed(content)) as server:
            assert new_client(base_url=server.url).get_job(JOB_ID).status == "rendering"
            assert server.requests[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip,identity,gzip", "br", "zstd", "deflate", "x" * 5000])
def test_what_is_packed_twice_or_in_a_way_that_nobody_asked_for_is_not_unpacked(new_client, coding):
    error = RenderjuiceConnectionError
    with (
        serving(packed(gzip.compress(b"{}", mtime=0), coding)) as server,
        pytest.raises(error, match="one gzip at most"),
    ):
        new_client(base_url=server.url, max_attempts=1).get_job(JOB_ID)


@pytest.mark.parametrize(("content", "why"), [(gzip.compress(b"{}", mtime=0)[:-3], "cut short"), (b"{}", "damaged")])
def test_a_gzip_that_lost_its_end_gives_no_answer_and_no_file(new_client, tmp_path, content, why):
    def reply(request):
        here = f"http://{request.headers['Host']}/file"
        listed = answer({"frames": [here]} if "downloads" in request.path else a_job("completed"))
        return packed(content)(request) if request.path == "/file" else listed

    with serving(packed(content)) as server, pytest.raises(RenderjuiceConnectionError, match=why):
        new_client(base_url=server.url, max_attempts=1).get_job(JOB_ID)
    with serving(reply) as server, pytest.raises(RenderjuiceTransferError, match=why):
        new_client(base_url=server.url, max_attempts=1).download_outputs(JOB_ID, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_small_answer_that_unpacks_to_a_large_one_is_left_at_the_limit(new_client, monkeypatch):
    monkeypatch.setattr(attempt, "LONGEST", 4 << 20)
    error = RenderjuiceConnectionError
    with (
        serving(packed(gzip.compress(bytes(32 << 20), mtime=0))) as server,
        pytest.raises(error, match="longer than 4 MiB"),
    ):
        new_client(base_url=server.url, max_attempts=1).get_job(JOB_ID)


def test_no_step_of_unpacking_makes_more_than_a_piece():
    unpacker = unpacking.Unpacker({"content-encoding": "gzip"})
    sizes = [len(piece) for piece in unpacker.pieces(gzip.compress(bytes(20 << 20), mtime=0))]
    assert sum(sizes) == 20 << 20
    assert max(sizes) <= unpacking.PIECE
    unpacker.end()


@pytest.mark.parametrize("text", ["[" + "{}," * 100 + "{}]", "[" * 101, json.dumps({str(n): n for n in range(102)})])
def test_an_answer_of_too_many_values_is_refused_before_it_is_parsed(monkeypatch, text):
    monkeypatch.setattr(reading, "MOST_VALUES", 100)
    with pytest.raises(RenderjuiceResponseError, match="more than 100 values"):
        operations_of().read.json(Response(200, body=text.encode()))


def test_hooks_for_long_answers_change_nothing_in_them(monkeypatch):
    monkeypatch.setattr(reading, "LONG", 1)
    value = {"a": [1, -7, 2.5, "x", None, True, {"b": {}}], "c": 10**20}
    assert operations_of().read.json(Response(200, body=json.dumps(value).encode())) == value


# The id in every answer is the id that was asked for


CALLS = {
    "get_job": lambda operations: operations.get_job(JOB_ID),
    "validate_job": lambda operations: operations.validate_job(JOB_ID),
    "cancel_job": lambda operations: operations.cancel_job(JOB_ID),
    "start_render": lambda operations: operations.start_render(JOB_ID, {"colorManagementPreset": "default"}),
    "get_downloads": lambda operations: operations.get_downloads(JOB_ID),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("wrapped", [True, False])
def test_an_answer_about_another_job_is_nonsense_to_every_call(call, wrapped):
    sent = {"id": OTHER, "status": "completed", "frames": [], "jobId": OTHER}
    text = json.dumps({"data": sent} if wrapped else sent).encode()
    asked = []

    def reply(step):
        asked.append(step.path)
        return Response(200, body=text)

    with pytest.raises(RenderjuiceResponseError, match=f"about another job \\({OTHER}\\)"):
        drive(CALLS[call](operations_of()), reply)
    assert len(asked) > 1
    assert all(JOB_ID in path for path in asked)


@pytest.mark.parametrize("written", [JOB_ID.upper(), JOB_ID.replace("-", ""), "{" + JOB_ID + "}"])
def test_the_same_id_written_in_another_way_is_the_same(written):
    text = json.dumps(a_job() | {"id": written}).encode()
    job, _ = drive(operations_of().get_job(JOB_ID), lambda _: Response(200, body=text))
    assert job.id == written


def test_counters_of_another_job_are_not_shown_as_this_ones():
    text = json.dumps([{"jobId": OTHER, "done": 9}, {"jobId": JOB_ID.upper(), "done": 3}, {"done": 4}]).encode()
    found, _ = drive(operations_of().get_progress(JOB_ID), lambda _: Response(200, body=text))
    assert [item.frames_done for item in found] == [3, 4]


# Retry-After


@pytest.mark.parametrize("asked", [LONGEST_QUIET + 1, 315_360_000.0, 1e300])
def test_one_header_silences_nobody_for_a_night(asked):
    wait = JobPoller(JOB_ID, "completed", poll_interval=30, started=0.0, deadline=86400.0)
    decision = wait.on_error(RenderjuiceRateLimitError("429", status_code=429, retry_after=asked), now=0.0)
    assert decision.pause == decision.retry_after == LONGEST_QUIET <= 3600


def test_a_date_is_held_against_the_clock_of_who_wrote_it():
    def asked(**headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return retry_after_of(operations_of(lambda: START).read.failure(Response(503, sent)))

    soon = "Thu, 01 Jan 2036 00:01:30 GMT"
    assert asked(retry_after=soon) == LONGEST_QUIET
    assert asked(retry_after=soon, date="Thu, 01 Jan 2036 00:00:00 GMT") == 90
    assert asked(retry_after=soon, date="nonsense") == LONGEST_QUIET
    assert datetime(2026, 1, 1, tzinfo=UTC) == START


def test_a_body_of_bytes_is_not_copied_to_be_handed_on():
    collected = attempt.Body(attempt.Attempt(10), {})
    collected.add(zlib.compress(b"x"))
    assert collected.whole() == zlib.compress(b"x")
    assert collected.whole() is collected.whole()
